"""Where one orbit ends and the next begins, in a stretch of samples: pysat's rules on plain arrays.

The rules are those of pysat's Orbits class (pysat 3.2, BSD-3-Clause, Stoneback et al. 2018,
doi:10.1029/2018JA025297), so that orbits found here are the ones that pysat finds, row for row.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import PlainSerializer, field_validator, model_validator

from helio_burst.errors import InputError
from helio_burst.season.checks import Description
from helio_burst.timespan import parse_duration

Kind = Literal["longitude", "local time", "latitude", "orbit", "period"]

DAY = 86_400_000_000_000
"""Nanoseconds in a day."""

# What the variable runs through in one orbit, for the kinds that jump back at its end.
_SPAN = {"longitude": 360.0, "local time": 24.0}
# Day zero of the orbits that are cut by the clock alone.
_EPOCH = pd.Timestamp("2000-01-01").value


class Orbits(Description):
    """How a season is cut into orbits.

    Parameters
    ----------
    kind : {"longitude", "local time", "latitude", "orbit", "period"}
        An orbit ends where the longitude (degrees) or the local time (hours) jumps back, where the latitude
        changes its sign (two "orbits" each revolution, pysat's "polar"), where an orbit number changes, or
        every `period` counted from 2000-01-01T00:00Z.
    variable : str, optional
        The variable that is looked at; by default the name of the kind. Not used by "period".
    period : Timedelta or str
        Length of one orbit; 97 minutes by default, as in pysat. For "longitude" and "local time" it should be
        the time between two jumps or a little less.

    Raises
    ------
    InputError
        The kind is not known, or the period is no length of time.

    Examples
    --------
    >>> Orbits(kind="local time", variable="slt").variable
    'slt'
    """

    kind: Kind = "longitude"
    variable: str | None = None
    period: Annotated[pd.Timedelta, PlainSerializer(str)] = pd.Timedelta("97min")

    @field_validator("period", mode="before")
    @classmethod
    def _read_period(cls, value: object) -> pd.Timedelta:
        period = parse_duration(value)  # type: ignore[arg-type]  # it refuses what is none
        if not period > pd.Timedelta(0):
            raise ValueError(f"the period of an orbit must be longer than nothing, not {value!r}")
        return period

    @model_validator(mode="before")
    @classmethod
    def _name_variable(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("variable") is None:
            kind = values.get("kind", "longitude")
            names = {"longitude": "longitude", "local time": "slt", "latitude": "latitude", "orbit": "orbit"}
            return {**values, "variable": names.get(kind)}
        return values

    def breaks(self, time: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        """Return the rows at which orbits start; see `orbit_breaks`."""
        return orbit_breaks(time, values, kind=self.kind, period=self.period)


def orbit_breaks(
    time: np.ndarray,
    values: np.ndarray | None = None,
    *,
    kind: Kind = "longitude",
    period: pd.Timedelta | str = "97min",
) -> np.ndarray:
    """Find the rows at which orbits start.

    Parameters
    ----------
    time : ndarray, shape (n,), int64 nanoseconds since 1970 or datetime64
        Increasing, UTC.
    values : ndarray, shape (n,)
        The longitude in degrees, local time in hours, latitude in degrees or orbit number; None for "period".
    kind, period
        As in `Orbits`.

    Returns
    -------
    ndarray, shape (orbits,), int64
        Increasing; the first is 0, also where the samples begin in the middle of an orbit.

    Examples
    --------
    >>> minutes = np.arange(0, 300, 10) * 60 * 10**9
    >>> orbit_breaks(minutes, minutes / 6e11 * 36 % 360, period="95min")
    array([ 0, 10, 20])
    """
    period = parse_duration(period)
    time = np.asarray(time)
    if time.dtype.kind == "M":
        time = time.astype("datetime64[ns]").astype(np.int64)
    if not len(time):
        raise InputError("There are no samples to cut into orbits.")
    if kind == "period":
        return _with_first(np.flatnonzero(np.diff((time - _EPOCH) // period.value)) + 1)
    if values is None:
        raise InputError(
            f"Orbits of kind {kind!r} need the values of a variable; only 'period' does without."
        )
    values = np.asarray(values)
    if kind == "orbit":
        return _number_breaks(values)
    late, gap = _long_gaps(time, period)
    if kind == "latitude":
        sign = values >= 0
        return _with_first(np.union1d(np.flatnonzero(sign[1:] != sign[:-1]) + 1, late))
    return _jump_breaks(time, values, late, gap, _SPAN[kind], period)


def natural_period(time: np.ndarray, values: np.ndarray, kind: Kind) -> float:
    """Return the median time between two jumps back, in seconds; NaN where there are fewer than two."""
    if kind not in _SPAN:
        return np.nan
    jumps = time[1:][np.diff(values) < -0.5 * _SPAN[kind]]
    return float(np.median(np.diff(jumps))) / 1e9 if len(jumps) > 1 else np.nan


def _difference(values: np.ndarray) -> np.ndarray:
    """Difference to the row before, NaN in row 0; integers become float64 and floats keep their type."""
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    differences = np.empty_like(values)
    differences[0] = np.nan
    np.subtract(values[1:], values[:-1], out=differences[1:])
    return differences


def _long_gaps(time: np.ndarray, period: pd.Timedelta) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows before which more than 0.95 periods are missing, and the gaps in periods (float64)."""
    rows = np.flatnonzero(np.diff(time) > 0.9 * period.value) + 1
    # As pysat does, the times become float64 before they are subtracted; that rounds them.
    gap = (time[rows].astype(np.float64) - time[rows - 1].astype(np.float64)) / float(period.value)
    long = gap > 0.95
    return rows[long], gap[long]


def _with_first(rows: np.ndarray) -> np.ndarray:
    return rows if len(rows) and rows[0] == 0 else np.concatenate([[0], rows]).astype(np.int64)


def _number_breaks(numbers: np.ndarray) -> np.ndarray:
    _, first = np.unique(numbers, return_index=True)
    return _with_first(np.sort(first))


def _jump_breaks(
    time: np.ndarray,
    values: np.ndarray,
    late: np.ndarray,
    gap: np.ndarray,
    span: float,
    period: pd.Timedelta,
) -> np.ndarray:
    # The arithmetic keeps the type of the variable (float32 in most files), since pysat's does.
    step = _difference(values)
    known = step[~np.isnan(step)]
    typical = np.median(known) if len(known) else np.nan  # a day of one row, or of NaN only, has none
    backward = np.flatnonzero(step < -0.2 * typical)
    # Of neighbouring rows only the last counts, and never the last row of all.
    backward = backward[np.diff(backward, append=len(values)) > 1]
    backward = backward[[_is_break(int(row), time, step, typical, span, period) for row in backward]]
    # gap is float64 and step / span keeps the type of step; NaN compares as False.
    by_clock = late[(gap > 1) | (gap > np.abs(step[late] / span))]
    rows = np.union1d(backward, by_clock).astype(np.int64)
    if not len(rows):
        return np.zeros(1, np.int64)
    # Orbits last about a period; a break too soon after the one before is no break.
    lasting = _difference(time[rows]) / float(period.value) - _difference(values[rows]) / span > 0.97
    lasting[0] = True
    return _with_first(rows[lasting])


def _is_break(
    row: int, time: np.ndarray, step: np.ndarray, typical: float, span: float, period: pd.Timedelta
) -> bool:
    """Say whether a jump back is an orbit's end, and not a bad value beside good ones.

    A bad value jumps forward as well as back, and does so faster than the clock.
    """
    # As in pysat, a window that would begin before row 0 wraps around and so is empty in all but tiny arrays.
    window = np.array(range(len(step))[row - 5 : row + 6], np.int64)
    forward = window[step[window] > 10 * typical]
    if not len(forward):
        return True
    # Timedelta's own arithmetic, since its rounding decides in the rare case of a tie.
    return any(
        not pd.Timedelta(int(time[i] - time[i - 1]), "ns") * span < step[i] * period for i in forward if i > 0
    )
