"""The house style of the figures, and the labels that they draw from attributes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from cycler import cycler
from matplotlib.axes import Axes

from helio_burst.errors import InputError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Okabe and Ito's colours, told apart with any kind of colour vision; vermilion is kept for faults.
LINES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000"]
FAULT = "#D55E00"
SEQUENTIAL = "viridis"
INTENSITY = "inferno"
DIVERGING = "RdBu_r"

# What FITS headers call the axes of solar images.
_AXES = {"HPLN-TAN": "helioprojective longitude", "HPLT-TAN": "helioprojective latitude"}

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "0.25",
    "axes.formatter.useoffset": False,
    "axes.grid": False,
    "axes.labelcolor": "0.15",
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=LINES),
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "date.converter": "concise",
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "xtick.color": "0.25",
    "xtick.labelsize": 9,
    "ytick.color": "0.25",
    "ytick.labelsize": 9,
}


def in_house_style(draw: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a drawing function under the house style, leaving matplotlib's own settings as they are."""

    @wraps(draw)
    def styled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        # Not rc_context: it also puts back the interactive mode, which a notebook's backend sets when the
        # first figure is made, and the second one would not be shown.
        before = {name: mpl.rcParams[name] for name in STYLE}
        mpl.rcParams.update(STYLE)
        try:
            return draw(*args, **kwargs)
        finally:
            mpl.rcParams.update(before)

    return styled


def axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the given Axes, or new ones on a figure of this size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def label(data: xr.DataArray, default: str = "") -> str:
    """Name a variable for an axis: its long name or name, and its units in brackets.

    Examples
    --------
    >>> label(xr.DataArray(0.0, name="b_total", attrs={"units": "nT"}))
    'b total [nT]'
    """
    name = str(data.attrs.get("long_name") or data.name or default).replace("_", " ")
    name = _AXES.get(name, name)
    units = str(data.attrs.get("units") or "")
    known = {"degrees_north": "°N", "degrees_east": "°E", "degrees": "°", "deg": "°", "1": ""}
    units = known.get(units, units)
    return f"{name} [{units}]" if units else name


def title_of(data: xr.DataArray) -> str:
    """Name the slice that is drawn, by its scalar time, if it has one."""
    time = data.coords.get("time")
    if time is None or time.ndim or not np.issubdtype(time.dtype, np.datetime64):
        return ""
    return f"{pd.Timestamp(time.values):%Y-%m-%d %H:%M:%S} UTC"


def plane(data: xr.DataArray, wanted: str) -> xr.DataArray:
    """Return the two-dimensional array, without its dimensions of length one.

    Raises
    ------
    InputError
        It is not a DataArray, has more dimensions than two, is empty, or is not real numbers.
    """
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"{wanted} draws an xarray DataArray, not a {type(data).__name__}.{_variables(data)}"
        )
    squeezed = data.squeeze()
    if squeezed.ndim != 2:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in data.sizes.items())
        raise InputError(
            f"{wanted} draws two dimensions; {data.name or 'this array'} has ({sizes}). "
            "Choose one slice first, as in data.isel(time=0), or reduce it, as in data.mean('time')."
        )
    if not squeezed.size or not np.issubdtype(squeezed.dtype, np.number) or np.iscomplexobj(squeezed):
        raise InputError(
            f"{wanted} draws real numbers; {data.name or 'this array'} holds {squeezed.size} values of type "
            f"{squeezed.dtype}."
        )
    return squeezed


def _variables(data: object) -> str:
    if not isinstance(data, xr.Dataset):
        return ""
    names = ", ".join(map(str, data.data_vars)) or "none"
    return f" Choose one of its variables: {names}."
