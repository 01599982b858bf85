"""Whether a merged tally is the one that a single walk through the whole season would give.

The first block begins where the season does. If what leaves each block is what the next one saw enter, then,
block by block, every block walked as the single walk did; so the merged counts are its counts.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from helio_burst.errors import HelioBurstWarning
from helio_burst.season.blocks import Block
from helio_burst.season.orbits import DAY
from helio_burst.season.samples import Samples
from helio_burst.season.tally import Tally
from helio_burst.season.walk import Crossing

State = tuple[Crossing, ...] | None
"""What crosses a midnight; None where no data came before it, () where the walk ended before it."""

_GAP: State = (Crossing("gap"),)


class SeasonWarning(HelioBurstWarning):
    """A season's result may not be what was meant: days are missing, or the period does not fit."""


class Doubt(NamedTuple):
    """A midnight at which a tally is not known to be exact."""

    day: int
    """Days since 1970-01-01."""
    reason: str
    before: Block | None
    """The block that ends at this midnight."""
    after: Block | None
    """The block that begins at it."""

    def __str__(self) -> str:
        return f"{pd.Timestamp(self.day * DAY).date()}: {self.reason}"


def certify(merged: Tally | Samples) -> list[Doubt]:
    """Compare what left each block of a merged tally, or of merged samples, with what entered the next.

    Returns
    -------
    list of Doubt
        Empty if the result equals, count by count, that of one walk through the whole season. Else the
        midnights where blocks are missing or where a block has to be done again with more padding.
    """
    doubts = []
    before: Block | None = None
    state: State = None
    for block in merged.blocks:
        if before is None or before.stop != block.start:
            doubts += _holes(before, block)
            state = None
        elif merged.question.by == "orbit" and not _agree(state, block):
            doubts.append(Doubt(block.start, "two blocks differ in the orbit between them", before, block))
        state = _leave(state, block)
        before = block
    return doubts + _holes(before, None)


def warn_of_period(merged: Tally | Samples) -> None:
    """Warn where the orbits' period is not the time in which their variable runs through once."""
    periods = [block.natural_period for block in merged.blocks if block.natural_period > 0]
    if merged.question.by != "orbit" or not periods:
        return
    orbits = merged.question.orbits
    natural = pd.Timedelta(seconds=round(float(np.median(periods))))
    # pysat joins orbits that are shorter than 0.97 periods, and sees no gap shorter than one.
    if not 0.75 * natural <= orbits.period <= 1.03 * natural:
        warnings.warn(
            f"The period of the orbits is given as {orbits.period}, but {orbits.variable!r} jumps back every "
            f"{natural} in these data. Give a period between {0.75 * natural} and {natural}.",
            SeasonWarning,
            stacklevel=3,
        )


def _agree(state: State, block: Block) -> bool:
    if block.entry:
        return block.entry == state
    # No data in the padding: after a gap the walk goes on as at a season's start, but where a day makes one
    # orbit only.
    begins_inside = block.first_day is not None and block.first_day < block.stop
    return state is None or (state == _GAP and not (begins_inside and block.first_day_orbits == 1))


def _leave(state: State, block: Block) -> State:
    if block.exit:
        return block.exit
    if block.first_day is not None and block.first_day < block.stop:
        return ()
    return state if state is None else _GAP


def _holes(before: Block | None, after: Block | None) -> list[Doubt]:
    doubts = []
    if before is not None and before.padded_stop > before.stop:
        doubts.append(Doubt(before.stop, "the season goes on, but the next block is missing", before, None))
    if after is not None and after.padded_start < after.start:
        doubts.append(Doubt(after.start, "the season began before, but that block is missing", None, after))
    return doubts
