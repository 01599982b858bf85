"""What a FITS header says of the observation: plain attributes, time, and the positions of pixels."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from helio_burst.errors import InputError
from helio_burst.readers._hdus import HDU
from helio_burst.timespan import parse_time

# Keywords that tell how the file is stored, not what was observed.
_STORAGE = re.compile(
    r"SIMPLE|XTENSION|EXTEND|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|END|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|BUNIT|"
    r"TFIELDS|THEAP|T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO|DISP|BCOL)\d+|"
    r"Z(IMAGE|SIMPLE|EXTEND|TENSION|BITPIX|NAXIS\d*|TILE\d+|NAME\d+|VAL\d+|PCOUNT|GCOUNT|CMPTYPE|MASKCMP|QUANTIZ|"
    r"DITHER0|HECKSUM|DATASUM|BLOCKED|BLANK)"
)
_SCALES = ("TAI", "TT", "TDB", "TCB", "TCG")  # those of FITS 4.0, table 30, that are not UTC
_JSOC_TIME = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)_(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:_(UTC|TAI|Z))?")


def attributes(unit: HDU) -> dict[str, Any]:
    """Return the header's keywords as attributes that any file format can hold.

    Logical values become 0 and 1, commentary is joined line by line, cards that astropy cannot parse are left
    out.
    """
    attrs: dict[str, Any] = {}
    commentary: dict[str, list[str]] = {}
    if unit.header.get("BUNIT"):
        attrs["units"] = unit.header["BUNIT"]
    for keyword, value in _cards(unit.header):
        if keyword in ("COMMENT", "HISTORY"):
            commentary.setdefault(keyword, []).append(str(value))
        elif isinstance(value, str | int | float) and keyword and not _STORAGE.fullmatch(keyword):
            attrs[keyword] = int(value) if isinstance(value, bool) else value
    return attrs | {keyword: "\n".join(lines) for keyword, lines in commentary.items()}


def _cards(header: Any) -> Iterator[tuple[str, Any]]:
    from astropy.io.fits import VerifyError

    for card in header.cards:
        try:
            yield card.keyword, card.value
        except VerifyError:
            continue


def time(attrs: dict[str, Any]) -> np.datetime64 | None:
    """Return the start of the observation, UTC, or None where the header does not tell it.

    DATE-OBS (or DATE_OBS, with the clock in TIME-OBS where it has only a date), else DATE-BEG, else T_OBS; in
    the time scale of TIMESYS where that names one, else UTC.
    """
    day = attrs.get("DATE-OBS") or attrs.get("DATE_OBS")
    clock = attrs.get("TIME-OBS") or attrs.get("TIME_OBS")
    if day and clock and len(str(day).strip()) == len("yyyy-mm-dd"):
        day = f"{str(day).strip()}T{str(clock).strip()}"
    for text in (day, attrs.get("DATE-BEG"), attrs.get("T_OBS")):
        found = _parse(str(text), str(attrs.get("TIMESYS", "UTC"))) if text else None
        if found is not None:
            return found
    return None


def _parse(text: str, scale: str) -> np.datetime64 | None:
    text = text.strip()
    if match := _JSOC_TIME.fullmatch(text):
        year, month, day, clock, suffix = match.groups()
        text, scale = f"{year}-{month}-{day}T{clock}", suffix or scale
    text = text.replace("/", "-")
    try:
        if scale.strip().upper() not in _SCALES:
            return parse_time(text).tz_localize(None).as_unit("ns").to_datetime64()
        from astropy.time import Time

        return np.datetime64(Time(text, scale=scale.strip().lower()).utc.datetime, "ns")
    except (InputError, ValueError, OverflowError, pd.errors.OutOfBoundsDatetime):
        return None


def coordinates(attrs: dict[str, Any], shape: tuple[int, ...]) -> dict[Hashable, Any]:
    """Return the coordinates that an image's header tells, as xarray takes them: time, x and y."""
    start = time(attrs)
    if start is None:
        return _positions(attrs, shape)
    return {**_positions(attrs, shape), "time": ((), start, {"long_name": "start of the observation, UTC"})}


def _positions(attrs: dict[str, Any], shape: tuple[int, ...]) -> dict[Hashable, Any]:
    """Return the world coordinate of each pixel along x and y, where the header has a scale and no rotation.

    Equation 1 of Greisen and Calabretta (2002, A&A 395, 1061), without the projection.
    """
    found: dict[Hashable, Any] = {}
    if len(shape) < 2 or _is_rotated(attrs):
        return found
    for axis, name, size in ((1, "x", shape[-1]), (2, "y", shape[-2])):
        step = attrs.get(f"CDELT{axis}")
        if not isinstance(step, int | float) or step == 0:
            return {}
        step *= attrs.get(f"PC{axis}_{axis}", 1.0)  # -1 in an image that is upside down
        reference, value = attrs.get(f"CRPIX{axis}", 0.0), attrs.get(f"CRVAL{axis}", 0.0)
        unit = {"units": str(attrs[f"CUNIT{axis}"])} if attrs.get(f"CUNIT{axis}") else {}
        described = {"long_name": str(attrs.get(f"CTYPE{axis}", name))} | unit
        found[name] = (name, value + (np.arange(1, size + 1) - reference) * step, described)
    return found


def _is_rotated(attrs: dict[str, Any]) -> bool:
    off_diagonal = ("PC1_2", "PC2_1", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "CROTA1", "CROTA2")
    return any(attrs.get(keyword, 0) != 0 for keyword in off_diagonal)
