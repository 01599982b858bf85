"""Made-up C/NOFS VEFI magnetometer files: true names and types, plausible orbits, invented values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helio_burst.errors import InputError
from helio_burst.season.orbits import DAY
from helio_burst.season.vefi import FILL
from helio_burst.season.walk import Rows
from helio_burst.timespan import TimeLike, parse_timespan

# Inclination, heights of the ellipse (km), length of an orbit and turn of its plane (seconds).
_INCLINATION = np.radians(13.0)
_LOWEST, _HIGHEST = 405.0, 850.0
_ORBIT = 97.3 * 60
_PRECESSION = 51.0 * 86400
_SIDEREAL_DAY = 86164.0905
_LAUNCH = pd.Timestamp("2008-04-16T17:02").value

_UNITS = {"latitude": "degrees", "longitude": "degrees", "altitude": "km"}
_ABOUT = {
    "year": "Year",
    "dayofyear": "Day of year",
    "B_north": "Magnetic field, northward",
    "B_up": "Magnetic field, upward",
    "B_west": "Magnetic field, westward",
    "B_flag": "1 where the field is interpolated",
    "B_IGRF_north": "Model field, northward",
    "B_IGRF_up": "Model field, upward",
    "B_IGRF_west": "Model field, westward",
    "latitude": "Geodetic latitude",
    "longitude": "Geographic longitude, 0 to 360",
    "altitude": "Altitude",
    "dB_zon": "Field perturbation, zonal",
    "dB_mer": "Field perturbation, meridional",
    "dB_par": "Field perturbation, along the field",
}


def make_vefi(
    folder: str | Path,
    start: TimeLike,
    stop: TimeLike,
    *,
    version: int = 5,
    seed: int = 0,
    cadence: float = 1.0,
    gaps: bool = True,
) -> pd.DataFrame:
    """Write one file a day, as pysat looks for them: ``folder/cnofs/vefi/dc_b/cnofs_vefi_bfield_1sec_*.cdf``.

    Parameters
    ----------
    folder : path
        What pysat calls a data directory.
    start, stop : time
        The days [start, stop), UTC.
    version : {5, 6}
        Version 5 has the variable B_flag; version 6 (2023) has none and fills with -1e31.
    seed : int
        Of the noise, gaps and flags; the orbits are the same for every seed.
    cadence : float
        Seconds between samples; 1 in the true files.
    gaps : bool
        Whether to leave out stretches of minutes to hours, and now and then a day.

    Returns
    -------
    DataFrame
        A file list: columns start, stop, datakey, filesize.
    """
    if version not in (5, 6):
        raise InputError(f"VEFI files have the versions 5 and 6, not {version!r}.")
    span = parse_timespan(start, stop)
    target = Path(folder, "cnofs", "vefi", "dc_b").expanduser().absolute()
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for day in pd.date_range(span.start.normalize(), span.stop, inclusive="left"):
        rows = vefi_rows(day.value // DAY, seed=seed, cadence=cadence, gaps=gaps)
        if not len(rows.time):
            continue
        path = target / f"cnofs_vefi_bfield_1sec_{day:%Y%m%d}_v{version:02d}.cdf"
        write_vefi(path, rows, version=version)
        files.append((day, day + pd.Timedelta(days=1), str(path), path.stat().st_size))
    return pd.DataFrame(files, columns=["start", "stop", "datakey", "filesize"]).astype(
        {"datakey": "string", "filesize": "Int64"}
    )


def vefi_rows(day: int, *, seed: int = 0, cadence: float = 1.0, gaps: bool = True) -> Rows:
    """Make up one day's samples.

    Parameters
    ----------
    day : int
        Days since 1970-01-01.
    seed, cadence, gaps
        As in `make_vefi`.
    """
    random = np.random.default_rng([seed, day])
    time = day * DAY + np.round(np.arange(0, 86400, cadence) * 1e3).astype(np.int64) * 1_000_000
    kept = _without_gaps(random, time - day * DAY) if gaps else np.ones(len(time), bool)
    time = time[kept]
    orbit = _positions(time)
    clock = (time % DAY) / 3.6e12 + orbit["longitude"] / 15
    # More perturbed after sunset, over the Atlantic and near the magnetic equator.
    where = (
        np.cos(np.radians(orbit["longitude"] - 320.0))
        + np.cos(2 * np.pi * (clock - 22) / 24)
        - (orbit["latitude"] / 10) ** 2
    )
    seconds = (time - day * DAY) / 1e9
    fields = {name: 0.8 * where - 0.3 + _noise(random, seconds) for name in ("dB_zon", "dB_mer", "dB_par")}
    north = 28_000 - 5 * orbit["altitude"] + 40 * orbit["latitude"]
    up, west = -800 * orbit["latitude"], 300 * np.sin(np.radians(orbit["longitude"]))
    for name, model, turned in (("north", north, "par"), ("up", up, "mer"), ("west", west, "zon")):
        fields[f"B_IGRF_{name}"] = model
        fields[f"B_{name}"] = model + fields[f"dB_{turned}"]
    values = {name: array.astype(np.float32) for name, array in {**fields, **orbit}.items()}
    # What comes out as 360 in float32 is 0, as on the spacecraft.
    values["longitude"][values["longitude"] >= 360] = 0
    values["B_flag"] = _stretches(random, seconds, number=20, longest=120).astype(np.int32)
    return Rows(time, values)


def write_vefi(path: str | Path, rows: Rows, *, version: int = 5) -> None:
    """Write one day's rows as a VEFI file.

    In version 6 there is no B_flag, and the fields are -1e31 where it is 1.
    """
    from cdflib.cdfwrite import CDF

    dates = pd.DatetimeIndex(rows.time.astype("datetime64[ns]"))
    contents: dict[str, np.ndarray] = {
        "year": dates.year.to_numpy(np.int32),
        "dayofyear": dates.dayofyear.to_numpy(np.int32),
        **rows.values,
    }
    if version == 6:
        flagged = contents.pop("B_flag") == 1
        for name in [name for name in contents if name.startswith(("B_", "dB_"))]:
            contents[name] = np.where(flagged, FILL, contents[name])
    path = Path(path)
    path.unlink(missing_ok=True)
    file = CDF(path, cdf_spec={"Compressed": 0, "Majority": "row_major"})
    file.write_globalattrs(
        {
            "Project": {0: "C/NOFS"},
            "Title": {0: "Made-up data in the form of C/NOFS VEFI 1-second magnetic field"},
            "Data_version": {0: f"{version:02d}"},
        }
    )
    epoch = rows.time / 1e6 + 62_167_219_200_000.0
    file.write_var(
        _specification("Epoch", 31), {"VAR_TYPE": "support_data", "CATDESC": "UTC", "FILLVAL": -1e31}, epoch
    )
    for name in _ABOUT:
        if name in contents:
            kind = 4 if contents[name].dtype.kind == "i" else 44
            file.write_var(_specification(name, kind), _attributes(name, contents[name]), contents[name])
    file.close()


def _specification(name: str, kind: int) -> dict[str, Any]:
    return {
        "Variable": name,
        "Data_Type": kind,
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Var_Type": "zVariable",
        "Dim_Sizes": [],
        "Compress": 6,
    }


def _attributes(name: str, values: np.ndarray) -> dict[str, Any]:
    whole = values.dtype.kind == "i"
    return {
        "VAR_TYPE": "data",
        "DEPEND_0": "Epoch",
        "FIELDNAM": name,
        "CATDESC": _ABOUT[name],
        "UNITS": " " if whole else _UNITS.get(name, "nT"),
        "FILLVAL": [-2147483648, "CDF_INT4"] if whole else [FILL, "CDF_REAL4"],
    }


def _positions(time: np.ndarray) -> dict[str, np.ndarray]:
    """Latitude and longitude (degrees) and altitude (km) of a circle's projection, near enough for a demo."""
    seconds = (time - _LAUNCH) / 1e9
    turn = 2 * np.pi * seconds / _ORBIT
    along = np.arctan2(np.cos(_INCLINATION) * np.sin(turn), np.cos(turn))
    earth = 2 * np.pi * seconds * (1 / _SIDEREAL_DAY + 1 / _PRECESSION)
    middle, swing = (_HIGHEST + _LOWEST) / 2, (_HIGHEST - _LOWEST) / 2
    return {
        "latitude": np.degrees(np.arcsin(np.sin(_INCLINATION) * np.sin(turn))),
        "longitude": np.degrees(along - earth) % 360,
        "altitude": middle - swing * np.cos(turn + 2 * np.pi * seconds / _PRECESSION),
    }


def _noise(random: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Sway over minutes, and a little jitter in steps of what the instrument resolves."""
    periods, phases = random.uniform(240, 2400, 6), random.uniform(0, 2 * np.pi, 6)
    sway = sum(
        np.sin(2 * np.pi * seconds / period + phase) for period, phase in zip(periods, phases, strict=True)
    )
    return 0.6 * np.asarray(sway) + np.round(random.normal(0, 0.2, len(seconds)) / 0.05) * 0.05


def _without_gaps(random: np.random.Generator, since: np.ndarray) -> np.ndarray:
    if random.random() < 0.04:
        return np.zeros(len(since), bool)
    kept = ~_stretches(random, since / 1e9, number=random.poisson(1.5), longest=600)
    if random.random() < 0.15:
        kept &= ~_stretches(random, since / 1e9, number=1, longest=4 * 3600)
    return kept


def _stretches(random: np.random.Generator, seconds: np.ndarray, number: int, longest: float) -> np.ndarray:
    inside = np.zeros(len(seconds), bool)
    for begin, length in zip(
        random.uniform(0, 86400, number), random.uniform(0, longest, number), strict=True
    ):
        inside |= (seconds >= begin) & (seconds < begin + length)
    return inside
