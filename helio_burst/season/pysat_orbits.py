"""pysat's orbits of one block of days, and what pysat carries over the midnights at its ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from helio_burst.season.orbits import DAY, natural_period
from helio_burst.season.walk import Crossing

_JUMPING: dict[str, Any] = {
    "longitude": "longitude",
    "long": "longitude",
    "lon": "longitude",
    "lt": "local time",
}


# pysat is not imported here, but comes with the Instrument (see `pysat_session`).
if TYPE_CHECKING:
    _Orbits: Any = object
else:
    _Orbits = object


class WatchedOrbits(_Orbits):  # type: ignore[misc]
    """Goes before ``pysat.Orbits`` and gives only orbits of the days [first, last); the walk is pysat's."""

    def watch(self, days: tuple[int, int]) -> None:
        """Start to take notes."""
        self.days = days
        self.crossings: dict[int, list[Crossing]] = {}
        self.first_day: int | None = None
        self.first_day_orbits = self.rows = self.units = 0
        self.periods: list[float] = []
        self.mode: Any = "closed"
        self.looks_back = False

    def __iter__(self) -> Iterator[Any]:
        """Yield the orbits that belong to the days."""
        orbits = super().__iter__()
        while True:
            try:
                orbit = next(orbits)
            except (StopIteration, RuntimeError) as error:
                # pysat ends so where no day has data.
                if isinstance(error, RuntimeError) and not isinstance(error.__cause__, StopIteration):
                    raise
                return
            day = _day(orbit.date)
            if day >= self.days[1]:
                return
            if day >= self.days[0]:
                self.units += 1
                self.rows += len(orbit.index)
                yield orbit

    def next(self) -> None:
        """Go to the next orbit."""
        if not self.inst.empty:
            self._calc_orbits()
            if self.first_day is None:
                self.first_day, self.first_day_orbits = _day(self.inst.date), int(self.num)
            self.mode = "open" if self._current == self.num - 1 else "closed"
        super().next()

    def load(self, orbit_num: int) -> None:
        """Load an orbit of the day; for the first one pysat looks at the day before, and comes back."""
        self.looks_back = True
        super().load(orbit_num)
        self.looks_back = False

    def before_load(self) -> tuple[int, Crossing | None]:
        """Return the day that pysat is about to load, and what it carries into it."""
        inst = self.inst
        if inst.date is None:
            return -1, None
        day = _day(inst.date) + 1
        if day not in self.days or self.first_day is None or self.looks_back:
            return day, None
        if inst.empty:
            return day, Crossing("gap")
        times = inst.index.to_numpy().astype("datetime64[ns]").astype(np.int64)
        return day, Crossing(self.mode, int(times[0]), int(times[-1]), len(times))

    def after_load(self, day: int, crossing: Crossing | None) -> None:
        """Note what was carried into a day that there is."""
        if crossing is not None:
            self.crossings.setdefault(day, []).append(crossing)
        kind: Any = _JUMPING.get(self.kind, self.kind)
        if not self.inst.empty and self.orbit_index in self.inst.variables:
            times = self.inst.index.to_numpy().astype("datetime64[ns]").astype(np.int64)
            self.periods.append(natural_period(times, np.asarray(self.inst[self.orbit_index]), kind))

    def noted(self) -> dict[str, Any]:
        """Return the notes as fields of a `Block`."""
        known = [period for period in self.periods if period > 0]
        return {
            "entry": tuple(self.crossings.get(self.days[0], ())),
            "exit": tuple(self.crossings.get(self.days[1], ())),
            "first_day": self.first_day,
            "first_day_orbits": self.first_day_orbits,
            "rows": self.rows,
            "units": self.units,
            "natural_period": float(np.median(known)) if known else 0.0,
        }


def watch(inst: Any, days: tuple[int, int]) -> Any:
    """Put watched orbits in the place of an Instrument's own."""
    own = inst.orbits
    watched = type("WatchedOrbits", (WatchedOrbits, type(own)), {})
    orbits: Any = watched(inst, index=own.orbit_index, kind=own.kind, period=own.orbit_period)
    orbits.watch(days)
    inst.orbits = orbits
    load_next = inst.next

    def noting_next(*args: Any, **kwargs: Any) -> None:
        day, crossing = orbits.before_load()
        load_next(*args, **kwargs)  # StopIteration at the last day: nothing is carried on
        orbits.after_load(day, crossing)

    inst.next = noting_next
    return orbits


def _day(date: Any) -> int:
    return int(np.datetime64(date, "ns").astype(np.int64) // DAY)
