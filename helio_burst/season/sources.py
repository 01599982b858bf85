"""The days of a season out of a file list: which files hold a day, and their samples as plain arrays."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import xarray as xr

from helio_burst import readers
from helio_burst.burst.fingerprint import fingerprint
from helio_burst.errors import InputError, ReadError, StorageError, nearest
from helio_burst.season.certificate import SeasonWarning
from helio_burst.season.fetching import Fetcher, file_name
from helio_burst.season.orbits import DAY
from helio_burst.season.walk import Rows
from helio_burst.timespan import parse_time

Custom = Callable[[xr.Dataset], xr.Dataset]
Read = Callable[..., Any]

# The last two: a file of several days is read once, and so are the days on which two blocks overlap.
_KEPT_FILES = 2

_VERSION = re.compile(r"^(?P<stem>.*?)[._-]v(?P<version>\d+(?:[._]\d+)*)(?P<rest>\.[^/]*)?$", re.IGNORECASE)


class File(NamedTuple):
    """One file of a season, as a reader gets it."""

    datakey: str
    first_day: int
    """The day it starts on, days since 1970-01-01."""
    last_day: int
    content: tuple[str, ...] = ()
    """Size and ETag, where the file list has them."""


class FileDays:
    """Reads the rows of a day from the files that start on it.

    All rows of a file of one day count as that day's, as in pysat, also where some of them lie beyond
    midnight; a file of several days is cut at midnights.

    Parameters
    ----------
    files : DataFrame
        A file list, with ``start`` (UTC) and ``datakey``, and ``stop`` where files may be longer than a day.
    variables : sequence of str
        What is asked for of each day.
    read : callable, optional
        Takes bytes and a file, returns a Dataset whose variables have one dim with a coordinate of times. By
        default the reader is chosen by the file's name. A reader with a parameter ``variables`` is given it.
    custom : sequence of callables
        Each takes the Dataset of a file and returns it changed: cleaned, or with new variables. With custom
        functions every variable of a file is read.
    cache : path or URL, optional
        A folder, the same for all workers, where files are kept by their names once they have been fetched.
    """

    def __init__(
        self,
        files: pd.DataFrame,
        variables: Sequence[str],
        *,
        read: Read | None = None,
        custom: Iterable[Custom] = (),
        cache: str | Path | None = None,
    ) -> None:
        self.variables = tuple(variables)
        if callable(custom):
            raise InputError(f"custom= is a list of functions: write custom=[{_name(custom)}].")
        self.custom = tuple(custom)
        self.read = read
        _check_list(files)
        files = newest(files)
        self.days = _by_day(files)
        self._fetch = Fetcher(files["datakey"].astype(str).tolist(), cache)
        self._recent: dict[str, Rows] = {}

    def __call__(self, day: int) -> Rows | None:
        """Return the rows of a day (days since 1970-01-01), None where there are none.

        Raises
        ------
        StorageError, ReadError
            A file cannot be fetched or read, lacks a variable, or its times do not increase.
        """
        parts = [self._rows(file, day) for file in self.days.get(day, ())]
        parts = [part for part in parts if len(part.time)]
        if not parts:
            return None
        rows = parts[0]
        if len(parts) > 1:
            rows = Rows(
                np.concatenate([part.time for part in parts]),
                {name: np.concatenate([part.values[name] for part in parts]) for name in self.variables},
            )
        _check_times(rows.time, self.days[day])
        return rows

    def fetch_ahead(self, days: Iterable[int]) -> None:
        """Begin to fetch the files of days that are about to be read."""
        keys = [file.datakey for day in days for file in self.days.get(day, ())]
        self._fetch.ahead(key for key in keys if key not in self._recent)

    def content(self, start: int, stop: int) -> str:
        """Return a hash that changes when other files hold the days [start, stop)."""
        return fingerprint(start, stop, [self.days.get(day) for day in range(start, stop)])

    def __dask_tokenize__(self) -> str:
        """Tell what is done with the files; which files there are is told by `content`, block by block."""
        return fingerprint(self.variables, self.custom, self.read)

    def __getstate__(self) -> dict[str, Any]:
        """Leave what was read in this process."""
        return {**self.__dict__, "_recent": {}}

    def check(self, day: int) -> None:
        """Read a day's first file in full, to refuse variables that are not in it before the work begins.

        Raises
        ------
        InputError
            A variable is not in the file. Other faults of the file are not reported here.
        """
        file = self.days[day][0]
        try:
            dataset = self._read(file, whole=True)
        except (ReadError, StorageError):
            return
        for name in self.variables:
            if name not in dataset.variables:
                raise InputError(_no_variable(dataset, name, file))

    def _rows(self, file: File, day: int) -> Rows:
        rows = self._recent.get(file.datakey)
        if rows is None:
            rows = _as_rows(self._read(file), self.variables, file)
            self._recent = dict([*self._recent.items(), (file.datakey, rows)][-_KEPT_FILES:])
        if file.first_day == file.last_day:
            return rows
        of_day = slice(*np.searchsorted(rows.time, [day * DAY, (day + 1) * DAY]))
        return Rows(rows.time[of_day], {name: values[of_day] for name, values in rows.values.items()})

    def _read(self, file: File, whole: bool = False) -> xr.Dataset:
        """Read a file, no more of it than is asked for unless as a whole, and apply the custom functions."""
        read = self.read
        if read is None:
            path = urlsplit(file.datakey).path.lower().removesuffix(".gz")
            read = cast(Read, readers.cdf if path.endswith(".cdf") else readers.by_name)
        wanted: dict[str, Any] = {}
        if not (whole or self.custom) and "variables" in inspect.signature(read).parameters:
            wanted["variables"] = self.variables
        data = self._fetch(file.datakey)
        dataset = read(data if getattr(read, "takes_buffers", False) else bytes(data), file, **wanted)
        _check_dataset(dataset, read, file)
        for function in self.custom:
            dataset = function(dataset)
            _check_dataset(dataset, function, file)
        return cast(xr.Dataset, dataset)


def newest(files: pd.DataFrame) -> pd.DataFrame:
    """Leave out files of which the list holds a newer version, and rows that repeat a file.

    Versions are told by the name's ending, as in ``..._20100509_v05.cdf``; files that start on one day and
    whose names differ in nothing else are versions of one file, whatever their folders.

    Warns
    -----
    SeasonWarning
        Says how many files are left out, and the first.
    """
    files = files.drop_duplicates("datakey")
    names = files["datakey"].astype(str).map(file_name)
    found = names.str.extract(_VERSION.pattern, flags=re.IGNORECASE)
    stems = found["stem"].fillna(names) + found["rest"].fillna("")
    days = pd.to_datetime(files["start"], utc=True).dt.normalize()
    versions = [
        tuple(int(number) for number in re.findall(r"\d+", text)) if isinstance(text, str) else ()
        for text in found["version"]
    ]
    last: dict[tuple[str, pd.Timestamp], tuple[tuple[int, ...], str]] = {}
    for stem, day, version, name in zip(stems, days, versions, names, strict=True):
        last[stem, day] = max(last.get((stem, day), ((), name)), (version, name))
    newest_of = [last[file] for file in zip(stems, days, strict=True)]
    kept = np.array([version == best for version, (best, _) in zip(versions, newest_of, strict=True)], bool)
    if not kept.all():
        example = int(np.argmin(kept))
        warnings.warn(
            f"{(~kept).sum()} files are left out since the list holds a newer version of each, for instance "
            f"{names.iloc[example]}, where {newest_of[example][1]} is used.",
            SeasonWarning,
            stacklevel=3,
        )
    return files[kept]


def _check_list(files: pd.DataFrame) -> None:
    if not isinstance(files, pd.DataFrame):
        raise InputError(
            f"A file list is a DataFrame with the columns start and datakey, not a {type(files).__name__}; "
            "make one with season.pysat_files(folder) or with the file_list of a catalog."
        )
    for name in ("start", "datakey"):
        if name not in files.columns:
            columns = ", ".join(map(str, files.columns))
            raise InputError(f"The file list has no column {name!r}; it has {columns}.")
        if files[name].isna().any():
            row = files.index[int(files[name].isna().argmax())]
            raise InputError(f"The file list has no {name} in row {row}; leave out such rows.")


def _by_day(files: pd.DataFrame) -> Mapping[int, tuple[File, ...]]:
    days: dict[int, list[File]] = {}
    starts = pd.to_datetime(files["start"], utc=True)
    stops = pd.to_datetime(files["stop"], utc=True) if "stop" in files.columns else starts
    keys = files["datakey"].astype(str)
    known = [files[name].astype(str) for name in ("filesize", "etag") if name in files.columns]
    contents = list(zip(*known, strict=True)) or [()] * len(files)
    for start, stop, datakey, content in sorted(zip(starts, stops, keys, contents, strict=True)):
        first = parse_time(start).as_unit("ns").value // DAY
        # A file that stops at midnight, or a second after, is not one of two days.
        last = first if pd.isna(stop) else max(first, (stop.as_unit("ns").value - DAY // 24) // DAY)
        for day in range(first, last + 1):
            days.setdefault(day, []).append(File(datakey, first, last, content))
    return {day: tuple(of_day) for day, of_day in days.items()}


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


def _check_dataset(dataset: object, function: Callable[..., Any], file: File) -> None:
    if not isinstance(dataset, xr.Dataset):
        raise InputError(
            f"{_name(function)} made a {type(dataset).__name__} of {file.datakey}; "
            "readers and custom functions of a season return an xarray Dataset."
        )


def _as_rows(dataset: xr.Dataset, variables: Sequence[str], file: File) -> Rows:
    for name in variables:
        if name not in dataset.variables:
            raise ReadError(_no_variable(dataset, name, file))
    held = {name: dataset.variables[name] for name in variables}
    dims = {variable.dims for variable in held.values()}
    if len(dims) != 1 or len(next(iter(dims))) != 1:
        shapes = ", ".join(f"{name}{variable.dims}" for name, variable in held.items())
        raise ReadError(f"The variables of {file.datakey} do not share one dim of time: {shapes}.")
    (dim,) = next(iter(dims))
    if dim not in dataset.coords or dataset.variables[dim].dtype.kind != "M":
        raise ReadError(f"The dim {dim!r} of {file.datakey} has no coordinate of times.")
    time = dataset.variables[dim].to_numpy().astype("datetime64[ns]", copy=False).view(np.int64)
    return Rows(time, {name: variable.to_numpy() for name, variable in held.items()})


def _no_variable(dataset: xr.Dataset, name: str, file: File) -> str:
    known = [str(known) for known, array in dataset.variables.items() if array.ndim == 1]
    there = ", ".join(known) or "none"
    return f"{file.datakey} has no variable {name!r}; it has {there}. {nearest(name, known)}"


def _check_times(time: np.ndarray, files: Sequence[File]) -> None:
    wrong = np.flatnonzero(time[1:] <= time[:-1])
    if len(wrong):
        at = pd.Timestamp(int(time[wrong[0] + 1])).isoformat()
        what = "repeat" if (time[1:] >= time[:-1]).all() else "go back"
        raise ReadError(
            f"The times of {', '.join(file.datakey for file in files)} {what} at {len(wrong)} rows, first at "
            f"{at}. Orbits need increasing times: give a custom function that drops rows, such as "
            "lambda ds: ds.drop_duplicates('Epoch').sortby('Epoch'), or check for files that overlap."
        )
