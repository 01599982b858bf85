"""The three time types of CDF to datetime64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TIME_TYPES = ("CDF_EPOCH", "CDF_EPOCH16", "CDF_TIME_TT2000")

_NANOSECONDS = 1_000_000_000
_YEAR_ZERO = 62_167_219_200  # seconds from 0000-01-01 to 1970-01-01, without leap seconds
_J2000 = 946_728_000  # seconds from 1970-01-01 to 2000-01-01T12:00
_TT_MINUS_TAI = 32_184_000_000  # ns


def to_datetime64(values: npt.NDArray[Any], kind: str) -> npt.NDArray[np.datetime64]:
    """Convert CDF times to UTC.

    Parameters
    ----------
    values : ndarray
        CDF_EPOCH: milliseconds since year 0. CDF_EPOCH16: seconds since year 0, and picoseconds as the
        imaginary part. CDF_TIME_TT2000: nanoseconds of Terrestrial Time since 2000-01-01T12:00, leap seconds
        counted.
    kind : str
        The name of the type.

    Returns
    -------
    ndarray of datetime64[ns]
        UTC; fill values, pad values and what datetime64[ns] cannot hold are NaT. A time within a leap second,
        which datetime64 cannot hold, is that of the second after it.
    """
    if kind == "CDF_TIME_TT2000":
        return _from_tt2000(np.asarray(values, "i8"))
    if kind == "CDF_EPOCH16":
        seconds, below = values.real - _YEAR_ZERO, np.floor(values.imag / 1000)
    else:
        # CDF_EPOCH resolves milliseconds; what its float64 holds below them is rounding.
        seconds, milliseconds = np.divmod(np.floor(values - _YEAR_ZERO * 1000.0), 1000)
        below = milliseconds * 1e6
    known = (seconds > -9.2e9) & (seconds < 9.2e9)
    nanoseconds = np.where(known, seconds, 0).astype("i8") * _NANOSECONDS + np.where(known, below, 0).astype(
        "i8"
    )
    return _datetimes(nanoseconds, known)


def _from_tt2000(values: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    starts, offsets = _leap_seconds()
    # The fill value, the pad value and two reserved ones are the smallest int64.
    known = values > np.iinfo("i8").min + 3
    if known.any() and values[known].min() < starts[0]:
        return _before_1972(values, known)
    row = np.searchsorted(starts, values, side="right") - 1
    nanoseconds = values - offsets[np.maximum(row, 0)] - _TT_MINUS_TAI + _J2000 * _NANOSECONDS
    return _datetimes(nanoseconds, known)


def _leap_seconds() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return when each value of TAI - UTC begins (TT2000), and that value (ns), from cdflib's table."""
    from cdflib.epochs import CDFepoch

    rows = [
        (np.datetime64(f"{y:04.0f}-{m:02.0f}-{d:02.0f}", "s"), tai)
        for y, m, d, tai, *_ in CDFepoch.LTS
        if y >= 1972
    ]
    offsets = np.array([round(tai) * _NANOSECONDS for _, tai in rows])
    days = np.array([day for day, _ in rows]).astype("i8")
    return (days - _J2000) * _NANOSECONDS + offsets + _TT_MINUS_TAI, offsets


def _before_1972(values: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.datetime64]:
    """Convert with cdflib, which knows how UTC drifted before 1972."""
    from cdflib.epochs import CDFepoch

    converted = np.asarray(CDFepoch.to_datetime(values.reshape(-1))).reshape(values.shape)
    return _datetimes(converted.astype("M8[ns]").astype("i8"), known)


def _datetimes(
    nanoseconds: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.datetime64]:
    times = nanoseconds.astype("M8[ns]")
    times[~known] = np.datetime64("NaT", "ns")
    return times
