"""C/NOFS VEFI 1-second magnetometer files (CNOFS_VEFI_BFIELD_1SEC): reading, finding, fetching."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from helio_burst import readers, storage
from helio_burst.errors import InputError, MissingObjectError
from helio_burst.timespan import TimeLike, parse_timespan

CDAWEB = "https://cdaweb.gsfc.nasa.gov/sp_phys/data/cnofs/vefi/bfield_1sec"
"""Where the files are published, in a folder for each year."""

FILL = np.float32(-1e31)
"""Stands for a value that is missing."""

_NAME = re.compile(r"cnofs_vefi_bfield_1sec_(\d{8})_v\d+\.cdf")


def read_vefi(data: bytes, row: Any = None, *, variables: Iterable[str] | None = None) -> xr.Dataset:
    """Read a file and keep what the instrument team calls clean, as pysat's clean level "clean" does.

    Parameters
    ----------
    data : bytes
        The file, version 5 or 6.
    row : row of a file list, optional
        Names the file in errors.
    variables : iterable of str, optional
        Read only these; all if not given.

    Returns
    -------
    Dataset, dims (Epoch,), UTC
        Rows whose B_flag is not 0 are left out (version 5); fill values are NaN (both versions).
    """
    values = _values(data, variables) if variables is not None else None
    if values is None:
        dataset = readers.cdf(data, row, variables=variables)
        if "B_flag" in dataset:
            dataset = dataset.isel(Epoch=(dataset["B_flag"] == 0).to_numpy())
        return dataset
    if (flag := values.pop("B_flag", None)) is not None:
        clean = flag == 0
        values = {name: array[clean] for name, array in values.items()}
    # On a worker each new array of a day's length costs more than what is done with it.
    milliseconds = np.floor(values["Epoch"], out=values.pop("Epoch")).astype(np.int64)
    milliseconds -= 62_167_219_200_000  # from the year 0 to 1970
    milliseconds *= 1_000_000
    contents = {name: ("Epoch", array) for name, array in values.items()}
    return xr.Dataset(contents, {"Epoch": milliseconds.view("datetime64[ns]")})


read_vefi.takes_buffers = True  # type: ignore[attr-defined]


def _values(data: bytes, variables: Iterable[str]) -> dict[str, np.ndarray] | None:
    """Read single variables by their well-known types, in half the time of reading their attributes as well.

    None where the file is not as expected; then the general reader reads it, or says what is wrong.
    """
    import cdflib

    # cdflib reads from files only.
    with tempfile.NamedTemporaryFile(prefix="helio-burst-", suffix=".cdf") as written:
        written.write(data)
        written.flush()
        try:
            file = cdflib.CDF(written.name)
            values = {name: file.varget(name) for name in dict.fromkeys(["Epoch", *variables])}
            if "B_flag" in file.cdf_info().zVariables:
                values["B_flag"] = file.varget("B_flag")
        except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError):
            return None
    shapes = {array.shape for array in values.values()}
    if len(shapes) != 1 or values["Epoch"].dtype != np.float64 or values["Epoch"].ndim != 1:
        return None
    for array in values.values():
        if array.dtype == np.float32:
            array[array == FILL] = np.nan
    return values


def pysat_files(data_dir: str | Path) -> pd.DataFrame:
    """List the VEFI files of a pysat data directory (``data_dir/cnofs/vefi/dc_b``) as a file list.

    Raises
    ------
    InputError
        There are none.
    """
    folder = Path(data_dir, "cnofs", "vefi", "dc_b").expanduser().absolute()
    found = sorted(path for path in folder.glob("**/*.cdf") if _NAME.fullmatch(path.name))
    if not found:
        raise InputError(
            f"There are no VEFI files in {folder}. Give the folder that pysat calls a data directory; its "
            "files have names such as cnofs/vefi/dc_b/cnofs_vefi_bfield_1sec_20100509_v05.cdf."
        )
    return _file_list((str(path), path.stat().st_size) for path in found)


def remote_files(start: TimeLike, stop: TimeLike, base: str = CDAWEB) -> pd.DataFrame:
    """List the published files of a time range, for use with ``cache="datasets/cnofs"``.

    Parameters
    ----------
    start, stop : time
        The days [start, stop), UTC.
    base : str
        A URL whose folders, one for each year, answer with a page that names their files.

    Raises
    ------
    StorageError
        The server cannot be reached.
    InputError
        There are no files in the time range.
    """
    span = parse_timespan(start, stop)
    found: list[tuple[str, int | None]] = []
    for year in range(span.start.year, span.stop.year + 1):
        folder = storage.join(base, str(year)) + "/"
        try:
            page = storage.read(folder).decode("utf-8", "replace")
        except MissingObjectError:
            continue
        names = sorted({match[0] for match in _NAME.finditer(page)})
        found += [(folder + name, None) for name in names]
    files = _file_list(found)
    files = files[(files["stop"] > span.start) & (files["start"] < span.stop)].reset_index(drop=True)
    if files.empty:
        raise InputError(f"{base} has no VEFI files from {span.start} to {span.stop}.")
    return files


def _file_list(found: Iterable[tuple[str, int | None]]) -> pd.DataFrame:
    rows = []
    for datakey, size in found:
        match = _NAME.search(datakey)
        assert match is not None
        day = pd.Timestamp(match[1], tz="UTC")
        rows.append((day, day + pd.Timedelta(days=1), datakey, size))
    files = pd.DataFrame(rows, columns=["start", "stop", "datakey", "filesize"])
    times = "datetime64[ns, UTC]"
    return files.astype({"start": times, "stop": times, "datakey": "string", "filesize": "Int64"})
