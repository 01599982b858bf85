"""Walk through a season day by day and orbit by orbit, as pysat does, and note what crosses each midnight.

pysat loads one day at a time. The last orbit of a day is put before the rows of the next day, and the breaks
are looked for again in both together; so an orbit is found on the day that was loaded last, and what crosses
a midnight decides all that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from helio_burst.errors import InputError
from helio_burst.season.orbits import DAY, Orbits

Mode = Literal["open", "closed", "gap"]


class Rows(NamedTuple):
    """The samples of one day's file, in order of time."""

    time: np.ndarray
    """int64, shape (n,), nanoseconds since 1970, UTC, increasing."""
    values: Mapping[str, np.ndarray]
    """The variables by name, each of shape (n,)."""


Days = Callable[[int], Rows | None]
"""Gives the rows of a day, counted from 1970-01-01; None where there are none."""


class Piece(NamedTuple):
    """Rows [start, stop) of one day."""

    day: int
    start: int
    stop: int


class Orbit(NamedTuple):
    """One orbit: the day that was loaded when it was found, and its rows, on that day and those before."""

    day: int
    pieces: tuple[Piece, ...]


class Crossing(NamedTuple):
    """What crosses a midnight: an orbit that may go on ("open"), one that has ended ("closed"), or nothing.

    `first` and `last` are the times of the orbit's rows (nanoseconds since 1970) and `rows` their number.
    """

    mode: Mode
    first: int = 0
    last: int = 0
    rows: int = 0


@dataclass
class _Frame:
    """The rows in which breaks are looked for: a day's, and before them the last orbit's."""

    time: np.ndarray
    variable: np.ndarray | None
    pieces: list[Piece]
    breaks: np.ndarray

    def bounds(self, number: int) -> tuple[int, int]:
        """Return where an orbit starts and stops; number -1 is the last."""
        number %= len(self.breaks)
        stop = self.breaks[number + 1] if number + 1 < len(self.breaks) else len(self.time)
        return int(self.breaks[number]), int(stop)

    def cut(self, start: int, stop: int) -> tuple[Piece, ...]:
        """Return the pieces of the rows [start, stop)."""
        found = []
        offset = 0
        for piece in self.pieces:
            length = piece.stop - piece.start
            low, high = max(start - offset, 0), min(stop - offset, length)
            if low < high:
                found.append(Piece(piece.day, piece.start + low, piece.start + high))
            offset += length
        return tuple(found)


@dataclass
class Walk:
    """All orbits of the days [start, stop), and what crossed the midnights in `watch`; to be iterated once.

    Parameters
    ----------
    days : Days
        Gives the rows of a day; called once or twice a day, in order.
    start, stop : int
        Days since 1970-01-01; both ends cut orbits, as the ends of a season do.
    orbits : Orbits
    watch : tuple of int
        The days whose preceding midnight is noted in `crossings`.
    """

    days: Days
    start: int
    stop: int
    orbits: Orbits
    watch: tuple[int, ...] = ()
    crossings: dict[int, list[Crossing]] = field(default_factory=dict)
    first_day: int | None = None
    """The first day that has rows."""
    first_day_orbits: int = 0
    """How many orbits that day's rows alone make."""
    _day: int = field(init=False, repr=False)
    """The day that was loaded last."""
    _frame: _Frame = field(init=False, repr=False)
    _current: int = field(init=False, repr=False)
    """The number of the orbit in the frame that was found last."""

    def __iter__(self) -> Iterator[Orbit]:
        """Yield the orbits in pysat's order, each once."""
        if not self._begin():
            return
        while True:
            last = len(self._frame.breaks) - 1
            if self._current < last - 1:
                self._current += 1
            elif self._current == last - 1:
                self._to_last_orbit()
            elif not self._to_next_day():
                return
            yield Orbit(self._day, self._frame.cut(*self._frame.bounds(self._current)))

    def _begin(self) -> bool:
        """Go before the first orbit of the first day with rows; False if there is none."""
        for day in range(self.start, self.stop):
            if (rows := self._load(day)) is not None:
                self._enter(day, rows)
                self._current = -1
                self.first_day, self.first_day_orbits = day, len(self._frame.breaks)
                return True
        return False

    def _to_last_orbit(self) -> None:
        """Go to the last orbit of the frame; if it may go on tomorrow, find out with tomorrow's rows."""
        low, high = self._frame.bounds(-1)
        self._current = len(self._frame.breaks) - 1
        tomorrow = self._day + 1
        if tomorrow >= self.stop or self._ends_early(tomorrow, high):
            return
        self._note(tomorrow, "open", low, high)
        if (rows := self._load(tomorrow)) is not None:
            self._enter(tomorrow, rows, low, high)
            self._current = 0
        else:  # it ends with this day, which is looked at once more, by itself
            rows = self._load(self._day)
            assert rows is not None
            self._enter(self._day, rows)
            self._current = len(self._frame.breaks) - 1

    def _to_next_day(self) -> bool:
        """Go to the next orbit after the frame's last, on the next day with rows; False if there is none."""
        low, high = self._frame.bounds(-1)
        tomorrow = self._day + 1
        if tomorrow >= self.stop:
            return False
        self._note(tomorrow, "closed", low, high)
        rows = self._load(tomorrow)
        if rows is None:
            return self._over_gap(tomorrow)
        if not self._ends_early(tomorrow, high):
            self._enter(tomorrow, rows, low, high)
            if len(self._frame.breaks) < 2:
                raise self._no_break()
            self._current = 1
            return True
        self._enter(tomorrow, rows)
        self._current = 0
        if (tomorrow + 1) * DAY - int(self._frame.time[0]) < self.orbits.period.value:
            self._to_last_orbit()  # the only orbit of the day, which may go on the day after
        return True

    def _over_gap(self, empty: int) -> bool:
        """Go to the first orbit after days without rows; False if no day follows."""
        for day in range(empty + 1, self.stop):
            self._note_gap(day)
            if (rows := self._load(day)) is not None:
                self._enter(day, rows)
                self._current = 0
                return True
        return False

    def _ends_early(self, midnight: int, high: int) -> bool:
        """Say whether the rows before `high` end a period or more before a day's first midnight."""
        return midnight * DAY - int(self._frame.time[high - 1]) >= self.orbits.period.value

    def _load(self, day: int) -> Rows | None:
        rows = self.days(day)
        return rows if rows is not None and len(rows.time) else None

    def _enter(self, day: int, rows: Rows, low: int = 0, high: int = 0) -> None:
        """Look for breaks in a day's rows, and before them the rows [low, high) of the present frame."""
        time = rows.time
        variable = rows.values[self.orbits.variable] if self.orbits.variable else None
        pieces = [Piece(day, 0, len(time))]
        if low < high:
            before = self._frame
            # Rows of yesterday's file that reach into today's are today's; pysat cuts a microsecond before.
            high = low + int(np.searchsorted(before.time[low:high], time[0] - 1000, side="right"))
            time = np.concatenate([before.time[low:high], time])
            if variable is not None and before.variable is not None:
                variable = np.concatenate([before.variable[low:high], variable])
            pieces = [*before.cut(low, high), *pieces]
        self._day = day
        self._frame = _Frame(time, variable, pieces, self.orbits.breaks(time, variable))

    def _note(self, day: int, mode: Mode, low: int, high: int) -> None:
        if day in self.watch:
            time = self._frame.time
            crossing = Crossing(mode, int(time[low]), int(time[high - 1]), high - low)
            self.crossings.setdefault(day, []).append(crossing)

    def _note_gap(self, day: int) -> None:
        if day in self.watch:
            self.crossings.setdefault(day, []).append(Crossing("gap"))

    def _no_break(self) -> InputError:
        time = self._frame.time
        first, last = (pd.Timestamp(int(time[i])).isoformat(timespec="seconds") for i in (0, -1))
        return InputError(
            f"No orbit ends between {first} and {last}, where one must: orbits of kind "
            f"{self.orbits.kind!r} by {self.orbits.variable!r} with a period of {self.orbits.period} do not "
            "fit these data. Give the period of the spacecraft, or another variable."
        )
