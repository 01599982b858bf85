"""What a run says of itself in its ledger while it works, and the wish of somebody elsewhere that it stop."""

from __future__ import annotations

import contextlib
import getpass
import importlib.metadata
import platform
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from distributed import Client

from helio_burst import storage
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.progress import Progress
from helio_burst.errors import StorageError

RECORD_SECONDS = 3.0
_CANCEL = "cancel.json"


def new_run_id() -> str:
    """Name a run by when it began, UTC, so that names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def all_records(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the records of all runs of a job, oldest first."""
    found = storage.list_objects(ledger.url("runs"), ledger.options)
    names = sorted(name for name in (info.url.rsplit("/", 1)[1] for info in found) if name.endswith(".json"))
    return [record for name in names if (record := ledger.read_json(f"runs/{name}")) is not None]


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


def progress_of(record: Mapping[str, Any]) -> Progress:
    """Return the progress that a record tells."""
    return Progress(**{one.name: record[one.name] for one in fields(Progress) if one.name in record})


def note_without_run(ledger: Ledger, status: str, error: str = "") -> None:
    """Write a record for a run that came to its end before it began."""
    run, now = new_run_id(), datetime.now(UTC).isoformat(timespec="seconds")
    record = {"run": run, "status": status, "error": error, "by": who(), "host": platform.node(), "time": now}
    ledger.write_json(f"runs/{run}.json", record)


def who() -> str:
    """Name the user and the machine, for people."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        user = "?"
    return f"{user}@{platform.node()}"


def describe_cluster(client: Client) -> dict[str, Any]:
    """Say what a cluster has at this moment."""
    info: Mapping[str, Any] = {}
    with contextlib.suppress(OSError):
        info = client.scheduler_info(n_workers=0)
    if "address" not in info:  # it may be gone, which the run itself reports
        return {"threads": 0}
    return {
        "address": info["address"],
        "workers": info["n_workers"],
        "threads": info["total_threads"],
        "memory": info["total_memory"],
        "dask": importlib.metadata.version("distributed"),
    }


class CancelWish:
    """The object in the store by which a run is cancelled from any machine.

    Parameters
    ----------
    seen : dict, optional
        A wish that has been obeyed; by default the one that is there now, which is of a run that has ended.
    """

    def __init__(self, ledger: Ledger, seen: dict[str, Any] | None = None) -> None:
        self._ledger = ledger
        self.seen = seen if seen is not None else ledger.read_json(_CANCEL) or {}

    def is_made(self) -> bool:
        """Say whether somebody has asked for the end since."""
        return (self._ledger.read_json(_CANCEL) or {}) != self.seen

    @staticmethod
    def make(ledger: Ledger) -> None:
        """Ask for the end."""
        wish = {"time": datetime.now(UTC).isoformat(), "by": who(), "number": secrets.token_hex(4)}
        ledger.write_json(_CANCEL, wish)


class Repeated:
    """Does something every few seconds in a thread of its own; a context manager.

    A store that is down for a moment is no reason to stop: the next turn tries again.
    """

    def __init__(self, action: Callable[[], object], seconds: float = RECORD_SECONDS) -> None:
        self._action = action
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="helio-burst-repeated", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._seconds):
            with contextlib.suppress(StorageError):
                self._action()
