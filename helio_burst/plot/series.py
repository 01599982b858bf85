"""Time series: lines that break where files are missing, and marks where files failed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from helio_burst.errors import InputError
from helio_burst.plot import style
from helio_burst.timespan import naive


@style.in_house_style
def time_series(
    data: xr.DataArray | xr.Dataset,
    *,
    failed: pd.DataFrame | pd.DatetimeIndex | pd.Series[pd.Timestamp] | None = None,
    dim: str = "time",
    gap: float = 1.5,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw values against UTC time; the line breaks where files are missing.

    Parameters
    ----------
    data : DataArray or Dataset
        DataArray, dims (time,) or (time, other): one line for each of at most ten labels of the other
        dimension. Of a Dataset, all its numeric variables of dims (time,) are drawn; they must share their
        units. Times are UTC and need not be sorted.
    failed : DataFrame, Series or DatetimeIndex, optional
        Files that gave no value, marked on the time axis: their times, or a DataFrame with a column
        ``start``, as ``outcome.failures`` is.
    dim : str
        The dimension of time.
    gap : float
        The line breaks where a step is longer than this many times the median step.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    **line
        Passed to `matplotlib.axes.Axes.plot`, as ``color`` or ``label``.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        There is no such dimension, its coordinate is not time, or there are too many dimensions or lines.

    Examples
    --------
    >>> time = np.array(["2020-01-01T00", "2020-01-01T01", "2020-01-01T06"], "datetime64[ns]")
    >>> ax = time_series(xr.DataArray([1.0, 2.0, 3.0], {"time": time}, name="flux", attrs={"units": "nT"}))
    >>> ax.get_ylabel()
    'flux [nT]'
    """
    lines = _lines(data, dim)
    times = _times(next(iter(lines.values())), dim)
    ax = style.axes(ax, (7.2, 3.2))
    order = np.argsort(times, kind="stable")
    for name, values in lines.items():
        _draw_line(ax, times[order], values.to_numpy()[order], gap, {"label": name} | line)
    if failed is not None:
        _mark_failures(ax, failed)
    ax.set_ylabel(_value_label(lines))
    _time_axis(ax)
    if len(lines) > 1 or "label" in line or (failed is not None and len(failed)):
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, borderaxespad=0.2)
    return ax


def _value_label(lines: dict[str, xr.DataArray]) -> str:
    labels = {style.label(line) for line in lines.values()}
    if len(labels) == 1:
        return labels.pop()
    units = next(iter(lines.values())).attrs.get("units")
    return f"[{units}]" if units else ""


def _lines(data: xr.DataArray | xr.Dataset, dim: str) -> dict[str, xr.DataArray]:
    """Split the data into named series along time."""
    if isinstance(data, xr.Dataset):
        return _lines_of_dataset(data, dim)
    if not isinstance(data, xr.DataArray):
        raise InputError(f"time_series draws an xarray DataArray or Dataset, not a {type(data).__name__}.")
    if dim not in data.dims:
        dims = ", ".join(map(str, data.dims)) or "none"
        raise InputError(
            f"{data.name or 'The array'} has no dimension {dim!r}; it has {dims}. "
            "Name the dimension of time with dim=."
        )
    squeezed = data.squeeze([other for other in data.dims if other != dim and data.sizes[other] == 1])
    if not (np.issubdtype(data.dtype, np.number) or data.dtype == bool) or np.iscomplexobj(data):
        raise InputError(
            f"time_series draws real numbers; {data.name or 'the array'} is of type {data.dtype}."
        )
    others = [other for other in squeezed.dims if other != dim]
    if not others:
        return {str(data.name or "values"): squeezed}
    if len(others) > 1 or squeezed.sizes[others[0]] > 10:
        sizes = ", ".join(f"{name}: {size}" for name, size in data.sizes.items())
        raise InputError(
            f"time_series draws one line, or at most ten; {data.name or 'the array'} has ({sizes}). "
            "Select or reduce the other dimensions first."
        )
    other = others[0]
    labels = squeezed[other].to_numpy() if other in squeezed.coords else range(squeezed.sizes[other])
    return {f"{other} {label}": squeezed.isel({other: index}) for index, label in enumerate(labels)}


def _lines_of_dataset(data: xr.Dataset, dim: str) -> dict[str, xr.DataArray]:
    lines = {
        str(name): variable
        for name, variable in data.data_vars.items()
        if variable.dims == (dim,)
        and np.issubdtype(variable.dtype, np.number)
        and not np.iscomplexobj(variable)
    }
    if not lines:
        described = ", ".join(f"{name} {tuple(map(str, v.dims))}" for name, v in data.data_vars.items())
        raise InputError(
            f"No numeric variable has the one dimension {dim!r}. There are: {described or 'none'}."
        )
    units = {str(line.attrs.get("units", "")) for line in lines.values()}
    if len(units) > 1:
        raise InputError(
            f"{', '.join(lines)} have different units ({', '.join(sorted(units))}); draw one, as in "
            f"time_series(data[{next(iter(lines))!r}])."
        )
    return lines


def _times(data: xr.DataArray, dim: str) -> np.ndarray:
    values = data[dim].to_numpy()
    if not np.issubdtype(values.dtype, np.datetime64):
        raise InputError(f"The coordinate {dim!r} is of type {values.dtype}, not of time (datetime64).")
    if not values.size:
        raise InputError(f"{data.name or 'The array'} is empty: nothing to draw along {dim!r}.")
    return values.astype("datetime64[ns]")


def _draw_line(ax: Axes, times: np.ndarray, values: np.ndarray, gap: float, line: dict[str, Any]) -> None:
    values = values.astype(float)
    breaks = gaps(times, gap)
    # A NaN in the middle of a gap breaks the line there.
    middle = times[breaks] + (times[breaks + 1] - times[breaks]) // 2
    drawn = ax.plot(np.insert(times, breaks + 1, middle), np.insert(values, breaks + 1, np.nan), **line)[0]
    alone = _isolated(values, breaks)
    if values.size <= 48:
        alone = np.isfinite(values)
    dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2.8, "color": drawn.get_color()}
    ax.plot(times[alone], values[alone], **dots)


def gaps(times: np.ndarray, factor: float = 1.5) -> np.ndarray:
    """Find the indices after which a series pauses for more than `factor` times its median step.

    Parameters
    ----------
    times : ndarray of datetime64[ns], shape (n,)
        Sorted.
    factor : float
        Steps up to this many times the median are no gap.

    Returns
    -------
    ndarray of int, shape (number of gaps,)

    Examples
    --------
    >>> gaps(np.array([0, 1, 2, 8, 9], "datetime64[ns]"))
    array([2])
    """
    steps = np.diff(times).astype("timedelta64[ns]").astype(np.int64)
    positive = steps[steps > 0]
    if not positive.size:
        return np.empty(0, dtype=int)
    return np.asarray(np.flatnonzero(steps > factor * np.median(positive)))


def _isolated(values: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Mark the values that no line segment touches: they would not be seen."""
    finite = np.isfinite(values)
    joined = finite[:-1] & finite[1:]
    joined[breaks] = False
    touched = np.zeros(values.size, dtype=bool)
    touched[:-1] |= joined
    touched[1:] |= joined
    return np.asarray(finite & ~touched)


def _mark_failures(ax: Axes, failed: pd.DataFrame | pd.DatetimeIndex | pd.Series[pd.Timestamp]) -> None:
    if isinstance(failed, pd.DataFrame):
        if "start" not in failed.columns:
            columns = ", ".join(map(str, failed.columns)) or "none"
            raise InputError(f"failed= needs a column 'start' to place its rows in time; it has {columns}.")
        failed = failed["start"]
    if not len(failed):
        return
    times = naive(failed)
    ax.plot(
        times,
        np.zeros(times.size),
        linestyle="none",
        marker=2,  # a tick that points up from the axis
        markersize=9,
        color=style.FAULT,
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        label=f"{times.size:,} failed file{'s' if times.size > 1 else ''}",
    )


def _time_axis(ax: Axes) -> None:
    ax.set_xlabel("Time (UTC)")
    ax.margins(x=0.01)
    ax.grid(visible=True, axis="y")
    ax.spines[["top", "right"]].set_visible(False)
