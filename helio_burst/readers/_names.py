"""The reader chosen by a file's name, else by how its bytes begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helio_burst.errors import ReadError
from helio_burst.readers import _bytes
from helio_burst.readers._bytes import Buffer
from helio_burst.readers._cdf import cdf
from helio_burst.readers._fits import fits
from helio_burst.readers._netcdf import netcdf

_BY_ENDING: dict[str, Callable[..., Any]] = {
    ".fits": fits,
    ".fts": fits,
    ".fit": fits,
    ".fz": fits,
    ".nc": netcdf,
    ".nc3": netcdf,
    ".nc4": netcdf,
    ".h5": netcdf,
    ".cdf": cdf,
}


def by_name(data: Buffer, row: Any = None) -> Any:
    """Read a file with the reader for its datakey's ending, else for how its bytes begin.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file.
    row : row of a file list, optional
        Its datakey ends in .fits, .fts, .fit, .fz, .nc, .nc3, .nc4, .h5 or .cdf, in any case, with or without
        .gz.

    Returns
    -------
    DataArray or Dataset
        As `fits`, `netcdf` or `cdf` return it.

    Raises
    ------
    ReadError
        No reader is known for the file, or its reader cannot decode it.
    """
    name = str(getattr(row, "datakey", "")).partition("?")[0].lower()
    if not name.startswith("data:"):
        name = name.removesuffix(".gz")
        for ending, reader in _BY_ENDING.items():
            if name.endswith(ending):
                return reader(data, row)
    return _by_magic(_bytes.gunzip(data, row), row)


by_name.takes_buffers = True  # type: ignore[attr-defined]


def _by_magic(data: Buffer, row: Any) -> Any:
    if _bytes.begins(data, _bytes.FITS):
        return fits(data, row)
    if _bytes.begins(data, _bytes.HDF5, *_bytes.NETCDF3, _bytes.NETCDF5):
        return netcdf(data, row)
    if _bytes.begins(data, *_bytes.CDF):
        return cdf(data, row)
    raise ReadError(
        f"No reader is known for {_bytes.name_of(row)} ({len(data):,} bytes): it looks like "
        f"{_bytes.looks_like(data)}. Endings that are known: {', '.join(_BY_ENDING)}, each also with .gz. "
        "Give read= a function of (data, row), or readers.raw for the bytes."
    )
