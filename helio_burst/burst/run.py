"""A run: a thread that drives the engine, alone on its ledger, and ends in an Outcome."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import cloudpickle
import polars as pl
import pyarrow as pa
import xarray as xr
from distributed import Client

import helio_burst
from helio_burst.burst.assemble import assemble
from helio_burst.burst.clients import check_files, use_client
from helio_burst.burst.engine import Engine, Limits, dump_job
from helio_burst.burst.fingerprint import source_of
from helio_burst.burst.job import Job
from helio_burst.burst.lease import Lease
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.merging import merge_stored
from helio_burst.burst.outcome import Outcome
from helio_burst.burst.progress import Progress, open_display
from helio_burst.burst.record import CancelWish, Repeated, describe_cluster, new_run_id, who
from helio_burst.burst.results import Results
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

    def __init__(
        self,
        job: Job,
        files: pa.Table,
        client: Client | None,
        ledger: Ledger | None,
        limits: Limits,
        provenance: dict[str, Any],
        earlier: Outcome | None = None,
    ) -> None:
        self.job = job
        self.id = new_run_id()
        self.ledger = ledger
        self._files = files
        self._client = client
        self.limits = limits
        self._provenance = provenance
        self._earlier = earlier
        self._results = earlier._results if earlier is not None else Results(files, ledger)
        self._engine: Engine | None = None
        unit = "partitions" if "padded_start" in files.column_names else "files"
        self._progress = Progress(total=len(files), unit=unit)
        self._began = datetime.now(UTC)
        self._cluster: dict[str, Any] = {}
        self._cancelled = threading.Event()
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._drive, name="helio-burst-run", daemon=True)

    def start(self) -> Run:
        """Begin, in a thread."""
        self._thread.start()
        return self

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self._engine.progress if self._engine is not None else self._progress

    def done(self) -> bool:
        """Say whether the run has ended."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Stop: waiting batches are dropped, running ones end; the ledger keeps what is done."""
        self._cancelled.set()
        if self._engine is not None:
            self._engine.cancelled.set()

    def partial(self, name: str | None = None, dim: str | None = None) -> xr.Dataset:
        """Return the results so far, as `Outcome.to_xarray` will return them all."""
        self._results.refresh()
        return assemble(self._results, self._results.table(), self._files, name, dim)

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
        """Show the progress until the end and return the outcome; Ctrl-C cancels the run."""
        try:
            with open_display(self.job.name, show) as display:
                while not self.done():
                    self._thread.join(0.25)
                    display.update(self.progress)
                display.update(self.progress)
        except KeyboardInterrupt:
            self.cancel()
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
                self._error = RunStopped(
                    f"The run of {self.job.name} stopped early: {self._outcome.stopped}. "
                    f"{self._outcome.progress.done} of {self._outcome.progress.total} files are done"
                    + (", and the same call goes on from there." if self.ledger is not None else ".")
                    + " The error's .outcome has what there is.",
                    self._outcome,
                )
        except BaseException as error:  # raised again, by result(), in the thread of the user
            self._error = error

    def _drive_or_follow(self) -> Outcome:
        if self.ledger is None:
            return self._work(threading.Event(), None)
        wish = CancelWish(self.ledger)
        while True:
            self._engine = None
            lease = Lease(self.ledger, self.id)
            while not lease.acquire():
                self._look_at_ledger("another client drives this job; this one follows")
                if self._cancelled.is_set() or wish.is_made():
                    return self._finished(None, "it was cancelled")
                time.sleep(_FOLLOW_SECONDS)
            try:
                outcome = self._work(lease.lost, wish)
            finally:
                lease.release()
            if not lease.lost.is_set():
                return outcome

    def _look_at_ledger(self, note: str = "") -> pl.DataFrame:
        """Count what the ledger, or the memory, has of the files."""
        self._results.refresh()
        table = self._results.table(["passing"])
        self._progress = replace(
            self._progress,
            done=int(table["ok"].is_not_null().sum()),
            failed=int(table["ok"].not_().sum() or 0),
            note=note,
        )
        return table

    def todo(self) -> pa.Table:
        """Return the files that are to be done: those that never were, or failed for a passing reason."""
        table = self._look_at_ledger()
        wanted = table["ok"].is_null() | (table["ok"].not_() & table["passing"]).fill_null(False)
        if self._earlier is not None:
            wanted = wanted | table["ok"].not_().fill_null(False)
        if self.job.combine is not None and self.ledger is not None:
            usable = self._usable_shards(table)
            wanted = wanted | (table["ok"] & ~table["shard"].is_in(usable)).fill_null(False)
        todo = self._files if wanted.all() else self._files.filter(pa.array(wanted.to_numpy()))
        again = int((wanted & table["ok"].is_not_null()).sum())
        failing = int((wanted & table["ok"].not_()).fill_null(False).sum() or 0)
        done = self._progress.done - again
        failed = self._progress.failed - failing
        self._progress = replace(self._progress, done=done, failed=failed, resumed=done)
        return todo

    def _usable_shards(self, table: pl.DataFrame) -> list[int]:
        """Return the shards whose merged state counts: all in it is wanted, and in no other one."""
        wanted = dict(table.filter(pl.col("ok")).group_by("shard").len().iter_rows())
        merged = self._results.ok_per_shard()
        return [number for number, count in enumerate(merged) if count and wanted.get(number) == count]

    def write_down(self) -> bytes:
        """Write the job and its files into the ledger, where any process can take it up; return the job."""
        blob = dump_job(self.job)
        if self.ledger is not None:
            self.ledger.begin(self._description(), blob, self._files)
        return blob

    def _work(self, taken_over: threading.Event, wish: CancelWish | None) -> Outcome:
        todo = self.todo()
        blob = self.write_down()
        self._keep_record(wish)
        state: Any = None
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(Repeated(partial(self._keep_record, wish)))
                if len(todo) or (self.job.combine is not None and self.ledger is not None):
                    client = stack.enter_context(use_client(self._client))
                    if len(todo) == len(self._files):
                        self._progress = replace(self._progress, note="a worker asks for a file")
                        check_files(client, self.job, todo, self._cancelled.is_set)
                    state = self._run_engine(client, blob, todo, taken_over)
            stopped = self._engine.stopped if self._engine is not None else None
            if self.ledger is not None and state is not None:
                self.ledger.write(f"runs/{self.id}.state", cloudpickle.dumps(state))
            outcome = self._finished(state, stopped)
        except BaseException as error:
            with contextlib.suppress(StorageError):  # the store may be what broke
                self._note("broken", str(error))
            raise
        self._note(stopped or "finished")
        return outcome

    def _run_engine(self, client: Client, blob: bytes, todo: pa.Table, taken_over: threading.Event) -> Any:
        self._engine = Engine(
            client,
            self.job,
            blob,
            todo,
            self._results,
            self.ledger,
            self.id,
            self.limits,
            self._progress,
            taken_over,
        )
        if self._cancelled.is_set():
            self._engine.cancelled.set()
        self._cluster = describe_cluster(client)
        state = self._engine.run()
        self._cluster = max(self._cluster, describe_cluster(client), key=lambda cluster: cluster["threads"])
        if self.job.combine is None or self._engine.stopped is not None:
            return None
        if self.ledger is not None:
            table = self._look_at_ledger()
            names = [self._results.shard_name(number) for number in self._usable_shards(table)]
            return merge_stored(client, blob, self.ledger, names)
        if self._earlier is not None:
            return self.job.combine.merge(self._earlier._state, state)
        return state

    def _finished(self, state: Any, stopped: str | None) -> Outcome:
        progress = self.progress
        table = self._look_at_ledger()
        final = replace(progress, done=self._progress.done, failed=self._progress.failed, note="")
        if stopped is None and final.done < final.total:
            missing = table.filter(pl.col("ok").is_null())["datakey"].head(3).to_list()
            raise BurstError(
                f"{final.total - final.done} files have neither a result nor a failure, such as {missing}. "
                "This is a fault of HelioBurst; run it again, the ledger knows what is done."
            )
        self._progress = final
        if self._engine is not None:
            self._engine.progress = final
        record = self._record(stopped or "finished")
        return Outcome(self.job, self._files, self._results, final, self._provenance, record, state, stopped)

    def _description(self) -> dict[str, Any]:
        return {
            "key": self.ledger.key if self.ledger is not None else "",
            "function": self.job.name,
            "source": source_of(self.job.function),
            "options": {name: repr(value) for name, value in self.job.options.items()},
            "merged": self.job.combine is not None,
            "begun": datetime.now(UTC).isoformat(),
            **self._provenance,
        }

    def note_pilot(self) -> None:
        """Note in the ledger that a few files were done for an estimate."""
        self._look_at_ledger()
        self._note("only a pilot was run")

    def _keep_record(self, wish: CancelWish | None) -> None:
        if wish is not None and wish.is_made():
            self.cancel()
        self._note("running")

    def _note(self, status: str, error: str = "") -> None:
        """Write the run's record into the ledger."""
        if self.ledger is not None:
            self.ledger.write_json(f"runs/{self.id}.json", self._record(status, error))

    def _record(self, status: str, error: str = "") -> dict[str, Any]:
        return {
            "run": self.id,
            "status": status,
            "error": error,
            "by": who(),
            "host": platform.node(),
            "pid": os.getpid(),
            "began": self._began.isoformat(timespec="milliseconds"),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "cluster": self._cluster,
            **asdict(self.progress),
            "helio_burst": helio_burst.__version__,
        }


def rerun(outcome: Outcome, client: Client | None = None, progress: bool | None = None) -> Outcome:
    """Do the failed files of an outcome again and return the outcome of all files."""
    run = Run(
        outcome.job, outcome._items, client, outcome.ledger, Limits(), outcome.provenance, earlier=outcome
    )
    return run.start().watch(progress)
