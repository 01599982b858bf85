"""A Dataset to a file: NetCDF, Zarr or Parquet, here or in a bucket."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from helio_burst import storage
from helio_burst.errors import InputError

FORMATS = (".nc", ".zarr", ".parquet")


def check_path(path: str) -> str:
    """Return the format of a result's path, or refuse it before any work is done.

    Raises
    ------
    InputError
        The ending is none of .nc, .zarr, .parquet.
    """
    ending = Path(path.rstrip("/")).suffix
    if ending not in FORMATS:
        raise InputError(f"{path!r} must end in one of {', '.join(FORMATS)}, which choose the format.")
    return ending


def save(dataset: xr.Dataset, path: str) -> str:
    """Write a Dataset, by the ending of the path.

    Parameters
    ----------
    path : str
        A local path or a URL (s3://...). A file that is there already is replaced, once the new one is whole.

    Raises
    ------
    InputError
        An unknown ending, or names, types or dimensions that the format does not hold.
    StorageError
        The target cannot be written.
    """
    ending = check_path(path)
    with tempfile.TemporaryDirectory(prefix="helio-burst-") as folder:
        target = Path(folder) / f"result{ending}"
        try:
            _write(dataset, target)
        except (ValueError, TypeError, NotImplementedError) as error:  # of names or types that a format lacks
            raise InputError(f"The result cannot be written as {ending}: {error}") from error
        if target.is_file():
            storage.write(path, target.read_bytes())
        else:
            for stale in list(storage.list_objects(path)):
                storage.delete(stale.url)
            for file in sorted(target.rglob("*")):
                if file.is_file():
                    storage.write(storage.join(path, file.relative_to(target).as_posix()), file.read_bytes())
    return path


def _write(dataset: xr.Dataset, target: Path) -> None:
    if target.suffix == ".nc":
        _for_netcdf(dataset).to_netcdf(target)
    elif target.suffix == ".zarr":
        dataset.to_zarr(target, mode="w", consolidated=True, zarr_format=2)
    else:
        _to_parquet(dataset, target)


def _for_netcdf(dataset: xr.Dataset) -> xr.Dataset:
    """Name the epoch of the times, so that every reader of NetCDF sees the same nanoseconds."""
    dataset = dataset.copy()
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "M":
            dataset[name].encoding.setdefault("units", "nanoseconds since 1970-01-01")
            dataset[name].encoding.setdefault("dtype", "int64")
    return dataset


def _to_parquet(dataset: xr.Dataset, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if len(dataset.sizes) != 1:
        sizes = dict(dataset.sizes)
        raise InputError(f"Parquet holds one row a file, but the result has dims {sizes}; use .nc or .zarr.")
    (dim,) = dataset.sizes
    frame = pd.DataFrame(
        {str(name): np.asarray(v.values) for name, v in dataset.variables.items() if v.dims == (dim,)}
    )
    attrs = {str(name): str(value) for name, value in dataset.attrs.items()}
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(attrs), target)
