"""Integer counts by bin over blocks of days, and their exact merge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from helio_burst.errors import BurstError, InputError
from helio_burst.season.bins import Bins, flat_index
from helio_burst.season.blocks import Block, HeldDays, Partition, Selection, Unit, join_blocks, visit_block
from helio_burst.season.checks import check_choice, check_kind
from helio_burst.season.orbits import Orbits
from helio_burst.season.walk import Days, Piece


@dataclass(frozen=True)
class Question:
    """What is counted; tallies of different questions do not merge."""

    x: Bins
    y: Bins
    gates: tuple[tuple[str, Any], ...]
    by: Unit
    orbits: Orbits


def question_of(x: Bins, y: Bins, gates: Mapping[str, Any], by: Unit, orbits: Orbits | None) -> Question:
    """Say what is to be counted.

    Raises
    ------
    InputError
        It cannot be: the two bins are of one variable, there is no gate, or one is not a number.
    """
    orbits = orbits if orbits is not None else Orbits()
    for name, value, kind in (("x", x, Bins), ("y", y, Bins), ("orbits", orbits, Orbits)):
        check_kind(name, value, kind)
    check_choice("by", by, Unit)
    if x.variable == y.variable:
        raise InputError(f"x and y are both bins of {x.variable!r}; a map needs bins of two variables.")
    if not isinstance(gates, Mapping) or not gates:
        raise InputError(
            f"gates is a dict of variables and values, such as {{'dB_mer': 0.0}}, not {gates!r}."
        )
    for label, gate in gates.items():
        if not isinstance(gate, Real) or math.isnan(gate):
            raise InputError(f"The gate of {label!r} is {gate!r}; it must be a number.")
    return Question(x, y, tuple(gates.items()), by, orbits)


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
    by: Unit = "orbit",
    orbits: Orbits | None = None,
    where: Selection | None = None,
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
    where : Selection, optional
        Samples at other times do not count; they still take part in finding orbits.

    Raises
    ------
    InputError
        What is asked cannot be counted (bins of one variable, no gate), the bounds are not midnights, or the
        orbits' period does not fit the data.
    """
    question = question_of(x, y, gates, by, orbits)
    held = HeldDays(days)
    counter = _Counter(question, held, where)
    block = visit_block(partition, held, by, question.orbits, counter.add)
    return Tally(question, *counter.counts(), (block,))


def merge_tallies(a: Tally, b: Tally) -> Tally:
    """Add two tallies of different days; the order in which tallies are merged makes no difference.

    Raises
    ------
    BurstError
        The tallies answer different questions, or a day is in both.
    """
    if a.question != b.question:
        raise BurstError(f"Tallies of two questions do not merge: {a.question} and {b.question}.")
    return Tally(a.question, a.total + b.total, a.hits + b.hits, join_blocks(a.blocks, b.blocks))


def without(tally: Tally, part: Tally) -> Tally:
    """Take a part out of a tally, as if its blocks had never been merged."""
    taken = {(block.start, block.stop) for block in part.blocks}
    blocks = tuple(block for block in tally.blocks if (block.start, block.stop) not in taken)
    if len(blocks) + len(part.blocks) != len(tally.blocks):
        raise BurstError(f"The part is not in the tally: {', '.join(map(str, part.blocks))}.")
    return replace(tally, total=tally.total - part.total, hits=tally.hits - part.hits, blocks=blocks)


class _Counter:
    """Counts orbits or days by bin."""

    def __init__(self, question: Question, days: HeldDays, where: Selection | None) -> None:
        self._question = question
        self._days = days
        self._where = where
        self._none = question.x.number * question.y.number  # the last bin takes what falls in none
        self._total = np.zeros((len(question.gates), self._none + 1), np.int32)
        self._hits = np.zeros_like(self._total)

    def add(self, _: int, pieces: tuple[Piece, ...]) -> None:
        """Count one orbit or day."""
        seen = np.zeros(self._total.shape, bool)
        hit = np.zeros(self._total.shape, bool)
        for piece in pieces:
            rows = self._days.rows_of(piece)
            index = flat_index(rows.values, self._question.x, self._question.y)
            if self._where is not None:
                index = np.where(self._where(rows.time), index, self._none)
            for number, (label, gate) in enumerate(self._question.gates):
                values = rows.values[label]
                seen[number, index[np.isfinite(values)]] = True
                hit[number, index[values > gate]] = True
        self._total += seen
        self._hits += hit & seen

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return totals and hits, shape (gates, y, x)."""
        shape = (-1, self._question.y.number, self._question.x.number)
        return self._total[:, :-1].reshape(shape), self._hits[:, :-1].reshape(shape)
