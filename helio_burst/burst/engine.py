"""The driver: keeps a window of batches on the cluster until every item has a result or a failure."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from helio_burst.burst.account import Account
from helio_burst.burst.failures import Failure
from helio_burst.burst.items import to_bytes
from helio_burst.burst.ledger import write_shard
from helio_burst.burst.limits import Limits
from helio_burst.burst.merging import MergeTree, summary_of
from helio_burst.burst.progress import duration
from helio_burst.burst.shard import build
from helio_burst.burst.sizing import Sizer
from helio_burst.burst.values import Packed
from helio_burst.burst.worker import BEGUN, Batch, Report, run_batch
from helio_burst.cluster import root_cause
from helio_burst.cluster.prices import hourly_price
from helio_burst.errors import BurstError, HelioBurstError, TransientStorageError

# Batches in flight for each worker thread: one running, one waiting, one on its way.
WINDOW_PER_THREAD = 3
WINDOW_LEAST = 4
# Deaths of workers over one batch, each already repeated by Dask, before its items are given up.
_MOST_DEATHS = 4
_MOST_STORE_TRIES = 3
_TICK = 1.0
# Bytes of a job that go with each batch.
_SMALL_JOB = 64 * 1024
_QUIET_SECONDS = 600.0
_PATIENCE = 10.0


@dataclass
class _Span:
    """A stretch of the items, on its way or to be done."""

    start: int
    stop: int
    isolate: bool = False
    deaths: int = 0
    store_tries: int = 0


class Engine:
    """Runs a job over the items of a table on a cluster.

    Parameters
    ----------
    account : Account
        Of the run: the job, its ledger and its progress, which is kept up to date here.
    blob : bytes
        The pickled job.
    items : Table
        What is to be done, in order.
    begin : float
        When the run began, by `time.monotonic`.
    taken_over : Event
        Set when another client drives the job instead.
    """

    def __init__(
        self,
        client: Client,
        account: Account,
        blob: bytes,
        items: pa.Table,
        limits: Limits,
        begin: float,
        taken_over: threading.Event,
    ) -> None:
        self._client = client
        self._account = account
        self._job = account.job
        self._ledger = account.ledger
        self._run = account.run
        self._blob = blob
        self._items = items
        self._limits = limits
        self._sizer = Sizer(items)
        self._todo: deque[_Span] = deque([_Span(0, len(items))] if len(items) else [])
        self._flying: dict[Any, tuple[_Span, Future[Any]]] = {}
        self._arrived: queue.Queue[Future[Any]] = queue.Queue()
        self._number = 0
        self._failed_now = 0
        self._job_future: Future[Any] | None = None
        self._threads = 0
        self._began = begin
        self._last_tick = self._last_arrival = time.monotonic()
        merges_here = self._job.combine is not None and self._ledger is None
        self._tree = MergeTree(client) if merges_here else None
        self.cancelled = threading.Event()
        self.taken_over = taken_over
        self.stopped: str | None = None

    def run(self) -> Any:
        """Work until all is done or a limit is reached; return the merged state, where results are merged.

        Raises
        ------
        BurstError
            The job cannot go on: the function does not load on the workers, the store cannot be written, the
            cluster is gone. What is done by then is in the ledger.
        """
        try:
            self._look_at_cluster()
            while (self._todo or self._flying) and self._goes_on():
                self._fill()
                try:
                    future = self._arrived.get(timeout=_TICK)
                except queue.Empty:
                    self._look_at_cluster()
                    continue
                self._take(future)
                if time.monotonic() - self._last_tick > _TICK:
                    self._look_at_cluster()
            # Chance decides what is in the last batch: too many failures are said, though all is done.
            self.stopped = self.stopped or self._limits.too_many(self._account.progress, self._failed_now)
            if self._tree is not None and self.stopped is None:
                return self._tree.result(self._job_on_cluster())
        except BurstError:
            raise
        except Exception as error:
            if self._client.status == "running":
                raise
            raise self._broken(error) from error
        finally:
            self._look_at_clock()
            if self._client.status == "running":
                with contextlib.suppress(OSError):  # it may be going just now, which is said already
                    self._client.cancel([future for _, future in self._flying.values()])
                    self._client.set_metadata([BEGUN, self._run], {})
        return None

    def _job_on_cluster(self) -> Future[Any]:
        """Return the pickled job as a task's result, which Dask brings to each worker once."""
        if self._job_future is None or self._job_future.status not in ("pending", "finished"):
            key = f"helio-burst-job-{self._run}-{self._number}"
            self._job_future = self._client.submit(bytes, self._blob, key=key, pure=False, priority=10)
        return self._job_future

    def _job_for_task(self) -> bytes | Future[Any]:
        """Return the pickled job for a task, a small one as it is: what all share draws all to one worker."""
        return self._blob if len(self._blob) < _SMALL_JOB else self._job_on_cluster()

    def _goes_on(self) -> bool:
        if self.cancelled.is_set():
            self.stopped = self.stopped or "it was cancelled"
        elif self.taken_over.is_set():
            self.stopped = "another client has taken the job over"
        elif self.stopped is None:
            self.stopped = self._limits.reached(self._account.progress, self._failed_now)
        return self.stopped is None

    def _fill(self) -> None:
        """Put batches on the cluster until the window is full."""
        window = max(WINDOW_LEAST, WINDOW_PER_THREAD * self._threads)
        while self._todo and len(self._flying) < window:
            span = self._todo.popleft()
            stop = span.stop
            if not span.isolate:
                stop = self._sizer.cut(span.start, span.stop, max(self._threads, 1))
                if stop < span.stop:
                    self._todo.appendleft(replace(span, start=stop))
                    span = replace(span, stop=stop)
            self._submit(span)

    def _submit(self, span: _Span) -> None:
        self._number += 1
        batch = Batch(
            self._run,
            self._number,
            to_bytes(self._items.slice(span.start, span.stop - span.start)),
            self._ledger.shard_url(self._run, self._number) if self._ledger is not None else None,
            span.isolate,
        )
        key = f"helio-burst-{self._run}-{self._number}"
        # Dask takes tasks of one priority in any order; the first files are to be done first.
        future = self._client.submit(
            run_batch, self._job_for_task(), batch, key=key, pure=False, priority=-self._number
        )
        if self._tree is not None:
            # The state stays on its worker; only the rows come here.
            self._tree.hold(self._number, future)
            future = self._client.submit(summary_of, future, key=f"{key}-summary", pure=False)
        self._flying[future.key] = (span, future)
        future.add_done_callback(self._arrived.put)

    def _take(self, future: Future[Any]) -> None:
        span, _ = self._flying.pop(future.key)
        self._last_arrival = time.monotonic()
        try:
            report = self._report(future)
        except KilledWorker:
            self._lost(span)
            return
        except TransientStorageError as error:
            if span.store_tries >= _MOST_STORE_TRIES:
                raise self._broken(error) from error
            self._todo.appendleft(replace(span, store_tries=span.store_tries + 1))
            return
        except Exception as error:
            raise self._broken(error) from error
        finally:
            future.release()
        self._done(span, report)

    def _report(self, future: Future[Any]) -> Report:
        """Return what a batch says of itself.

        Of a client that is closed just then, Dask would wait for the result for ever.
        """
        patience = _PATIENCE
        while True:
            try:
                report: Report = future.result(patience)
                return report
            except TimeoutError:
                if future.status == "error" or self._client.status != "running":
                    raise
                patience *= 2  # a large result over a slow line

    def _done(self, span: _Span, report: Report) -> None:
        reached = span.start + report.done
        if reached < span.stop:
            self._todo.appendleft(replace(span, start=reached))
        if report.done and not span.isolate:
            self._sizer.measured(span.start, reached, report.seconds)
        if report.shard is not None:
            self._account.results.add(report.shard)
        if self._tree is not None:
            self._tree.add(report.number, report.failed)
        self._count(report.done, report.failed, report.bytes)
        self._look_at_clock()

    def _count(self, done: int, failed: int, size: int = 0) -> None:
        self._failed_now += failed
        progress = self._account.progress
        self._account.progress = replace(
            progress, done=progress.done + done, failed=progress.failed + failed, bytes=progress.bytes + size
        )

    def _lost(self, span: _Span) -> None:
        """Repeat a batch over which workers died, now item by item in a process that can be lost."""
        deaths = span.deaths + 1
        if deaths <= _MOST_DEATHS:
            self._todo.appendleft(replace(span, isolate=True, deaths=deaths))
            return
        if span.stop - span.start > 1:
            middle = (span.start + span.stop) // 2
            for start, stop in ((middle, span.stop), (span.start, middle)):
                self._todo.appendleft(_Span(start, stop, isolate=True, deaths=deaths - 1))
            return
        message = f"The workers that had this file died, {deaths} times over, also with the file on its own."
        row = self._items.slice(span.start, 1)
        shard = build(
            row, Packed(), {0: Failure("KilledWorker", message, attempts=deaths)}, [deaths], [0.0], ""
        )
        if self._ledger is not None:
            self._number += 1
            write_shard(self._ledger.shard_url(self._run, self._number), shard, self._ledger.options)
        else:
            self._account.results.add(shard)
        self._count(done=1, failed=1)

    def _broken(self, error: Exception) -> BurstError:
        """Explain what no repetition mends."""
        # So Dask says of all tasks that their scheduler is lost; and what it says of a closed client varies.
        if isinstance(error, CancelledError) or self._client.status != "running":
            return self._scheduler_gone()
        cause = error if isinstance(error, HelioBurstError) else root_cause(error)
        return self._broke_off(f"{type(cause).__name__}: {cause}", "the same call goes on from there")

    def _scheduler_gone(self) -> BurstError:
        address = self._account.cluster.get("address")
        return self._broke_off(
            f"the connection to the scheduler at {address} is lost; it is gone, or the client was closed",
            "the same call goes on from there, with the client of a cluster that lives",
        )

    def _broke_off(self, why: str, remedy: str) -> BurstError:
        progress = self._account.progress
        kept = (
            f"What is done is in the ledger at {self._ledger.root}; {remedy}."
            if self._ledger is not None
            else "Nothing of it was kept; with store=... a run can be resumed."
        )
        return BurstError(
            f"The run of {self._job.name} broke off after {progress.done} of {progress.total} "
            f"{progress.unit}: {why.rstrip('.')}.\n{kept}"
        )

    def _look_at_clock(self) -> None:
        seconds = time.monotonic() - self._began
        self._account.progress = replace(self._account.progress, seconds=seconds)

    def _look_at_cluster(self) -> None:
        now = time.monotonic()
        if self._client.status != "running":
            raise self._scheduler_gone()
        try:
            self._threads = sum(self._client.nthreads().values())
        except OSError as error:
            raise self._scheduler_gone() from error
        hours = (now - self._last_tick) / 3600
        self._last_tick = now
        note = "" if self._threads else "waiting for the first worker"
        if self._flying and now - self._last_arrival > _QUIET_SECONDS:
            quiet = duration(now - self._last_arrival)
            note = note or f"nothing has ended for {quiet}; time_limit= ends files that hang"
        self._account.progress = replace(
            self._account.progress,
            threads=self._threads,
            cost=self._account.progress.cost + hours * hourly_price(self._client, self._threads),
            note=note,
        )
        self._look_at_clock()
