"""NetCDF 3 and 4 from bytes in memory."""

from __future__ import annotations

import io
from typing import Any

import xarray as xr

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
        The bytes are not NetCDF, or cut short.
    """
    data = _bytes.gunzip(data, row)
    try:
        if _bytes.begins(data, *_bytes.NETCDF3):
            return xr.load_dataset(io.BytesIO(data), engine="scipy", **options)
        if _bytes.begins(data, _bytes.HDF5, _bytes.NETCDF5):
            return _with_netcdf4(data, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, IndexError) as error:
        raise _bytes.not_readable(data, row, "NetCDF", error) from error
    raise _bytes.not_readable(data, row, "NetCDF")


netcdf.takes_buffers = True  # type: ignore[attr-defined]


def _with_netcdf4(data: Buffer, group: str | None = None, **options: Any) -> xr.Dataset:
    import netCDF4

    file = netCDF4.Dataset("memory.nc", memory=data)
    store = xr.backends.NetCDF4DataStore(file, group=group)
    # xarray closes the file once it has loaded it.
    return xr.load_dataset(store, **options)
