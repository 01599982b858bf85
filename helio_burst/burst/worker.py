"""What runs on a worker: one batch of items, the next ones being fetched while the present one is decoded."""

from __future__ import annotations

import functools
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import distributed

from helio_burst.burst import isolation, ledger
from helio_burst.burst.failures import Failure, failure_of, retries_for
from helio_burst.burst.items import Row, from_bytes, rows
from helio_burst.burst.job import Job
from helio_burst.burst.shard import Shard, build
from helio_burst.burst.values import pack
from helio_burst.errors import ReadError

# What one batch may hold fetched but not yet read, and in results not yet written.
AHEAD_BYTES = 64 * 2**20
AHEAD_ITEMS = 32
RESULT_BYTES = 256 * 2**20
_UNKNOWN_SIZE = 8 * 2**20


@dataclass(frozen=True)
class Batch:
    """A task: some items of a job.

    Attributes
    ----------
    run, number : str, int
        The run and the batch's number in it.
    items : bytes
        The rows, as `helio_burst.burst.items.to_bytes` writes them.
    shard : str, optional
        URL of the shard to write, without its ending; None sends the shard back instead.
    isolate : bool
        Work in a process of its own, because a worker died over these items.
    seconds : float
        After this long the batch stops and hands the rest back.
    """

    run: str
    number: int
    items: bytes
    shard: str | None = None
    isolate: bool = False
    seconds: float = 60.0


@dataclass
class Report:
    """What a batch says of itself when it is done."""

    number: int
    done: int
    failed: int
    bytes: int
    seconds: float
    shard: Shard | None = None


@dataclass(frozen=True)
class Result:
    """What the function returned for one item, or why it returned nothing."""

    position: int
    value: Any
    failure: Failure | None
    attempts: int
    seconds: float
    bytes: int


def run_batch(blob: bytes, batch: Batch) -> Report:
    """Do the items of a batch and write, or return, their shard."""
    started = time.perf_counter()
    isolate = batch.isolate or _was_begun_before(batch)
    job = load_job(blob)
    table = from_bytes(batch.items)
    if isolate or job.time_limit is not None:
        results = isolation.run(blob, job, batch.items, len(table), _memory_limit())
    else:
        results = work(job, rows(table))
    collected, state = _collect(job, results, started + batch.seconds)
    if len(collected) < len(table):
        table = table.slice(0, len(collected))
    shard = _shard(job, table, collected, state)
    report = Report(
        batch.number,
        done=len(table),
        failed=shard.failed,
        bytes=sum(result.bytes for result in collected),
        seconds=0.0,
    )
    if batch.shard is None:
        report.shard = shard
    elif len(table):
        ledger.write_shard(batch.shard, shard, job.storage)
    report.seconds = time.perf_counter() - started
    return report


#: Where the scheduler's metadata has the batches that were begun: (key, run, number).
BEGUN = "helio-burst-begun"
# A nanny only restarts a worker that it has seen running, which takes it a moment after the first task came.
_NANNY_SECONDS = 0.3


def _was_begun_before(batch: Batch) -> bool:
    """Say whether another worker has begun this batch, and so may have died over it."""
    try:
        worker = distributed.get_worker()
    except ValueError:
        return False
    _wait_for_nanny()
    keys = [BEGUN, batch.run, batch.number]
    scheduler = worker.scheduler
    begun = distributed.utils.sync(worker.loop, scheduler.get_metadata, keys=keys, default=False)
    if not begun:
        distributed.utils.sync(worker.loop, scheduler.set_metadata, keys=keys, value=True)
    return bool(begun)


@functools.cache
def _wait_for_nanny() -> None:
    time.sleep(_NANNY_SECONDS)


@functools.lru_cache(maxsize=4)
def load_job(blob: bytes) -> Job:
    """Unpickle a job once a process."""
    job: Job = cloudpickle.loads(blob)
    return job


def worker_name() -> str:
    """Say where this runs: the worker's address, else the host."""
    try:
        return str(distributed.get_worker().address)
    except ValueError:
        return socket.gethostname()


def _memory_limit() -> int | None:
    try:
        worker = distributed.get_worker()
    except ValueError:
        return None
    limit = worker.memory_manager.memory_limit
    return int(limit / max(1, worker.state.nthreads)) if limit else None


def work(
    job: Job, items: Sequence[Row], started: Callable[[int], None] = lambda position: None
) -> Iterator[Result]:
    """Read each item and call the function, in order; what fails for a passing reason is tried again later.

    Results come in order of position, so that a batch can stop after any of them.
    """
    fetched = _fetch_ahead(job, items)
    for position, row in enumerate(items):
        attempts = 0
        begun = time.perf_counter()
        bytes_read = 0
        future = next(fetched)
        while True:
            attempts += 1
            started(position)
            try:
                data = future.result() if future is not None else _fetch(job, row)
                bytes_read = len(data)
                value = job.apply(data, row)
                failure = None
                break
            except Exception as error:  # whatever a file does, it becomes its row
                value, failure = None, failure_of(_with_size(error, row, bytes_read), attempts)
                if attempts > retries_for(error, job.retries):
                    break
                future = None
                time.sleep(min(30.0, 0.5 * 2 ** (attempts - 1)))
        yield Result(position, value, failure, attempts, time.perf_counter() - begun, bytes_read)


def _fetch(job: Job, row: Row) -> bytes | memoryview:
    return job.fetch(row.datakey) if job.fetches else b""


def _fetch_ahead(job: Job, items: Sequence[Row]) -> Iterator[Future[bytes | memoryview] | None]:
    """Yield the fetch of each item, in order, having begun those of the next ones."""
    if not job.fetches:
        yield from (None for _ in items)
        return
    window: deque[tuple[Future[bytes | memoryview], int]] = deque()
    ahead = 0
    upcoming = iter(items)
    waiting = next(upcoming, None)
    try:
        while waiting is not None or window:
            while waiting is not None and (not window or (ahead < AHEAD_BYTES and len(window) < AHEAD_ITEMS)):
                size = int(waiting.get("filesize") or _UNKNOWN_SIZE)
                window.append((_fetchers().submit(job.fetch, waiting.datakey), size))
                ahead += size
                waiting = next(upcoming, None)
            future, size = window.popleft()
            yield future
            ahead -= size
    finally:
        for future, _ in window:
            future.cancel()


@functools.cache
def _fetchers() -> ThreadPoolExecutor:
    """Return the process's threads for fetching; they wait on the network and need no core."""
    return ThreadPoolExecutor(AHEAD_ITEMS, thread_name_prefix="helio-burst-fetch")


def _with_size(error: Exception, row: Row, size: int) -> Exception:
    expected = row.get("filesize")
    if isinstance(error, ReadError) and isinstance(expected, int) and size and size != expected:
        error.args = (f"{error} The index says {expected} bytes; {size} arrived.",)
    return error


def _collect(job: Job, results: Iterator[Result], deadline: float) -> tuple[list[Result], Any]:
    """Take results until the batch is done, its time is up or its results are too large to hold on."""
    collected: list[Result] = []
    size = 0
    state = job.combine.identity() if job.combine is not None else None
    for result in results:
        if job.combine is not None and result.failure is None:
            try:
                state = job.combine.add(state, result.value)
                result = replace(result, value=None)
            except Exception as error:  # a result that does not fit the others is that file's failure
                result = replace(result, value=None, failure=failure_of(error, result.attempts))
        collected.append(result)
        size += getattr(result.value, "nbytes", 0)
        if size > RESULT_BYTES or time.perf_counter() > deadline:
            break
    if hasattr(results, "close"):
        results.close()
    return collected, state


def _shard(job: Job, table: Any, collected: Sequence[Result], state: Any) -> Shard:
    failures = {result.position: result.failure for result in collected if result.failure is not None}
    packed, refused = pack([result.value for result in collected])
    for position, reason in refused.items():
        failures[position] = Failure("TypeError", reason, attempts=collected[position].attempts)
    shard = build(
        table,
        packed,
        failures,
        [result.attempts for result in collected],
        [result.seconds for result in collected],
        worker_name(),
    )
    shard.state = state
    return shard
