"""FITS images and tables from bytes in memory."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from helio_burst.errors import ReadError
from helio_burst.readers import _bytes, _hdus, _header, _rice
from helio_burst.readers._bytes import Buffer
from helio_burst.readers._hdus import HDU

_INTEGERS = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8"}
_FLOATS = {-32: ">f4", -64: ">f8"}


def fits(data: Buffer, row: Any = None, *, hdu: int | str | None = None) -> xr.DataArray | xr.Dataset:
    """Read one image or table of a FITS file.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file; gzip is undone.
    row : row of a file list, optional
        Names the file in errors.
    hdu : int or str, optional
        Number or EXTNAME of the HDU; the first that holds data if not given. Choose it for a run with
        ``functools.partial(readers.fits, hdu="COMPRESSED_IMAGE")``.

    Returns
    -------
    DataArray or Dataset
        An image is a DataArray, dims ("y", "x"), with more ("axis3", "y", "x"). Values and dtype are
        astropy's, with BSCALE, BZERO and BLANK applied, in the machine's byte order. ``attrs`` holds the
        header's keywords, enough for `astropy.wcs.WCS`, and ``units`` from BUNIT. A scalar coordinate
        ``time`` is the start of the observation, UTC; coordinates ``x`` and ``y`` are there where the header
        has a scale without rotation, and leave out the projection, which is below a pixel in a full-disc
        image. A table is a Dataset, dim "row", one variable a column.

    Raises
    ------
    ReadError
        The bytes are not FITS, damaged or cut short, or have no such HDU.
    """
    data = _bytes.gunzip(data, row)
    if not _bytes.begins(data, _bytes.FITS):
        raise _bytes.not_readable(data, row, "FITS")
    try:
        unit = _hdus.find(data, hdu, row)
        if unit.is_table and not unit.is_compressed_image:
            return _table(_with_astropy(data, unit), unit)
        return _image(_values(data, unit), unit)
    except ReadError:
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
        raise _bytes.not_readable(data, row, "FITS", error) from error


fits.takes_buffers = True  # type: ignore[attr-defined]


def _values(data: Buffer, unit: HDU) -> npt.NDArray[Any]:
    """Return an image's values as astropy does."""
    header = unit.header
    if unit.is_compressed_image:
        stored = None if "ZBLANK" in header else _rice.decode(data, unit)
        if stored is None:
            return _native(_with_astropy(data, unit))
        return _scaled(stored, header, header["ZBITPIX"])
    dtype = (_INTEGERS | _FLOATS)[header["BITPIX"]]
    shape = tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))
    if header.get("GROUPS") or 0 in shape:
        return _native(_with_astropy(data, unit))
    stored = np.frombuffer(data, dtype, unit.size // np.dtype(dtype).itemsize, unit.offset)
    return _scaled(_native(stored.reshape(shape), copy=True), header, header["BITPIX"])


def _scaled(stored: npt.NDArray[Any], header: Any, bits: int) -> npt.NDArray[Any]:
    """Apply BSCALE, BZERO and BLANK with the dtypes that astropy chooses."""
    scale, zero, blank = header.get("BSCALE", 1), header.get("BZERO", 0), header.get("BLANK")
    if bits < 0 or not isinstance(blank, int):
        blank = None
    if scale == 1 and zero == 0 and blank is None:
        return stored
    if scale == 1 and bits in (16, 32, 64) and zero == 1 << (bits - 1):
        return (stored.view(f"u{bits // 8}") ^ (1 << (bits - 1))).astype(f"u{bits // 8}", copy=False)
    if bits < 0:
        values = stored
    elif scale == 1 and bits == 8 and zero == -128:
        values = stored.astype("i1")
    else:
        values = stored.astype("f8" if bits > 16 else "f4")
    if scale != 1:
        values *= scale
    if zero != 0:
        values += zero
    # astropy leaves BLANK = 0 alone.
    if blank and values.dtype.kind == "f":
        values[stored == blank] = np.nan
    return values


def _with_astropy(data: Buffer, unit: HDU) -> Any:
    """Let astropy read what is rare: tables, and images that are compressed in another way."""
    from astropy.io import fits as astropy_fits

    padding = -len(data) % _hdus.BLOCK  # astropy warns where a writer left it out
    stream = io.BytesIO(bytes(data) + bytes(padding))
    with astropy_fits.open(stream, disable_image_compression=not unit.is_compressed_image) as units:
        return units[unit.number].data


def _native(values: npt.NDArray[Any], *, copy: bool = False) -> npt.NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="), copy=copy)


def _image(values: npt.NDArray[Any], unit: HDU) -> xr.DataArray:
    attrs = _header.attributes(unit)
    names = ["x", "y", *(f"axis{axis}" for axis in range(3, values.ndim + 1))][: values.ndim]
    coords = _header.coordinates(attrs, values.shape)
    name = unit.name if unit.name not in ("", "COMPRESSED_IMAGE") else "image"
    return xr.DataArray(values, coords, tuple(reversed(names)), name, attrs)


def _table(records: Any, unit: HDU) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for column in records.columns:
        values = _native(np.asarray(records[column.name]))
        dims = ("row", *(f"{column.name}_{axis}" for axis in range(1, values.ndim)))
        attrs = {"units": column.unit} if column.unit else {}
        if column.null not in (None, ""):
            attrs["missing_value"] = column.null
        variables[column.name] = (dims, values, attrs)
    return xr.Dataset(variables, attrs=_header.attributes(unit))
