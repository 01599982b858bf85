"""NetCDF 3 and 4 from bytes in memory."""

from __future__ import annotations

import io
from typing import Any

import xarray as xr

from helio_burst.errors import InputError, ReadError, nearest
from helio_burst.readers import _bytes
from helio_burst.readers._bytes import Buffer


def netcdf(data: Buffer, row: Any = None, **options: Any) -> xr.Dataset:
    """Read a NetCDF 3 or 4 file into memory.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file; gzip is undone.
    row : row of a file list, optional
        Names the file in errors.
    **options
        For `xarray.open_dataset`, such as ``group`` or ``drop_variables``.

    Returns
    -------
    Dataset
        Loaded, the file closed; scale, offset, fill values and times decoded by xarray with this file's own
        attributes.

    Raises
    ------
    ReadError
        The bytes are not NetCDF, or cut short, or have no such group.
    InputError
        An option is not one of `xarray.open_dataset`.
    """
    data = _bytes.gunzip(data, row)
    try:
        if _bytes.begins(data, *_bytes.NETCDF3):
            return _with_scipy(data, row, **options)
        if _bytes.begins(data, _bytes.HDF5, _bytes.NETCDF5):
            return _with_netcdf4(data, row, **options)
    except ReadError:
        raise
    except TypeError as error:
        if not options:
            raise _bytes.not_readable(data, row, "NetCDF", error) from error
        raise InputError(f"readers.netcdf does not take {options}: {error}.") from error
    except (OSError, ValueError, KeyError, RuntimeError, IndexError) as error:
        raise _bytes.not_readable(data, row, "NetCDF", error) from error
    raise _bytes.not_readable(data, row, "NetCDF")


netcdf.takes_buffers = True  # type: ignore[attr-defined]


def _with_scipy(data: Buffer, row: Any, group: str | None = None, **options: Any) -> xr.Dataset:
    if group is not None:
        raise ReadError(f"{_bytes.name_of(row)} has no group {group!r}: NetCDF 3 has none.")
    return xr.load_dataset(io.BytesIO(data), engine="scipy", **options)


def _with_netcdf4(data: Buffer, row: Any, group: str | None = None, **options: Any) -> xr.Dataset:
    import netCDF4

    file = netCDF4.Dataset("memory.nc", memory=data)
    if group is not None:
        _check_group(file, group, row)
    store = xr.backends.NetCDF4DataStore(file, group=group)
    # xarray closes the file once it has loaded it.
    return xr.load_dataset(store, engine=None, **options)


def _check_group(file: Any, group: str, row: Any) -> None:
    inner = file
    for name in group.strip("/").split("/"):
        if name and name not in inner.groups:
            names = list(map(str, inner.groups))
            raise ReadError(
                f"{_bytes.name_of(row)} has no group {name!r} in {inner.path}. {nearest(name, names)}"
            )
        inner = inner.groups[name] if name else inner
