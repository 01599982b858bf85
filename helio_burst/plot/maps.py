"""Two dimensions at once: images of the Sun, maps of bins, fields on the globe."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal

import matplotlib.colors as mcolors
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Patch
from matplotlib.ticker import AsinhLocator, NullLocator, StrMethodFormatter

from helio_burst.errors import InputError
from helio_burst.plot import style

Stretch = Literal["asinh", "sqrt", "log", "linear"]
_NORTH = {"latitude", "lat", "nav_lat"}
_EAST = {"longitude", "lon", "nav_lon"}


@style.in_house_style
def image(
    data: xr.DataArray,
    *,
    stretch: Stretch = "asinh",
    percentiles: tuple[float, float] = (0.5, 99.8),
    ax: Axes | None = None,
    **picture: Any,
) -> Axes:
    """Draw an image with north up, its coordinates as axes.

    Parameters
    ----------
    data : DataArray
        DataArray, dims (y, x), any units. Coordinates along both dimensions become the axes and decide which
        way is up and right; without them pixels count from the lower left.
    stretch : {"asinh", "sqrt", "log", "linear"}
        How intensity becomes colour. "asinh" shows faint and bright parts together and takes negative values.
    percentiles : (float, float)
        Which percentiles of the finite values are the ends of the colour scale, 0 to 100.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    **picture
        Passed to `matplotlib.axes.Axes.imshow`, as ``cmap``; ``vmin`` and ``vmax`` win over `percentiles`.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        The array has not two dimensions or no finite value, or the percentiles are the wrong way round.
    """
    data = style.plane(data, "image")
    ydim, xdim = data.dims
    data = _thinned(_ascending(_ascending(data, ydim), xdim))
    norm = _stretched(data, stretch, percentiles, picture.pop("vmin", None), picture.pop("vmax", None))
    ax = style.axes(ax, (5.6, 4.8))
    left, right = _edges(data, xdim)[[0, -1]]
    bottom, top = _edges(data, ydim)[[0, -1]]
    options: dict[str, Any] = {"norm": norm, "cmap": style.INTENSITY, "interpolation": "antialiased"}
    extent = (left, right, bottom, top)
    shown = ax.imshow(data.to_numpy(), origin="lower", extent=extent, **options | picture)
    _label_axes(ax, data, xdim, ydim)
    _colour_bar(ax, shown, data, "both")
    return ax


@style.in_house_style
def bin_map(
    data: xr.DataArray,
    *,
    edges: Mapping[Hashable, Any] | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    ax: Axes | None = None,
    **mesh: Any,
) -> Axes:
    """Draw a map of bins; bins in which nothing was seen are hatched.

    Parameters
    ----------
    data : DataArray
        DataArray, dims (y, x), as (latitude, longitude); NaN where nothing was seen. A coordinate holds
        the bins' centres, or the intervals that xarray's ``groupby_bins`` makes.
    edges : mapping, optional
        By dimension, n + 1 edges or CF bounds (n, 2). By default the edges lie midway between the centres,
        which is exact for bins of one width.
    vmin, vmax : float, optional
        Ends of the colour scale; by default 0 to 1 for values within it, else the values' own range.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    **mesh
        Passed to `matplotlib.axes.Axes.pcolormesh`, as ``cmap``.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        The array has not two dimensions, a coordinate is not numeric or not monotonic, or edges are of none.
    """
    data = style.plane(data, "bin_map")
    ydim, xdim = data.dims
    data = _ascending(_ascending(data, ydim), xdim)
    ax = style.axes(ax, (7.2, 3.4))
    values = np.ma.masked_invalid(data.to_numpy().astype(float))
    if values.count() and vmin is None and vmax is None and values.min() >= 0 and values.max() <= 1:
        vmin, vmax = 0.0, 1.0
    given = edges or {}
    if unknown := [dim for dim in given if dim not in data.dims]:
        raise InputError(f"edges has {unknown[0]!r}; the dimensions are {ydim!r} and {xdim!r}.")
    x, y = (_edges(data, dim, given.get(dim)) for dim in (xdim, ydim))
    colours = {"vmin": vmin, "vmax": vmax, "cmap": style.SEQUENTIAL, "rasterized": True}
    shown = ax.pcolormesh(x, y, values, **colours | mesh)
    ax.patch.set(facecolor="0.95", edgecolor="0.75", hatch="/////")
    if values.count() < values.size:
        handle = Patch(facecolor="0.95", edgecolor="0.75", hatch="/////", label="not seen")
        ax.legend(handles=[handle], loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    _label_axes(ax, data, xdim, ydim)
    _colour_bar(ax, shown, data, "neither")
    return ax


@style.in_house_style
def field(
    data: xr.DataArray,
    *,
    centre: float | None = None,
    robust: bool = False,
    ax: Axes | None = None,
    **mesh: Any,
) -> Axes:
    """Draw a field on latitude and longitude; values of both signs get a diverging scale around zero.

    Parameters
    ----------
    data : DataArray
        DataArray, dims (latitude, longitude) in either order, known by their names (latitude, lat, longitude,
        lon), standard names or units (degrees_north, degrees_east).
    centre : float, optional
        The value in the middle of a diverging scale. By default 0 where the values lie on both its sides, as
        z-scores do; otherwise the scale is sequential.
    robust : bool
        End the colours at the 2nd and 98th percentiles and not at the extremes.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    **mesh
        Passed to `matplotlib.axes.Axes.pcolormesh`, as ``cmap``.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        The array has not the two dimensions latitude and longitude, or no finite value.
    """
    data = style.plane(data, "field")
    north, east = _find(data, _NORTH, "latitude"), _find(data, _EAST, "longitude")
    data = data.transpose(north, east)
    low, high = _limits(data, (2, 98) if robust else (0, 100))
    colours: dict[str, Any] = {"vmin": low, "vmax": high, "cmap": style.SEQUENTIAL}
    if centre is None and low < 0 < high:
        centre = 0.0
    if centre is not None:
        reach = max(abs(low - centre), abs(high - centre))
        colours = {"vmin": centre - reach, "vmax": centre + reach, "cmap": style.DIVERGING}
    ax = style.axes(ax, (6.4, 4.2))
    x, y = _edges(data, east), _edges(data, north)
    shown = ax.pcolormesh(
        x, y, np.ma.masked_invalid(data.to_numpy()), **colours | {"rasterized": True} | mesh
    )
    ax.set_facecolor("0.85")
    # One degree of longitude is shorter than one of latitude away from the equator.
    middle = np.clip(abs(y[[0, -1]].mean()), 0, 75)
    ax.set_aspect(1 / np.cos(np.deg2rad(middle)))
    _label_axes(ax, data, east, north)
    _colour_bar(ax, shown, data, "both" if robust else "neither")
    return ax


def _find(data: xr.DataArray, names: set[str], standard: str) -> Hashable:
    units = "degrees_north" if standard == "latitude" else "degrees_east"
    for dim in data.dims:
        attrs = data[dim].attrs
        if str(dim).lower() in names or attrs.get("standard_name") == standard or attrs.get("units") == units:
            return dim
    raise InputError(
        f"field draws latitude against longitude; {data.name or 'this array'} has the dimensions "
        f"{', '.join(map(str, data.dims))}, none of which is a {standard}. "
        "Rename it, or use image or bin_map."
    )


def _ascending(data: xr.DataArray, dim: Hashable) -> xr.DataArray:
    """Turn the array so that a numeric coordinate grows along `dim`."""
    if dim not in data.coords:
        return data
    if data.sizes[dim] > 1 and data[dim].to_numpy()[0] > data[dim].to_numpy()[-1]:
        return data.isel({dim: slice(None, None, -1)})
    return data


def _edges(data: xr.DataArray, dim: Hashable, given: Any = None) -> np.ndarray:
    """Return the n + 1 edges of the cells along a dimension whose coordinate grows."""
    size = data.sizes[dim]
    if given is not None:
        return _given_edges(np.asarray(given), dim, size)
    if dim not in data.coords:
        return np.arange(size + 1) - 0.5
    centres = data[dim].to_numpy()
    if centres.dtype == object and all(isinstance(centre, pd.Interval) for centre in centres):
        return np.array([*(interval.left for interval in centres), centres[-1].right])
    if not np.issubdtype(centres.dtype, np.number):
        raise InputError(f"The coordinate {dim!r} is of type {centres.dtype}; a map needs numbers.")
    if size == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    steps = np.diff(centres)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise InputError(f"The coordinate {dim!r} goes up and down; sort it first: data.sortby({dim!r}).")
    middles = centres[:-1] + steps / 2
    return np.concatenate([[centres[0] - steps[0] / 2], middles, [centres[-1] + steps[-1] / 2]])


def _given_edges(edges: np.ndarray, dim: Hashable, size: int) -> np.ndarray:
    if edges.shape == (size, 2):
        edges = np.append(edges[:, 0], edges[-1, 1])
    if edges.shape != (size + 1,):
        raise InputError(
            f"edges of {dim!r} must be {size + 1} numbers, or bounds of shape ({size}, 2); "
            f"their shape is {edges.shape}."
        )
    return np.sort(edges)


def _limits(data: xr.DataArray, percentiles: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise InputError(f"percentiles={percentiles} must be two numbers from 0 to 100, the lower one first.")
    values = data.to_numpy()
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise InputError(f"{data.name or 'The array'} has no finite value: nothing to draw.")
    low, high = np.percentile(finite, percentiles)
    return float(low), float(high)


def _stretched(
    data: xr.DataArray,
    stretch: Stretch,
    percentiles: tuple[float, float],
    vmin: float | None,
    vmax: float | None,
) -> mcolors.Normalize:
    low, high = _limits(data, percentiles)
    low, high = low if vmin is None else vmin, high if vmax is None else vmax
    if high <= low:
        return mcolors.Normalize(low - 0.5, high + 0.5)
    if stretch == "linear":
        return mcolors.Normalize(low, high, clip=False)
    if stretch == "sqrt":
        return mcolors.PowerNorm(0.5, low, high)
    if stretch == "log":
        values = data.to_numpy()
        positive = values[values > 0]
        if not positive.size:
            raise InputError("stretch='log' needs positive values; there are none. Use 'asinh' or 'linear'.")
        return mcolors.LogNorm(low if low > 0 else float(np.percentile(positive, 1)), high)
    if stretch == "asinh":
        return mcolors.AsinhNorm(linear_width=(high - low) / 20, vmin=low, vmax=high)
    raise InputError(f"stretch={stretch!r} is not known. There are: asinh, sqrt, log, linear.")


def _thinned(data: xr.DataArray, most: int = 2048) -> xr.DataArray:
    """Average blocks of a large image: a screen shows no more pixels, and matplotlib copies all of them."""
    factor = -(-max(data.shape) // most)
    if factor == 1:
        return data
    blocks = data.coarsen(dict.fromkeys(data.dims, factor), boundary="trim")
    return blocks.mean(keep_attrs=True)


def _label_axes(ax: Axes, data: xr.DataArray, xdim: Hashable, ydim: Hashable) -> None:
    ax.set_xlabel(style.label(data[xdim], str(xdim)) if xdim in data.coords else f"{xdim} [pixel]")
    ax.set_ylabel(style.label(data[ydim], str(ydim)) if ydim in data.coords else f"{ydim} [pixel]")
    if title := style.title_of(data):
        ax.set_title(title)


def _colour_bar(ax: Axes, shown: ScalarMappable, data: xr.DataArray, extend: str) -> None:
    bar = ax.figure.colorbar(shown, ax=ax, label=style.label(data), pad=0.02, extend=extend)
    if isinstance(shown.norm, mcolors.AsinhNorm):
        bar.locator = AsinhLocator(shown.norm.linear_width, numticks=7)
        bar.formatter = StrMethodFormatter("{x:g}")
        bar.minorlocator = NullLocator()
    bar.outline.set_linewidth(0.6)
