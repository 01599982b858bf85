"""What a run says of itself in its ledger while it works, and the wish of somebody elsewhere that it stop."""

from __future__ import annotations

import getpass
import platform
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import dask
from distributed import Client

from helio_burst import storage
from helio_burst.burst.ledger import Ledger
from helio_burst.errors import StorageError

RECORD_SECONDS = 3.0
_CANCEL = "cancel.json"


def new_run_id() -> str:
    """Name a run by when it began, UTC, so that names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def latest_record(ledger: Ledger) -> dict[str, Any]:
    """Return the record of the run that wrote its own last; an empty one if no run has yet."""
    found = [
        info
        for info in storage.list_objects(ledger.url("runs"), ledger.options)
        if info.url.endswith(".json")
    ]
    if not found:
        return {}
    newest = max(found, key=lambda info: (info.modified, info.url))
    return ledger.read_json(f"runs/{newest.url.rsplit('/', 1)[1]}") or {}


def who() -> str:
    """Name the user and the machine, for people."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        user = "?"
    return f"{user}@{platform.node()}"


def describe_cluster(client: Client) -> dict[str, Any]:
    """Say what a cluster has at this moment."""
    try:
        info = client.scheduler_info(n_workers=0)
    except OSError:  # it may be gone at the end of a run, which the run itself reports
        return {"threads": 0}
    return {
        "address": info["address"],
        "workers": info["n_workers"],
        "threads": info["total_threads"],
        "memory": info["total_memory"],
        "dask": dask.__version__,
    }


class CancelWish:
    """The object in the store by which a run is cancelled from any machine.

    A wish that was there before this was made is an old one, of a run that has ended.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.seen = ledger.read_json(_CANCEL)

    def is_made(self) -> bool:
        """Say whether somebody has asked for the end since."""
        return self._ledger.read_json(_CANCEL) != self.seen

    @staticmethod
    def make(ledger: Ledger) -> None:
        """Ask for the end."""
        wish = {"time": datetime.now(UTC).isoformat(), "by": who(), "number": secrets.token_hex(4)}
        ledger.write_json(_CANCEL, wish)


class Recorder:
    """Writes a run's record every few seconds and looks for the wish to cancel it; a context manager.

    Parameters
    ----------
    write : callable
        Writes the record.
    wish : CancelWish
        Looked for.
    cancel : callable
        Cancels the run.
    """

    def __init__(self, write: Callable[[], None], wish: CancelWish, cancel: Callable[[], None]) -> None:
        self._write = write
        self._wish = wish
        self._cancel = cancel
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="helio-burst-record", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(RECORD_SECONDS):
            try:
                if self._wish.is_made():
                    self._cancel()
                self._write()
            except StorageError:
                continue  # a store that is down for a moment; the next turn tries again
