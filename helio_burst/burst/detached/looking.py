"""Looking in on a job from any machine: all that is asked is its store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd

from helio_burst.burst.clients import shippable_options
from helio_burst.burst.detached.order import LEASE
from helio_burst.burst.lease import Lease
from helio_burst.burst.ledger import Ledger, find, jobs
from helio_burst.burst.mapping import account_of
from helio_burst.burst.outcome import Outcome
from helio_burst.burst.progress import Progress
from helio_burst.burst.record import CancelWish, latest_record, progress_of
from helio_burst.burst.shard import decode_state
from helio_burst.errors import BurstError, MissingObjectError

#: The object in a ledger that says when and how the job was submitted.
SUBMISSION = "submission.json"
_POLL_SECONDS = 1.0
COLUMNS = ("job", "function", "state", "done", "total", "failed", "cost", "begun", "updated")


@dataclass(frozen=True)
class Status:
    """How a job is, as its ledger tells.

    Attributes
    ----------
    job, function : str
        Key of the job, name of its function.
    state : str
        ``starting`` (its driver waits for a cluster), ``running``, ``finished``, ``stopped`` (cancelled, or a
        limit was reached), ``broken`` (see `reason`), or ``gone``: its driver has died; `resume` goes on.
    reason : str
        Why it is stopped or broken.
    progress : Progress
        As of `updated`.
    host : str
        Where its driver runs or ran.
    updated : datetime, optional
        Of the last record, UTC by the clock of that host.
    """

    job: str
    function: str
    state: str
    reason: str = ""
    progress: Progress = field(default_factory=Progress)
    host: str = ""
    updated: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether somebody works on the job."""
        return self.state in ("starting", "running")

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        advice = "; resume goes on from the ledger" if self.state in ("gone", "stopped", "broken") else ""
        line = f"{self.function}, job {self.job}: {self.state}{reason}{advice}"
        if self.updated is None:
            return line
        updated = f"{self.updated:%Y-%m-%d %H:%M:%S} UTC"
        return f"{line}\n  {self.progress.line()}\n  driver on {self.host}, {updated}"


@dataclass(frozen=True)
class DetachedJob:
    """A job in a store, wherever it runs; another process makes the same object from the same two names.

    Attributes
    ----------
    store : str
        As given to `submit`.
    key : str
        The job's hash.
    """

    store: str
    key: str

    def status(self) -> Status:
        """Say how the job is; see `status`."""
        return status(self.store, self.key)

    def logs(self) -> str:
        """Return what its driver has written; see `logs`."""
        return logs(self.store, self.key)

    def fetch(self, *, wait: bool = False) -> Outcome:
        """Return its outcome; see `fetch`."""
        return fetch(self.store, self.key, wait=wait)

    def cancel(self) -> Status:
        """End it; see `cancel`."""
        return cancel(self.store, self.key)

    def __repr__(self) -> str:
        return f"<DetachedJob {self.key} in {self.store}>"


def status(store: str, job: str | None = None) -> Status:
    """Say how a job is.

    Parameters
    ----------
    store : str
        As given to `submit`, or to `map_files`.
    job : str, optional
        Key of the job, or its beginning; by default the job begun last.

    Raises
    ------
    InputError
        There is no such job.

    Notes
    -----
    Whether a driver on another machine lives is seen by its lease, which it renews every 3 s; to see that one
    is gone takes 15 s.
    """
    return _status(find(store, job, shippable_options()))


def logs(store: str, job: str | None = None) -> str:
    """Return the log of a job's latest driver, up to a few seconds ago; empty if it has none.

    Parameters
    ----------
    store, job
        As of `status`.
    """
    ledger = find(store, job, shippable_options())
    submission = ledger.read_json(SUBMISSION) or {}
    try:
        return ledger.read(f"logs/{submission.get('driver')}.txt").decode(errors="replace")
    except MissingObjectError:
        return ""


def cancel(store: str, job: str | None = None, *, timeout: float = 60.0) -> Status:
    """Ask, through the store, for the end of a job; wait until its driver has obeyed, and return the status.

    What is done stays in the ledger.

    Parameters
    ----------
    store, job
        As of `status`.
    timeout : float
        Seconds to wait.
    """
    ledger = find(store, job, shippable_options())
    CancelWish.make(ledger)
    return _wait(ledger, timeout)


def fetch(store: str, job: str | None = None, *, wait: bool = False) -> Outcome:
    """Return the outcome of a job; before its end, what there is, and why in ``stopped``.

    No cluster is needed for it.

    Parameters
    ----------
    store, job
        As of `status`.
    wait : bool
        Wait for the end of the job.

    Raises
    ------
    BurstError
        With `wait`: the job broke off, or its driver is gone.
    """
    ledger = find(store, job, shippable_options())
    now = _wait(ledger) if wait else _status(ledger)
    if wait and now.state in ("broken", "gone"):
        raise BurstError(str(now))
    record = latest_record(ledger)
    account = account_of(ledger)
    account.look()
    # The record counts a file that is to be tried again as not done, and knows nothing of the latest shards.
    progress = replace(now.progress, done=account.progress.done, failed=account.progress.failed)
    stopped = None if now.state == "finished" else f"{now.state} {now.reason}".strip()
    state = _merged(ledger, record) if stopped is None else None
    return account.outcome(progress, record, state, stopped)


def list_jobs(store: str) -> pd.DataFrame:
    """List the jobs of a store, the one begun last at the end.

    Returns
    -------
    DataFrame
        Columns job, function, state (as of `Status`), done, total, failed, cost (USD), begun and updated
        (UTC).
    """
    options = shippable_options()
    ledgers = [Ledger(store, key, options) for key in jobs(store, options)]
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(_row, ledgers))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"begun": "datetime64[ns, UTC]", "updated": "datetime64[ns, UTC]"})


def _row(ledger: Ledger) -> dict[str, Any]:
    now = _status(ledger)
    begun = (ledger.read_json("job.json") or {}).get("begun")
    return {
        "job": now.job,
        "function": now.function,
        "state": now.state,
        "done": now.progress.done,
        "total": now.progress.total,
        "failed": now.progress.failed,
        "cost": now.progress.cost,
        "begun": pd.Timestamp(begun) if begun else pd.NaT,
        "updated": pd.Timestamp(now.updated) if now.updated else pd.NaT,
    }


def _status(ledger: Ledger) -> Status:
    function = str((ledger.read_json("job.json") or {}).get("function", ""))
    submission = ledger.read_json(SUBMISSION) or {}
    # Asked before the record is read: a driver that ends in between has written its last record by then.
    alive = Lease(ledger, "", LEASE).is_held() or Lease(ledger, "").is_held()
    record = latest_record(ledger)
    progress = progress_of(record)
    if not record or record.get("run") == submission.get("after"):
        return Status(ledger.key, function, "starting" if alive else "gone", "", progress)
    state, reason = _state(record, alive)
    updated = datetime.fromisoformat(record["time"])
    return Status(ledger.key, function, state, reason, progress, str(record.get("host", "")), updated)


def _state(record: dict[str, Any], alive: bool) -> tuple[str, str]:
    status = str(record["status"])
    if status == "running":
        return ("running", "") if alive else ("gone", "")
    if status in ("finished", "broken"):
        return status, str(record.get("error", ""))
    return "stopped", status


def _wait(ledger: Ledger, timeout: float | None = None) -> Status:
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        now = _status(ledger)
        if not now.is_active or (deadline is not None and time.monotonic() > deadline):
            return now
        time.sleep(_POLL_SECONDS)


def _merged(ledger: Ledger, record: dict[str, Any]) -> Any:
    try:
        return decode_state(ledger.read(f"runs/{record.get('run')}.state"))
    except MissingObjectError:  # results are not merged, or every file failed
        return None
