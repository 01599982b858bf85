"""Random seasons of a satellite: gaps, empty days, flags, bursts, bad longitudes, cut edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from helio_burst.season import Piece, Rows
from helio_burst.season.orbits import DAY

FIRST = 14_738  # 2010-05-09


@dataclass(frozen=True)
class Season:
    """Days of rows, counted from `FIRST`."""

    days: dict[int, Rows]
    number: int
    blocks: tuple[tuple[int, int], ...]

    @property
    def last(self) -> int:
        return FIRST + self.number

    def __repr__(self) -> str:
        return f"Season({self.number} days, {len(self.days)} with rows, blocks {self.blocks})"


@st.composite
def seasons(draw: st.DrawFn, longest: int = 7, cadence: int = 30, most_bad: float = 0.01) -> Season:
    """Draw a season of up to `longest` days, cut into random blocks."""
    number = draw(st.integers(1, longest))
    step = draw(st.integers(cadence, 2 * cadence))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seconds = np.arange(0, number * 86400, step) + draw(st.integers(0, step - 1))
    seconds = seconds[seconds < number * 86400]
    period = draw(st.floats(96, 110)) * 60
    values = _values(seconds, period, draw(st.floats(0, 360)), random)
    kept = np.ones(len(seconds), bool)
    moment = st.floats(0, number * 86400)
    for begin, length in draw(
        st.lists(st.tuples(moment, st.sampled_from((600, 3000, 6000, 20000, 90000))), max_size=8)
    ):
        kept &= ~((seconds > begin) & (seconds < begin + length))
    for day in draw(st.sets(st.integers(0, number - 1), max_size=number // 2)):
        kept &= seconds // 86400 != day
    if draw(st.booleans()):  # flagged samples are left out
        kept &= random.random(len(seconds)) > draw(st.floats(0, 0.4))
    if bursts := draw(st.lists(st.tuples(moment, st.floats(60, 9000)), max_size=4 * number)):
        inside = np.zeros(len(seconds), bool)
        for begin, length in bursts:
            inside |= (seconds > begin) & (seconds < begin + length)
        kept &= inside
    bad = random.random(len(seconds)) < draw(st.floats(0, most_bad))
    values["longitude"][bad] = random.uniform(0, 360, bad.sum())
    values["longitude"][random.random(len(seconds)) < draw(st.floats(0, most_bad))] = np.nan
    days = {}
    for day in range(number):
        rows = kept & (seconds // 86400 == day)
        if rows.any():
            of_day = {name: array[rows] for name, array in values.items()}
            days[FIRST + day] = Rows(seconds[rows] * 10**9 + FIRST * DAY, of_day)
    return Season(days, number, _blocks(draw, number))


def _values(
    seconds: np.ndarray, period: float, phase: float, random: np.random.Generator
) -> dict[str, np.ndarray]:
    field = random.normal(-1, 1, len(seconds))
    field[random.random(len(seconds)) < 0.1] = np.nan
    values = {
        "longitude": (seconds / period * 360 + phase) % 360,
        "latitude": 13 * np.sin(2 * np.pi * seconds / 5800),
        "slt": (seconds / period * 24 + phase) % 24,
        "dB_mer": field,
    }
    return {name: array.astype(np.float32) for name, array in values.items()}


def _blocks(draw: st.DrawFn, number: int) -> tuple[tuple[int, int], ...]:
    """Blocks of one to forty days."""
    cuts = [0]
    while cuts[-1] < number:
        cuts.append(min(number, cuts[-1] + draw(st.sampled_from((1, 1, 2, 3, 40)))))
    return tuple((FIRST + start, FIRST + stop) for start, stop in pairwise(cuts))


def times(days: Mapping[int, Rows], pieces: Iterable[Piece]) -> np.ndarray:
    """Return the times of an orbit's rows, nanoseconds since 1970."""
    return np.concatenate([days[piece.day].time[piece.start : piece.stop] for piece in pieces])


def partition(start: int, stop: int, first: int, last: int, pad: int = 1) -> SimpleNamespace:
    """Return a block of the season [first, last), all in days since 1970."""
    bounds = (start, stop, max(start - pad, first), min(stop + pad, last))
    names = ("start", "stop", "padded_start", "padded_stop")
    return SimpleNamespace(
        **{name: pd.Timestamp(day * DAY, tz="UTC") for name, day in zip(names, bounds, strict=True)}
    )
