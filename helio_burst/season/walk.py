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
    """All orbits of the days [start, stop), and what crossed the midnights in `watch`.

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

    def __iter__(self) -> Iterator[Orbit]:
        """Yield the orbits in pysat's order, each once."""
        period = self.orbits.period.value
        day = self.start
        while (rows := self._load(day)) is None:
            day += 1
            if day >= self.stop:
                return
        frame = self._frame(day, rows)
        self.first_day, self.first_day_orbits = day, len(frame.breaks)
        current = -1  # the number of the orbit in this frame that was found last
        while True:
            last = len(frame.breaks) - 1
            if current < last - 1:
                current += 1
                yield Orbit(day, frame.cut(*frame.bounds(current)))
                continue
            if current == last - 1:  # the last orbit of the frame is next, and may go on tomorrow
                low, high = frame.bounds(last)
                current = last
                ends_early = (day + 1) * DAY - int(frame.time[high - 1]) >= period
                if ends_early or day + 1 >= self.stop:
                    yield Orbit(day, frame.cut(low, high))
                    continue
                self._note(day + 1, "open", frame, low, high)
                if (rows := self._load(day + 1)) is not None:
                    day += 1
                    frame = self._frame(day, rows, before=(frame, low, high))
                    current = 0
                else:  # it ends with this day, which is looked at once more, by itself
                    rows = self._load(day)
                    assert rows is not None
                    frame = self._frame(day, rows)
                    current = len(frame.breaks) - 1
                yield Orbit(day, frame.cut(*frame.bounds(current)))
                continue
            # The last orbit of the frame has been given: on to the next day that has rows.
            low, high = frame.bounds(current)
            if day + 1 >= self.stop:
                return
            self._note(day + 1, "closed", frame, low, high)
            day += 1
            rows = self._load(day)
            if rows is not None and day * DAY - int(frame.time[high - 1]) < period:
                frame = self._frame(day, rows, before=(frame, low, high))
                if len(frame.breaks) < 2:
                    raise self._no_break(frame)
                current = 1
            elif rows is not None:
                frame = self._frame(day, rows)
                current = 0
                if (day + 1) * DAY - int(frame.time[0]) < period:
                    current = len(frame.breaks) - 2  # the only orbit of the day, which may go on tomorrow
                    continue
            else:
                while rows is None:
                    day += 1
                    if day >= self.stop:
                        return
                    self._note_gap(day)
                    rows = self._load(day)
                frame = self._frame(day, rows)
                current = 0
            yield Orbit(day, frame.cut(*frame.bounds(current)))

    def _load(self, day: int) -> Rows | None:
        rows = self.days(day)
        return rows if rows is not None and len(rows.time) else None

    def _frame(self, day: int, rows: Rows, before: tuple[_Frame, int, int] | None = None) -> _Frame:
        time = rows.time
        variable = rows.values[self.orbits.variable] if self.orbits.variable else None
        pieces = [Piece(day, 0, len(time))]
        if before is not None:
            frame, low, high = before
            # Rows of yesterday's file that reach into today's are today's; pysat cuts a microsecond before.
            high = low + int(np.searchsorted(frame.time[low:high], time[0] - 1000, side="right"))
            time = np.concatenate([frame.time[low:high], time])
            if variable is not None and frame.variable is not None:
                variable = np.concatenate([frame.variable[low:high], variable])
            pieces = [*frame.cut(low, high), *pieces]
        return _Frame(time, variable, pieces, self.orbits.breaks(time, variable))

    def _note(self, day: int, mode: Mode, frame: _Frame, low: int, high: int) -> None:
        if day in self.watch:
            crossing = Crossing(mode, int(frame.time[low]), int(frame.time[high - 1]), high - low)
            self.crossings.setdefault(day, []).append(crossing)

    def _note_gap(self, day: int) -> None:
        if day in self.watch:
            self.crossings.setdefault(day, []).append(Crossing("gap"))

    def _no_break(self, frame: _Frame) -> InputError:
        first, last = (pd.Timestamp(int(frame.time[i])).isoformat(timespec="seconds") for i in (0, -1))
        return InputError(
            f"No orbit ends between {first} and {last}, where one must: orbits of kind "
            f"{self.orbits.kind!r} by {self.orbits.variable!r} with a period of {self.orbits.period} do not "
            "fit these data. Give the period of the spacecraft, or another variable."
        )
