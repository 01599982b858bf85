"""Means and medians by bin and by orbit or day: exact, since every value takes part in the last step.

A median cannot be put together from medians, so the partial result of a block is the list of its values, each
with its bin. All are sorted before they are summed, so that the order of merging makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from helio_burst.errors import BurstError, InputError
from helio_burst.season.bins import Bins, flat_index
from helio_burst.season.blocks import Block, HeldDays, Partition, Selection, Unit, join_blocks, visit_block
from helio_burst.season.checks import check_choice, check_kind
from helio_burst.season.orbits import DAY, Orbits
from helio_burst.season.walk import Days, Piece

By = Literal["sample", "orbit", "day"]
Statistic = Literal["mean", "median"]

_WITHIN: dict[Statistic, Callable[[np.ndarray], float]] = {"mean": np.mean, "median": np.median}


@dataclass(frozen=True)
class SampleQuestion:
    """What is collected; samples of different questions do not merge."""

    variable: str
    x: Bins | None
    y: Bins | None
    each: By
    within: Statistic
    orbits: Orbits

    def __post_init__(self) -> None:
        """Refuse what cannot be collected."""
        for name, bins in (("x", self.x), ("y", self.y)):
            if bins is not None:
                check_kind(name, bins, Bins)
        check_kind("orbits", self.orbits, Orbits)
        check_choice("by", self.each, By)
        check_choice("within", self.within, Statistic)
        if self.x is None and self.each == "sample":
            raise InputError("by='sample' needs bins: give x, or x and y, or take by='orbit' or by='day'.")
        if self.x is None and self.y is not None:
            raise InputError("There are bins of y but none of x: give one-dimensional bins as x.")
        if self.x is not None and self.y is not None and self.x.variable == self.y.variable:
            raise InputError(f"x and y are both bins of {self.x.variable!r}; leave out one of them.")

    @property
    def by(self) -> Unit:
        """What a block is walked by."""
        return "orbit" if self.each == "orbit" else "day"


class Part(NamedTuple):
    """The values of one block."""

    block: Block
    keys: np.ndarray
    """Shape (n,), int64: the number of the bin, x fastest; without bins the time at which the orbit or day
    starts, in nanoseconds since 1970."""
    values: np.ndarray
    """Shape (n,), the variable's own type."""


@dataclass(frozen=True)
class Samples:
    """Values of one variable with their bins or times, block by block."""

    question: SampleQuestion
    parts: tuple[Part, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of days that were collected, in order of time."""
        return tuple(part.block for part in self.parts)


def bin_samples(
    partition: Partition,
    *,
    days: Days,
    variable: str,
    x: Bins | None = None,
    y: Bins | None = None,
    by: By = "sample",
    within: Statistic = "mean",
    orbits: Orbits | None = None,
    where: Selection | None = None,
) -> Samples:
    """Collect the values of a variable in one block of days, by bin.

    Parameters
    ----------
    partition, days, orbits, where
        As in `orbit_tally`.
    variable : str
        What is averaged.
    x, y : Bins, optional
        The bins; with `x` alone they are one-dimensional, with neither there is one value an orbit or day.
    by : {"sample", "orbit", "day"}
        Whether every sample counts, or the mean or median of each orbit or day in each bin (see `within`).
    within : {"mean", "median"}
        What is taken of an orbit or day.
    """
    question = SampleQuestion(variable, x, y, by, within, orbits if orbits is not None else Orbits())
    held = HeldDays(days)
    collector = _Collector(question, held, where)
    block = visit_block(partition, held, question.by, question.orbits, collector.add)
    return Samples(question, (Part(block, *collector.pairs()),))


def merge_samples(a: Samples, b: Samples) -> Samples:
    """Put the samples of different days together."""
    if a.question != b.question:
        raise BurstError(f"Samples of two questions do not merge: {a.question} and {b.question}.")
    join_blocks(a.blocks, b.blocks)
    return Samples(a.question, tuple(sorted(a.parts + b.parts, key=lambda part: part.block.start)))


class _Collector:
    def __init__(self, question: SampleQuestion, days: HeldDays, where: Selection | None) -> None:
        self._question = question
        self._days = days
        self._where = where
        self._keys: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def add(self, day: int, pieces: tuple[Piece, ...]) -> None:
        """Collect one orbit or day."""
        keys, values = zip(*(self._piece(piece) for piece in pieces), strict=True)
        self._add(day, pieces, np.concatenate(keys), np.concatenate(values))

    def _piece(self, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        rows = self._days.rows_of(piece)
        values = rows.values[self._question.variable]
        keys = np.zeros(len(values), np.int64)
        outside = -1
        if self._question.x is not None:
            x, y = self._question.x, self._question.y
            outside = x.number * (y.number if y is not None else 1)
            keys = flat_index(rows.values, x, y)
        inside = keys != outside
        if self._where is not None:
            inside &= self._where(rows.time)
        return keys[inside], values[inside]

    @np.errstate(invalid="ignore")  # inf - inf is NaN
    def _add(self, day: int, pieces: tuple[Piece, ...], keys: np.ndarray, values: np.ndarray) -> None:
        if self._question.each == "sample":
            self._keys.append(keys)
            self._values.append(values)
            return
        known = ~np.isnan(values)
        keys, values = keys[known], values[known]
        reduce = _WITHIN[self._question.within]
        if self._question.x is None:
            time = day * DAY
            if self._question.each == "orbit":
                time = int(self._days.rows_of(pieces[0]).time[0])
            self._keys.append(np.array([time]))
            # The mean is taken in the variable's own type, as xarray (and so pysatSeasons) does.
            self._values.append(np.array([reduce(values) if len(values) else np.nan], np.float64))
            return
        order = np.argsort(keys, kind="stable")
        keys, first = np.unique(keys[order], return_index=True)
        parts = np.split(values[order].astype(np.float64), first[1:]) if len(keys) else []
        self._keys.append(keys)
        self._values.append(np.array([reduce(part) for part in parts], np.float64))

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all keys and values."""
        if not self._keys:
            return np.zeros(0, np.int64), np.zeros(0)
        return np.concatenate(self._keys).astype(np.int64), np.concatenate(self._values)


@np.errstate(invalid="ignore")  # inf - inf is NaN
def by_bin(samples: Samples, statistic: Statistic) -> dict[str, np.ndarray]:
    """Take the mean or median of the samples in each bin.

    Returns
    -------
    dict of ndarray, shape (bins,)
        The statistic (float64, NaN without a value), ``count`` (int64; a NaN counts, as in pysatSeasons),
        and for the median ``avg_abs_dev``, the median distance from it.
    """
    question = samples.question
    assert question.x is not None
    number = question.x.number * (question.y.number if question.y is not None else 1)
    keys, values = _joined(samples)
    count = np.bincount(keys, minlength=number)
    known = ~np.isnan(values)
    keys, values = keys[known], values[known]
    if statistic == "mean":
        return {"mean": _means(keys, values, number), "count": count}
    median = _medians(keys, values, number)
    deviation = _medians(keys, np.abs(values - median[keys]), number)
    return {"median": median, "count": count, "avg_abs_dev": deviation}


def by_time(samples: Samples) -> xr.DataArray:
    """Return one value an orbit or day: DataArray, dims (time,), UTC, in order of time."""
    keys, values = _joined(samples)
    order = np.argsort(keys, kind="stable")
    return xr.DataArray(
        values[order],
        {"time": keys[order].astype("datetime64[ns]")},
        ("time",),
        name=samples.question.variable,
        attrs={"cell_methods": f"time: {samples.question.within} (by {samples.question.each})"},
    )


def _joined(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    keys = [part.keys for part in samples.parts]
    values = [part.values.astype(np.float64) for part in samples.parts]
    return np.concatenate(keys), np.concatenate(values)


def _sorted(keys: np.ndarray, values: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort by bin and value; return the values and where each bin starts and stops."""
    order = np.lexsort((values, keys))
    stops = np.cumsum(np.bincount(keys, minlength=number))
    return values[order], np.concatenate([[0], stops[:-1]]), stops


def _medians(keys: np.ndarray, values: np.ndarray, number: int) -> np.ndarray:
    values, starts, stops = _sorted(keys, values, number)
    medians = np.full(number, np.nan)
    filled = stops > starts
    low = (starts + (stops - starts - 1) // 2)[filled]
    high = (starts + (stops - starts) // 2)[filled]
    medians[filled] = np.where(low == high, values[low], (values[low] + values[high]) / 2)
    return medians


def _means(keys: np.ndarray, values: np.ndarray, number: int) -> np.ndarray:
    values, starts, stops = _sorted(keys, values, number)
    means = np.full(number, np.nan)
    filled = stops > starts
    if filled.any():
        means[filled] = np.add.reduceat(values, starts[filled]) / (stops - starts)[filled]
    return means
