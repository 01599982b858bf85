"""Integer counts by bin over blocks of days, and their exact merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd

from helio_burst.errors import BurstError, InputError
from helio_burst.season.bins import Bins, flat_index
from helio_burst.season.orbits import DAY, Orbits, natural_period
from helio_burst.season.walk import Crossing, Days, Piece, Rows, Walk

By = Literal["orbit", "day"]


class Partition(Protocol):
    """A block of whole days of a season, with the days around it that are read as well (UTC)."""

    start: pd.Timestamp
    stop: pd.Timestamp
    padded_start: pd.Timestamp
    padded_stop: pd.Timestamp


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
    rows: int = 0
    """How many rows were counted."""
    units: int = 0
    """How many orbits or days were counted."""
    natural_period: float = 0.0
    """Seconds between two jumps of the orbits' variable, the median; 0 where it does not jump."""


@dataclass(frozen=True)
class Question:
    """What is counted; tallies of different questions do not merge."""

    x: Bins
    y: Bins
    gates: tuple[tuple[str, Any], ...]
    by: By = "orbit"
    orbits: Orbits = Orbits()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that are read, each once."""
        names = [self.x.variable, self.y.variable, *(label for label, _ in self.gates)]
        if self.by == "orbit" and self.orbits.variable:
            names.append(self.orbits.variable)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Tally:
    """Counts by bin of orbits (or days) with any sample, and of those with a sample above the gate.

    Attributes
    ----------
    question : Question
    total, hits : ndarray, shape (gates, y, x), int32
    blocks : tuple of Block
        The blocks of days that were counted, in order of time.
    """

    question: Question
    total: np.ndarray
    hits: np.ndarray
    blocks: tuple[Block, ...]


def orbit_tally(
    partition: Partition,
    *,
    days: Days,
    x: Bins,
    y: Bins,
    gates: Mapping[str, Any],
    by: By = "orbit",
    orbits: Orbits | None = None,
) -> Tally:
    """Count, in one block of days, the orbits that have any sample in a bin and those with one above a gate.

    An orbit belongs to the block that holds the day on which it was found, which is the day that holds its
    end; the padding is read to see orbits that reach into the block, and whether they end with it.

    Parameters
    ----------
    partition
        A row of a partition table: attributes `start`, `stop`, `padded_start`, `padded_stop`, midnights UTC.
    days : callable
        Takes a day (int, days since 1970) and returns its `Rows`, or None.
    x, y : Bins
        The bins, for instance of longitude (degrees) and of latitude (degrees).
    gates : mapping of str to float
        For each variable the value that a sample must exceed, in the variable's units. The comparison is made
        in the variable's own type where the gate is a plain number.
    by : {"orbit", "day"}
        Whether an occurrence counts once an orbit or once a day.
    orbits : Orbits
        How orbits are found; by longitude, 97 minutes, where left out.

    Raises
    ------
    InputError
        The bounds are not midnights, or the orbits' period does not fit the data.
    """
    question = Question(x, y, tuple(gates.items()), by, orbits or Orbits())
    block = _bounds(partition)
    counter = _Counter(question, days)
    if by == "day":
        return _tally_days(counter, block)
    walk = Walk(
        counter.rows, block.padded_start, block.padded_stop, question.orbits, (block.start, block.stop)
    )
    for orbit in walk:
        if orbit.day >= block.stop:
            break
        if orbit.day >= block.start:
            counter.add(orbit.pieces)
        counter.forget_before(orbit.pieces[0].day)
    block = block._replace(
        entry=tuple(walk.crossings.get(block.start, ())),
        exit=tuple(walk.crossings.get(block.stop, ())),
        first_day=walk.first_day,
        first_day_orbits=walk.first_day_orbits,
    )
    return counter.tally(block)


def merge(a: Tally, b: Tally) -> Tally:
    """Add two tallies of different days; the order in which tallies are merged makes no difference.

    Raises
    ------
    BurstError
        The tallies answer different questions, or a day is in both.
    """
    if a.question != b.question:
        raise BurstError(f"Tallies of two questions do not merge: {a.question} and {b.question}.")
    blocks = tuple(sorted(a.blocks + b.blocks, key=lambda block: block.start))
    for one, other in zip(blocks, blocks[1:], strict=False):
        if other.start < one.stop:
            raise BurstError(f"{_name(other)} is in both tallies, so that its orbits would count twice.")
    return Tally(a.question, a.total + b.total, a.hits + b.hits, blocks)


def without(tally: Tally, part: Tally) -> Tally:
    """Take a part out of a tally, as if its blocks had never been merged."""
    taken = {(block.start, block.stop) for block in part.blocks}
    blocks = tuple(block for block in tally.blocks if (block.start, block.stop) not in taken)
    if len(blocks) + len(part.blocks) != len(tally.blocks):
        raise BurstError("The part is not in the tally: " + ", ".join(_name(block) for block in part.blocks))
    return replace(tally, total=tally.total - part.total, hits=tally.hits - part.hits, blocks=blocks)


def _name(block: Block) -> str:
    start, stop = (pd.Timestamp(day * DAY).date() for day in (block.start, block.stop))
    return f"The block [{start}, {stop})"


def _bounds(partition: Partition) -> Block:
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
    return Block(*bounds)


def _tally_days(counter: _Counter, block: Block) -> Tally:
    for day in range(block.start, block.stop):
        rows = counter.rows(day)
        if rows is not None and len(rows.time):
            counter.add((Piece(day, 0, len(rows.time)),))
        counter.forget_before(day + 1)
    return counter.tally(block)


class _Counter:
    """Counts pieces of days, and holds the days that may still be asked for."""

    def __init__(self, question: Question, days: Days) -> None:
        self._question = question
        self._days = days
        self._held: dict[int, Rows | None] = {}
        self._indexed: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._bins = question.x.number * question.y.number
        shape = (len(question.gates), self._bins + 1)  # the last bin takes what falls in none
        self._total = np.zeros(shape, np.int32)
        self._hits = np.zeros(shape, np.int32)
        self._units = self._rows = 0
        self._periods: list[float] = []

    def rows(self, day: int) -> Rows | None:
        """Return a day's rows; they are read once."""
        if day not in self._held:
            self._held[day] = rows = self._days(day)
            orbits = self._question.orbits
            if rows is not None and len(rows.time) and self._question.by == "orbit" and orbits.variable:
                self._periods.append(natural_period(rows.time, rows.values[orbits.variable], orbits.kind))
        return self._held[day]

    def forget_before(self, day: int) -> None:
        for held in [held for held in self._held if held < day]:
            del self._held[held]
            self._indexed.pop(held, None)

    def add(self, pieces: tuple[Piece, ...]) -> None:
        """Count one orbit or day."""
        self._units += 1
        for number in range(len(self._question.gates)):
            seen = np.zeros(self._bins + 1, bool)
            hit = np.zeros(self._bins + 1, bool)
            for day, start, stop in pieces:
                finite, above = self._index(day)[number]
                seen[finite[start:stop]] = True
                hit[above[start:stop]] = True
            self._total[number] += seen
            self._hits[number] += hit & seen
        self._rows += sum(piece.stop - piece.start for piece in pieces)

    def _index(self, day: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each gate the bins of a day's finite samples and of those above the gate."""
        if day not in self._indexed:
            rows = self.rows(day)
            assert rows is not None
            index = flat_index(dict(rows.values), self._question.x, self._question.y)
            self._indexed[day] = [
                (
                    np.where(np.isfinite(rows.values[label]), index, self._bins),
                    np.where(rows.values[label] > gate, index, self._bins),
                )
                for label, gate in self._question.gates
            ]
        return self._indexed[day]

    def tally(self, block: Block) -> Tally:
        known = [period for period in self._periods if period > 0]
        block = block._replace(
            rows=self._rows,
            units=self._units,
            natural_period=float(np.median(known)) if known else 0.0,
        )
        shape = (-1, self._question.y.number, self._question.x.number)
        total, hits = (counts[:, :-1].reshape(shape) for counts in (self._total, self._hits))
        return Tally(self._question, total, hits, (block,))
