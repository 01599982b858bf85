"""How many items make a batch: as many as take a few seconds, by what has been measured so far."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

#: Seconds that a batch should take: long against Dask's millisecond a task, short against a lost worker.
TARGET_SECONDS = 4.0
MOST_ITEMS = 10_000
MOST_BYTES = 2 * 2**30
# The first batches are small: nothing is known yet, and the user wants to see something.
_FIRST_SECONDS_PER_WEIGHT = 0.25


class Sizer:
    """Cuts a table of items into batches.

    A file's weight is half its share of the files and half its share of the bytes: the work per file and the
    work per byte are both real, and how they divide is not known beforehand.
    """

    def __init__(self, items: pa.Table) -> None:
        count = len(items)
        sizes = np.zeros(count)
        if "filesize" in items.column_names:
            sizes = np.nan_to_num(items.column("filesize").to_numpy().astype(float))
        self._bytes = np.concatenate([[0.0], np.cumsum(sizes)])
        mean = sizes.mean() if count else 0.0
        weights = 0.5 + 0.5 * sizes / mean if mean > 0 else np.ones(count)
        self._weight = np.concatenate([[0.0], np.cumsum(weights)])
        self._seconds_per_weight: float | None = None

    def measured(self, start: int, stop: int, seconds: float) -> None:
        """Take note of how long a batch took."""
        weight = self._weight[stop] - self._weight[start]
        if weight <= 0:
            return
        new = max(seconds, 1e-4) / weight
        old = self._seconds_per_weight
        self._seconds_per_weight = new if old is None else 0.5 * (old + new)

    def cut(self, start: int, stop: int, threads: int) -> int:
        """Return where the batch that begins at `start` ends, at most at `stop`.

        Towards the end batches get smaller, so that all threads end at about the same time.
        """
        rate = self._seconds_per_weight
        weight = TARGET_SECONDS / (rate if rate is not None else _FIRST_SECONDS_PER_WEIGHT)
        if rate is None:
            weight = min(weight, 4.0)
        weight = min(weight, (self._weight[stop] - self._weight[start]) / (2 * max(1, threads)))
        by_weight = int(np.searchsorted(self._weight, self._weight[start] + weight, side="right")) - 1
        by_bytes = int(np.searchsorted(self._bytes, self._bytes[start] + MOST_BYTES, side="right")) - 1
        return min(max(start + 1, min(by_weight, by_bytes)), stop, start + MOST_ITEMS)
