"""What runs on a worker: one batch of items, and the first files of the next one being fetched meanwhile."""

from __future__ import annotations

import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import distributed
import pyarrow as pa
from distributed.utils import sync

from helio_burst.burst import isolation, ledger
from helio_burst.burst.failures import Failure, failure_of, retries_for
from helio_burst.burst.fetching import Fetches, reuse_memory
from helio_burst.burst.items import Row, from_bytes, rows
from helio_burst.burst.job import Content, Job
from helio_burst.burst.shard import Shard, build
from helio_burst.burst.values import pack
from helio_burst.errors import ReadError

# What one batch may hold in results not yet written.
RESULT_BYTES = 256 * 2**20


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
    etag: str | None = None


def run_batch(blob: bytes, batch: Batch) -> Report:
    """Do the items of a batch and write, or return, their shard."""
    job = load_job(blob)
    table = from_bytes(batch.items)
    items = rows(table)
    isolate = batch.isolate or job.time_limit is not None or _begun_before(batch)
    fetches = None if isolate else Fetches(job, items, at_last=_let_next_batch_begin)
    with _turn():
        started = time.perf_counter()
        _note_begun(batch)
        if fetches is None:
            results = isolation.run(blob, job, batch.items, len(table), _memory_limit())
        else:
            results = work(job, items, fetches)
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


def _begun_before(batch: Batch) -> bool:
    """Say whether another worker has begun this batch, and so may have died over it."""
    worker = _worker()
    if worker is None:
        return False
    read = worker.scheduler.get_metadata
    return bool(sync(worker.loop, read, keys=[BEGUN, batch.run, batch.number], default=False))


def _note_begun(batch: Batch) -> None:
    worker = _worker()
    if worker is not None:
        _wait_for_nanny()
        write = worker.scheduler.set_metadata
        sync(worker.loop, write, keys=[BEGUN, batch.run, batch.number], value=True)


@functools.cache
def _wait_for_nanny() -> None:
    time.sleep(_NANNY_SECONDS)


@contextmanager
def _turn() -> Iterator[None]:
    """Wait until fewer batches are at work in this worker than it has threads."""
    worker = _worker()
    if worker is None:
        yield
        return
    with _turns(worker.address, worker.state.nthreads):
        yield


@functools.cache
def _turns(address: str, threads: int) -> threading.Semaphore:
    return threading.Semaphore(threads)


def _let_next_batch_begin() -> None:
    """Give the worker's thread to the next batch, which fetches its first files and waits for its turn."""
    if _worker() is not None:
        distributed.secede()


@functools.lru_cache(maxsize=4)
def load_job(blob: bytes) -> Job:
    """Unpickle a job once a process."""
    reuse_memory()
    job: Job = cloudpickle.loads(blob)
    return job


def worker_name() -> str:
    """Say where this runs: the worker's address, else the host."""
    worker = _worker()
    return socket.gethostname() if worker is None else str(worker.address)


def _worker() -> distributed.Worker | None:
    try:
        return distributed.get_worker()
    except ValueError:
        return None


def _memory_limit() -> int | None:
    worker = _worker()
    if worker is None or not worker.memory_manager.memory_limit:
        return None
    return int(worker.memory_manager.memory_limit / max(1, worker.state.nthreads))


def work(
    job: Job,
    items: Sequence[Row],
    fetches: Fetches,
    started: Callable[[int], None] = lambda position: None,
) -> Iterator[Result]:
    """Read each item and call the function, in order; what fails for a passing reason is tried again.

    Results come in order of position, so that a batch can stop after any of them.
    """
    with closing(fetches):
        for position, row in enumerate(items):
            started(position)
            yield _result(job, position, row, fetches)


def _result(job: Job, position: int, row: Row, fetches: Fetches) -> Result:
    attempts = 0
    content = Content()
    begun = time.perf_counter()
    while True:
        attempts += 1
        try:
            content = fetches.take() if attempts == 1 else job.fetch(row.datakey)
            value, failure = job.apply(content.data, row), None
            break
        except Exception as error:  # whatever a file does, it becomes its row
            value, failure = None, failure_of(_with_size(error, row, len(content.data)), attempts)
            if attempts > retries_for(error, job.retries):
                break
            time.sleep(min(30.0, 0.5 * 2 ** (attempts - 1)))
    seconds = time.perf_counter() - begun
    return Result(position, value, failure, attempts, seconds, len(content.data), content.etag)


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
    if job.fetches:
        read = {
            "read_bytes": pa.array([result.bytes or None for result in collected], pa.int64()),
            "read_etag": pa.array([result.etag for result in collected], pa.string()),
        }
        for name, column in read.items():
            shard.rows = shard.rows.append_column(name, column)
    shard.state = state
    return shard
