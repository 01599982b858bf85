"""A run: a thread that drives the engine, alone on its ledger, and ends in an Outcome."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import xarray as xr
from distributed import Client

from helio_burst.burst.account import Account
from helio_burst.burst.clients import check_files, choose_client, use_client
from helio_burst.burst.engine import Engine
from helio_burst.burst.job import Job
from helio_burst.burst.lease import Lease
from helio_burst.burst.limits import Limits
from helio_burst.burst.merging import merge_stored
from helio_burst.burst.outcome import Outcome
from helio_burst.burst.progress import Progress, open_display
from helio_burst.burst.record import CancelWish, Repeated, describe_cluster
from helio_burst.errors import BurstError, StorageError

_FOLLOW_SECONDS = 1.0


class RunStopped(BurstError):
    """A limit was reached, or the run was cancelled, before all was done.

    Attributes
    ----------
    outcome : Outcome
        What was done by then.
    """

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class Run:
    """A run under way: its progress, what is finished so far, and in the end its result.

    Made by `map_files` and `map_partitions` with ``wait=False``, and by `attach`.
    """

    def __init__(self, account: Account, client: Client | None = None, limits: Limits | None = None) -> None:
        self._account = account
        self._client = choose_client(client)
        self._limits = limits or Limits()
        self._engine: Engine | None = None
        self._follows = False
        self._cancelled = threading.Event()
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._drive, name="helio-burst-run", daemon=True)

    @property
    def job(self) -> Job:
        """What is done to each file."""
        return self._account.job

    def start(self) -> Run:
        """Begin, in a thread."""
        self._thread.start()
        return self

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self._account.progress

    def done(self) -> bool:
        """Say whether the run has ended."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Stop: waiting batches are dropped, running ones end; the ledger keeps what is done.

        If another process drives the run, that one is told, which takes it a few seconds.
        """
        if self._follows and self._account.ledger is not None:
            CancelWish.make(self._account.ledger)
        self._leave()

    def _leave(self) -> None:
        self._cancelled.set()
        if self._engine is not None:
            self._engine.cancelled.set()

    def partial(self, name: str | None = None, dim: str | None = None) -> xr.Dataset:
        """Return the results so far, as `Outcome.to_xarray` will return them all.

        Raises
        ------
        InputError
            Nothing is done yet, or the results do not fit together.
        """
        return self._account.dataset(name, dim)

    def result(self, timeout: float | None = None) -> Outcome:
        """Wait for the end and return the outcome.

        Raises
        ------
        TimeoutError
            The run has not ended after `timeout` seconds; it goes on.
        RunStopped
            A limit was reached or the run was cancelled; the error holds the outcome so far.
        BurstError
            The run broke off.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"The run has not ended after {timeout} s: {self.progress.line()}.")
        if self._error is not None:
            raise self._error
        assert self._outcome is not None
        return self._outcome

    def watch(self, show: bool | None = None) -> Outcome:
        """Show the progress until the end and return the outcome.

        Ctrl-C cancels the run; one that another process drives goes on without this one.
        """
        try:
            with open_display(self.job.name, show) as display:
                while not self.done():
                    self._thread.join(0.25)
                    display.update(self.progress)
                display.update(self.progress)
        except KeyboardInterrupt as interrupt:
            self._leave()
            if (ledger := self._account.ledger) is not None:
                interrupt.add_note(
                    f"What is done is in the ledger at {ledger.root}; the same call goes on from there."
                )
            self._thread.join(10)
            raise
        return self.result()

    def __repr__(self) -> str:
        state = "ended" if self.done() else "running"
        return f"<Run of {self.job.name}, {state}: {self.progress.line()}>"

    def _drive(self) -> None:
        try:
            self._outcome = self._drive_or_follow()
            if self._outcome.stopped is not None:
                self._error = self._stopped(self._outcome)
        except BaseException as error:  # raised again, by result(), in the thread of the user
            self._error = error

    def _stopped(self, outcome: Outcome) -> RunStopped:
        progress = outcome.progress
        resume = ", and the same call goes on from there" if outcome.ledger is not None else ""
        return RunStopped(
            f"The run of {self.job.name} stopped early: {outcome.stopped}. {progress.done} of "
            f"{progress.total} {progress.unit} are done{resume}. The error's .outcome has what there is.",
            outcome,
        )

    def _drive_or_follow(self) -> Outcome:
        ledger = self._account.ledger
        if ledger is None:
            return self._work(threading.Event(), None)
        wish = CancelWish(ledger)
        while True:
            self._engine = None
            lease = Lease(ledger, self._account.run)
            while not lease.acquire():
                self._follows = True
                self._account.follow(ledger)
                if self._cancelled.is_set() or wish.is_made():
                    return self._account.close(None, "it was cancelled")
                time.sleep(_FOLLOW_SECONDS)
            self._follows = False
            try:
                outcome = self._work(lease.lost, wish)
            finally:
                lease.release()
            if not lease.lost.is_set():
                return outcome

    def _work(self, taken_over: threading.Event, wish: CancelWish | None) -> Outcome:
        account = self._account
        todo = account.todo()
        blob = account.open()
        self._keep_record(wish)
        try:
            with Repeated(partial(self._keep_record, wish)):
                state = self._do(todo, blob, taken_over)
            stopped = self._engine.stopped if self._engine is not None else None
            outcome = account.close(state, stopped)
        except BaseException as error:
            with contextlib.suppress(StorageError):  # the store may be what broke
                account.note("broken", str(error))
            raise
        account.note(stopped or "finished")
        return outcome

    def _do(self, todo: pa.Table, blob: bytes, taken_over: threading.Event) -> Any:
        """Do what is to be done; return the merged state, where results are merged."""
        account = self._account
        merges_stored = self.job.combine is not None and account.ledger is not None
        if not len(todo) and not merges_stored:
            return None
        begin = time.monotonic()
        with use_client(self._client) as client:
            if len(todo) == len(account.files):
                account.progress = replace(account.progress, note="a worker asks for a file")
                check_files(client, self.job, todo, lambda: self._given_up(time.monotonic() - begin))
            state = self._run_engine(client, blob, todo, begin, taken_over)
            assert self._engine is not None
            if self._engine.stopped is not None:
                return None
            if account.ledger is not None and merges_stored:
                return merge_stored(client, blob, account.ledger, account.merged_shards())
            return account.merge_with_earlier(state)

    def _given_up(self, seconds: float) -> bool:
        return self._cancelled.is_set() or seconds >= (self._limits.seconds or math.inf)

    def _run_engine(
        self, client: Client, blob: bytes, todo: pa.Table, begin: float, taken_over: threading.Event
    ) -> Any:
        account = self._account
        self._engine = Engine(client, account, blob, todo, self._limits, begin, taken_over)
        if self._cancelled.is_set():
            self._engine.cancelled.set()
        account.cluster = describe_cluster(client)
        state = self._engine.run()
        account.cluster = max(account.cluster, describe_cluster(client), key=lambda one: one["threads"])
        return state

    def _keep_record(self, wish: CancelWish | None) -> None:
        if wish is not None and wish.is_made():
            self._leave()
        self._account.note("running")
