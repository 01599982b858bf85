"""Readers: the bytes of one file to an xarray object.

A reader is any function ``(data, row) -> object``, where ``data`` holds the file's bytes and ``row`` is its
row of the file list (``row.datakey``, ``row["start"]``). One with the attribute ``fetches = False`` is called
with ``b""`` and nothing is fetched. One with the attribute ``takes_buffers = True`` may be given a
memoryview instead of bytes, which saves a copy. Options are given with `functools.partial`::

    partial(readers.fits, hdu="COMPRESSED_IMAGE")
"""

from __future__ import annotations

from helio_burst.readers._cdf import cdf
from helio_burst.readers._fits import fits
from helio_burst.readers._names import by_name
from helio_burst.readers._netcdf import netcdf
from helio_burst.readers._plain import raw, row

__all__ = ["by_name", "cdf", "fits", "netcdf", "raw", "row"]
