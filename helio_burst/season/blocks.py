"""One block of days of a season: its orbits or days, and what it must tell its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from helio_burst.errors import BurstError, InputError
from helio_burst.season.orbits import DAY, Orbits, natural_period
from helio_burst.season.walk import Crossing, Days, Piece, Rows, Walk

Unit = Literal["orbit", "day"]

# How many days' files are on their way while one is worked on.
_DAYS_AHEAD = 5


class Partition(Protocol):
    """A block of whole days of a season, with the days around it that are read as well (UTC)."""

    @property
    def start(self) -> pd.Timestamp: ...  # noqa: D102
    @property
    def stop(self) -> pd.Timestamp: ...  # noqa: D102
    @property
    def padded_start(self) -> pd.Timestamp: ...  # noqa: D102
    @property
    def padded_stop(self) -> pd.Timestamp: ...  # noqa: D102


class Block(NamedTuple):
    """What is known of one block of days: its bounds (days since 1970), and what crossed them."""

    start: int
    stop: int
    padded_start: int
    padded_stop: int
    entry: tuple[Crossing, ...] = ()
    """What crossed the midnight before `start`; empty where no data came before it."""
    exit: tuple[Crossing, ...] = ()
    """What crossed the midnight before `stop`; empty at the season's end, or where no data came before it."""
    first_day: int | None = None
    """The first day with rows from `padded_start` on."""
    first_day_orbits: int = 0
    """How many orbits that day's rows alone make."""
    rows: int = 0
    """How many rows were given."""
    units: int = 0
    """How many orbits or days were given."""
    natural_period: float = 0.0
    """Seconds between two jumps of the orbits' variable, the median; 0 where it does not jump."""

    def __str__(self) -> str:
        start, stop = (pd.Timestamp(day * DAY).date() for day in (self.start, self.stop))
        return f"the block [{start}, {stop})"


@dataclass(frozen=True)
class Selection:
    """The times at which samples count, as steps: what holds at a step's start holds until the next.

    Parameters
    ----------
    starts : ndarray, shape (n,), int64 nanoseconds since 1970
        Increasing. Before the first nothing counts.
    keep : ndarray, shape (n,), bool
    """

    starts: np.ndarray
    keep: np.ndarray

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """Say of each time (int64 nanoseconds since 1970) whether it counts: ndarray of bool."""
        step = np.searchsorted(self.starts, time, side="right") - 1
        return np.asarray((step >= 0) & self.keep[step])


@runtime_checkable
class DaysOfFiles(Protocol):
    """Days whose files can be fetched before they are read."""

    def __call__(self, day: int) -> Rows | None: ...  # noqa: D102
    def fetch_ahead(self, days: Iterable[int]) -> None: ...  # noqa: D102


class HeldDays:
    """The days that are being worked on; each is read once and let go when no orbit can reach it any more."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._held: dict[int, Rows | None] = {}
        self._stop = 0

    def expect(self, stop: int) -> None:
        """Say that days will be asked for in order up to `stop`, so that they can be fetched ahead."""
        self._stop = stop

    def __call__(self, day: int) -> Rows | None:
        """Return the rows of a day, None where there are none."""
        if day not in self._held:
            if isinstance(self._days, DaysOfFiles):
                self._days.fetch_ahead(range(day, min(day + _DAYS_AHEAD, self._stop)))
            rows = self._days(day)
            self._held[day] = rows if rows is not None and len(rows.time) else None
        return self._held[day]

    def rows_of(self, piece: Piece) -> Rows:
        """Return the rows of a piece of an orbit, not copied."""
        rows = self(piece.day)
        assert rows is not None
        part = slice(piece.start, piece.stop)
        return Rows(rows.time[part], {name: values[part] for name, values in rows.values.items()})

    def forget_before(self, day: int) -> None:
        """Let go of earlier days."""
        for held in [held for held in self._held if held < day]:
            del self._held[held]


Visit = Callable[[int, tuple[Piece, ...]], Any]


def visit_block(partition: Partition, days: HeldDays, unit: Unit, orbits: Orbits, visit: Visit) -> Block:
    """Give each orbit or day of a block to `visit`, as the day and the pieces of rows it is made of.

    An orbit belongs to the block that holds the day on which it was found (see `walk`): an orbit that reaches
    over the block's end belongs to the next block.

    Raises
    ------
    InputError
        The partition's bounds are not midnights.
    """
    block = block_of(partition)
    days.expect(block.stop if unit == "day" else block.padded_stop)
    if unit == "day":
        return _visit_days(block, days, visit)
    periods: list[float] = []

    def observed(day: int) -> Rows | None:
        rows = days(day)
        if rows is not None and orbits.variable:
            periods.append(natural_period(rows.time, rows.values[orbits.variable], orbits.kind))
        return rows

    walk = Walk(observed, block.padded_start, block.padded_stop, orbits, (block.start, block.stop))
    count = rows = 0
    for orbit in walk:
        if orbit.day >= block.stop:
            break
        if orbit.day >= block.start:
            visit(orbit.day, orbit.pieces)
            count += 1
            rows += sum(piece.stop - piece.start for piece in orbit.pieces)
        days.forget_before(orbit.pieces[0].day)
    known = [period for period in periods if period > 0]
    return block._replace(
        entry=tuple(walk.crossings.get(block.start, ())),
        exit=tuple(walk.crossings.get(block.stop, ())),
        first_day=walk.first_day,
        first_day_orbits=walk.first_day_orbits,
        rows=rows,
        units=count,
        natural_period=float(np.median(known)) if known else 0.0,
    )


def join_blocks(a: tuple[Block, ...], b: tuple[Block, ...]) -> tuple[Block, ...]:
    """Put the blocks of two results in order.

    Raises
    ------
    BurstError
        A day is in both.
    """
    blocks = tuple(sorted(a + b, key=lambda block: block.start))
    for one, other in pairwise(blocks):
        if other.start < one.stop:
            raise BurstError(
                f"Of the results to merge, {one} and {other} overlap; their orbits would count twice."
            )
    return blocks


def _visit_days(block: Block, days: HeldDays, visit: Visit) -> Block:
    count = total = 0
    for day in range(block.start, block.stop):
        if (rows := days(day)) is not None:
            visit(day, (Piece(day, 0, len(rows.time)),))
            count += 1
            total += len(rows.time)
        days.forget_before(day + 1)
    return block._replace(rows=total, units=count)


def block_of(partition: Partition) -> Block:
    """Turn a partition's bounds into days.

    Raises
    ------
    InputError
        They are not midnights.
    """
    bounds = []
    for name in ("start", "stop", "padded_start", "padded_stop"):
        time = pd.Timestamp(getattr(partition, name))
        day, rest = divmod(time.as_unit("ns").value, DAY)
        if rest:
            raise InputError(
                f"The partition's {name} is {time.isoformat()}; blocks of a season are whole days, "
                "so give partitions a freq such as '7D' and a pad of whole days."
            )
        bounds.append(int(day))
    start, stop, padded_start, padded_stop = bounds
    return Block(start, stop, padded_start, padded_stop)
