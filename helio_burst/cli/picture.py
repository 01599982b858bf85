"""A result file to a picture: which of the plots fits its dimensions."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from helio_burst import plot
from helio_burst.errors import InputError, nearest

mpl.use("Agg")  # a command draws into files only


def open_result(path: str) -> xr.Dataset:
    """Open what `Outcome.save` wrote.

    Raises
    ------
    InputError
        There is no such file, or it is of another kind.
    """
    if "://" not in path and not Path(path).exists():
        raise InputError(f"There is no file {path}.")
    kind = Path(path.rstrip("/")).suffix.lower()
    if kind == ".nc":
        return xr.load_dataset(path)
    if kind == ".zarr":
        return xr.open_dataset(path, engine="zarr").load()
    if kind == ".parquet":
        frame = pd.read_parquet(path)
        return xr.Dataset.from_dataframe(frame.set_index("time") if "time" in frame else frame)
    raise InputError(f"{path} is not a result. Results end in .nc, .zarr or .parquet.")


def draw(
    result: xr.Dataset, path: Path, variable: str | None = None, failed: pd.DataFrame | None = None
) -> None:
    """Draw one variable of a result into a picture file; files that failed are marked on an axis of time.

    Raises
    ------
    InputError
        There is no such variable, or no plot fits its dimensions.
    """
    name = _choose(result, variable)
    save_figure(axes_for(result[name], failed), path)


def save_figure(ax: Axes, path: Path) -> None:
    """Write the figure of these Axes; the folder is made."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


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
