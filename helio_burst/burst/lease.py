"""Who drives a job: one client at a time, and another one when that one is gone.

The lease only saves double work. Were two clients to drive at once, the ledger would still be right: what is
there twice counts once.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from typing import Any

import psutil

from helio_burst import storage
from helio_burst.burst.ledger import Ledger
from helio_burst.errors import MissingObjectError, StorageError

RENEW_SECONDS = 3.0
# A lease that has not changed for this long is that of a driver that is gone.
EXPIRE_SECONDS = 15.0


class Lease:
    """The right to drive one job, renewed by a thread while it is held.

    Parameters
    ----------
    holder : str
        Who takes it.
    name : str
        The object that stands for it.
    """

    def __init__(self, ledger: Ledger, holder: str, name: str = "lease.json") -> None:
        self.ledger = ledger
        self.holder = holder
        self.url = ledger.url(name)
        self._beat = 0
        self.lost = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> bool:
        """Take the lease if nobody holds it; say whether it was taken.

        A lease whose holder's process is gone from this machine is free; that of another machine is free when
        it has not been renewed for a while, which takes up to 15 s to see.
        """
        content = self._content()
        try:
            storage.write(self.url, content, self.ledger.options, if_absent=True)
        except FileExistsError:
            if self.is_held():
                return False
            storage.write(self.url, content, self.ledger.options)
            if self._read().get("holder") != self.holder:
                return False
        self._thread = threading.Thread(target=self._renew, name="helio-burst-lease", daemon=True)
        self._thread.start()
        return True

    def is_held(self) -> bool:
        """Say whether a live driver holds the lease; where that is unclear, watch it for a while."""
        first = self._read()
        if not first:
            return False
        if first.get("host") == socket.gethostname():
            return _is_alive(first.get("pid"), first.get("started"))
        deadline = time.monotonic() + EXPIRE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(RENEW_SECONDS / 3)
            now = self._read()
            if now != first:
                return bool(now)
        return False

    def release(self) -> None:
        """Give the lease back."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            if self._read().get("holder") == self.holder:
                storage.delete(self.url, self.ledger.options)

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            try:
                if self._read().get("holder", self.holder) != self.holder:
                    self.lost.set()  # this machine slept, and another client took over
                    return
                storage.write(self.url, self._content(), self.ledger.options)
            except StorageError:
                continue  # a store that is down for a moment; the next beat tries again

    def _content(self) -> bytes:
        self._beat += 1
        process = psutil.Process()
        content = {
            "holder": self.holder,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": process.create_time(),
            "beat": self._beat,
        }
        return json.dumps(content).encode()

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(storage.read(self.url, self.ledger.options))
        except (MissingObjectError, json.JSONDecodeError):
            return {}
        return content


def _is_alive(pid: Any, started: Any) -> bool:
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(started)) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, TypeError, ValueError):
        return False
