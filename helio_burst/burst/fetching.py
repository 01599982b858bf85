"""The bytes of a batch's items: the next files are on their way while the present one is decoded."""

from __future__ import annotations

import ctypes
import functools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from helio_burst.burst.items import Row
from helio_burst.burst.job import Content, Job

# What one batch may hold fetched but not yet read.
AHEAD_BYTES = 64 * 2**20
AHEAD_ITEMS = 32
_UNKNOWN_SIZE = 8 * 2**20


class Fetches:
    """The bytes of a batch's items, in order; those of the first ones are fetched at once.

    Parameters
    ----------
    at_last : callable, optional
        Called when the last item is asked for: then the network is free for another batch.
    """

    def __init__(self, job: Job, items: Sequence[Row], at_last: Callable[[], None] | None = None) -> None:
        self._job = job
        self._waiting = deque(items if job.fetches else ())
        self._begun: deque[tuple[Future[Content], int]] = deque()
        self._at_last = at_last
        self._begin(0)

    def take(self) -> Content:
        """Return the bytes of the next item, none where the reader wants none.

        Raises
        ------
        StorageError
            They cannot be had.
        """
        if not self._job.fetches:
            return Content()
        future, size = self._begun.popleft()
        self._begin(size)
        if not self._begun and self._at_last is not None:
            self._at_last()
        return future.result()

    def close(self) -> None:
        """Give up what is not fetched yet."""
        self._waiting.clear()
        for future, _ in self._begun:
            future.cancel()

    def _begin(self, held: int) -> None:
        """Begin to fetch as many as there is room for beside the bytes that are held, one at least."""
        ahead = held + sum(size for _, size in self._begun)
        while self._waiting and (not self._begun or (ahead < AHEAD_BYTES and len(self._begun) < AHEAD_ITEMS)):
            row = self._waiting.popleft()
            size = int(row.get("filesize") or _UNKNOWN_SIZE)
            self._begun.append((_threads().submit(self._job.fetch, row.datakey), size))
            ahead += size


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return the process's threads for fetching; they wait on the network and need no core."""
    return ThreadPoolExecutor(AHEAD_ITEMS, thread_name_prefix="helio-burst-fetch")


@functools.cache
def reuse_memory() -> None:
    """Let the next file take the memory of the last one.

    Dask has its workers give freed memory back to the system at once. For a job that takes and frees tens of
    megabytes for each file, the system's work of clearing them anew is a tenth of the whole.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library than glibc
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # of glibc's malloc.h
    mallopt(m_mmap_threshold, 2 * AHEAD_BYTES)
    mallopt(m_trim_threshold, 4 * AHEAD_BYTES)
