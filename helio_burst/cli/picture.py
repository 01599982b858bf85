"""A result file to a picture: which of the plots fits its dimensions."""

from __future__ import annotations

import io
from pathlib import PurePath
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from helio_burst import plot, readers, storage
from helio_burst.cli.job import DRAWN, SAVED, check_ending
from helio_burst.errors import InputError, ReadError, StorageError, nearest

mpl.use("Agg")  # a command draws into files only


def open_result(path: str) -> xr.Dataset:
    """Open what `Outcome.save` wrote, here or in a bucket.

    Raises
    ------
    InputError
        Its ending is not that of a result.
    ReadError, StorageError
        It is not what its ending says, or not there.
    """
    kind = PurePath(path.rstrip("/")).suffix.lower()
    if kind == ".nc":
        return readers.netcdf(storage.read(path), SimpleNamespace(datakey=path))
    try:
        if kind == ".zarr":
            storage.request(storage.join(path, ".zmetadata"))  # for the package's errors, not the library's
            return xr.open_dataset(storage.filesystem(path).get_mapper(path), engine="zarr").load()
        if kind == ".parquet":
            frame = pd.read_parquet(io.BytesIO(storage.read(path)))
            return xr.Dataset.from_dataframe(frame.set_index("time") if "time" in frame else frame)
    except StorageError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(f"{path} cannot be read as {kind}: {error}") from error
    raise InputError(f"{path} is not a result. Results end in {', '.join(SAVED)}.")


def draw(
    result: xr.Dataset, path: str, variable: str | None = None, failed: pd.DataFrame | None = None
) -> None:
    """Draw one variable of a result into a picture file; files that failed are marked on an axis of time.

    Raises
    ------
    InputError
        There is no such variable, no plot fits its dimensions, or the picture is of an unknown kind.
    """
    check_ending(path, DRAWN)
    name = _choose(result, variable)
    save_figure(axes_for(result[name], failed), path)


def save_figure(ax: Axes, path: str) -> None:
    """Write the figure of these Axes to a file or an object; folders are made."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    drawn = io.BytesIO()
    figure.savefig(drawn, format=PurePath(path).suffix[1:], dpi=150)
    storage.write(path, drawn.getvalue())


def _choose(result: xr.Dataset, variable: str | None) -> str:
    names = [str(name) for name, values in result.data_vars.items() if values.dtype.kind in "iuf"]
    if variable is None and names:
        return names[0]
    if variable not in names:
        wanted = repr(variable) if variable else "variable of numbers"
        raise InputError(f"The result has no {wanted}. {nearest(variable or '', names)}")
    return variable


def axes_for(data: xr.DataArray, failed: pd.DataFrame | None = None) -> Axes:
    """Draw an array with the plot that fits its dimensions."""
    shape = data.squeeze()
    if "time" in shape.dims and shape.ndim <= 2 and np.issubdtype(shape["time"].dtype, np.datetime64):
        return plot.time_series(data, failed=failed)
    if any("bounds" in shape[dim].attrs for dim in shape.dims if dim in shape.coords):
        return plot.bin_map(data)
    if {"latitude", "lat"} & set(map(str, shape.dims)):
        return plot.field(data)
    return plot.image(data)
