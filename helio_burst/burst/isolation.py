"""Items that may kill, hang or fill the memory run in a process of their own, which can be lost.

A batch comes here after a worker died over it, or because each item has a time limit. The child streams its
results; when it dies, the item it was at is the failure, and a new child goes on with the next one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import psutil

from helio_burst.burst.failures import Failure, failure_of

if TYPE_CHECKING:
    from helio_burst.burst.job import Job
    from helio_burst.burst.worker import Result

# A child that has had nothing to do for this long ends.
IDLE_SECONDS = 60.0
_POLL = 0.1
_START_SECONDS = 120.0
_MAIN = """
import sys
from multiprocessing.connection import Connection
from helio_burst.burst.isolation import serve
serve(Connection(int(sys.argv[1])))
"""


class _Child:
    """A process that works on items of one job, one batch after the other."""

    def __init__(self) -> None:
        self.idled = False
        self.pipe, theirs = multiprocessing.Pipe()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.pipe.close()

    def death(self) -> str:
        """Say how the process ended."""
        code = self.process.wait()
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


_idle: list[_Child] = []
_lock = threading.Lock()


def _take() -> _Child:
    with _lock:
        while _idle:
            child = _idle.pop()
            if child.process.poll() is None:
                return child
            child.pipe.close()
    return _Child()


def run(blob: bytes, job: Job, items: bytes, count: int, memory_limit: int | None) -> Iterator[Result]:
    """Yield the result of each item, in order, whatever it does to the process that works on it."""
    limit = memory_limit or int(psutil.virtual_memory().total * 0.9)
    position = 0
    child: _Child | None = None
    try:
        while position < count:
            child = child or _take()
            for result in _drive(child, blob, items, position, job.time_limit, limit):
                position = result.position + 1
                yield result
            if child.process.poll() is not None:
                child = None
        if child is not None:
            child.idled = True
            with _lock:
                _idle.append(child)
            child = None
    finally:
        if child is not None:  # left in the middle of a batch
            child.kill()


def _drive(
    child: _Child, blob: bytes, items: bytes, first: int, time_limit: float | None, memory_limit: int
) -> Iterator[Result]:
    """Yield the results of one child, until the batch is done or the child is lost."""
    from helio_burst.burst.worker import Result

    position, began, heard = first, time.monotonic(), False
    deadline = began + _START_SECONDS
    try:
        child.pipe.send((blob, items, first))
        while True:
            if child.pipe.poll(_POLL):
                kind, payload = child.pipe.recv()
                heard = True
                if kind == "end":
                    return
                if kind == "broken":
                    raise payload
                if kind == "result":
                    yield payload
                    position = payload.position + 1
                began = time.monotonic()
                deadline = began + (time_limit or float("inf"))
                continue
            failure = _over_limit(child, began, deadline, memory_limit)
            if failure is not None:
                child.kill()
                yield Result(position, None, failure, 1, time.monotonic() - began, 0)
                return
    except (EOFError, OSError):
        death = child.death()
        child.pipe.close()
        if not heard and child.idled:
            return  # it ended for idleness just then; the caller takes another one
        message = f"The process that worked on this file {death}."
        yield Result(position, None, Failure("ProcessDied", message), 1, time.monotonic() - began, 0)


def _over_limit(child: _Child, began: float, deadline: float, memory_limit: int) -> Failure | None:
    if time.monotonic() > deadline:
        seconds = time.monotonic() - began
        return Failure("TimeLimitExceeded", f"Not done after the time limit: stopped after {seconds:.1f} s.")
    try:
        used = psutil.Process(child.process.pid).memory_info().rss
    except psutil.NoSuchProcess:
        return None  # the pipe will say so
    if used > memory_limit:
        return Failure(
            "MemoryLimitExceeded",
            f"The process that worked on this file used {used / 2**30:.2f} GiB; "
            f"a worker thread has {memory_limit / 2**30:.2f} GiB. Ask for workers with more memory.",
        )
    return None


def serve(pipe: Connection) -> None:
    """Be the child: work on batches until the parent is gone or nothing came for a while."""
    from helio_burst.burst.fetching import Fetches
    from helio_burst.burst.items import from_bytes, rows
    from helio_burst.burst.worker import load_job, work

    while pipe.poll(IDLE_SECONDS):
        try:
            blob, items, first = pipe.recv()
        except EOFError:
            return
        try:
            job = load_job(blob)
        except Exception as error:  # the parent raises it: no item is to blame
            pipe.send(("broken", error))
            return
        batch = rows(from_bytes(items).slice(first))

        def started(position: int, first: int = first) -> None:
            pipe.send(("start", position + first))

        for result in work(job, batch, Fetches(job, batch), started):
            result = replace(result, position=result.position + first)
            try:
                pipe.send(("result", result))
            except Exception as error:  # what the function returned cannot be pickled
                failure = failure_of(error, result.attempts)
                pipe.send(("result", replace(result, value=None, failure=failure)))
        pipe.send(("end", None))
