"""FITS images and tables from bytes in memory."""

from __future__ import annotations

import io
from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from helio_burst.errors import ReadError
from helio_burst.readers import _bytes, _rice

# Keywords that describe how the file is stored, not what was observed.
_STORAGE = {
    "", "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "TFIELDS", "THEAP", "END",
    "BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM", "ZIMAGE", "ZSIMPLE", "ZEXTEND", "ZTENSION", "ZBITPIX", "ZNAXIS",
    "ZPCOUNT", "ZGCOUNT", "ZCMPTYPE", "ZMASKCMP", "ZQUANTIZ", "ZDITHER0", "ZHECKSUM", "ZDATASUM", "ZBLOCKED", "ZBLANK",
}  # fmt: skip
_NUMBERED = (
    "NAXIS",
    "TTYPE",
    "TFORM",
    "TDIM",
    "TNULL",
    "TSCAL",
    "TZERO",
    "TDISP",
    "ZNAXIS",
    "ZTILE",
    "ZNAME",
    "ZVAL",
)


def fits(data: bytes, row: Any = None, *, hdu: int | str | None = None) -> xr.DataArray | xr.Dataset:
    """Read one image or table of a FITS file.

    Parameters
    ----------
    data : bytes
        The whole file; gzip is undone.
    row : row of a file list, optional
        Names the file in errors.
    hdu : int or str, optional
        Number or EXTNAME of the HDU; the first that holds data if not given. Give it with
        ``functools.partial(readers.fits, hdu="COMPRESSED_IMAGE")``.

    Returns
    -------
    DataArray or Dataset
        An image: DataArray, dims ("y", "x"), longer ones ("axis3", "y", "x"); values and dtype as astropy gives
        them (BSCALE, BZERO and BLANK applied), in the machine's byte order; ``attrs`` holds the header's keywords,
        and ``units`` from BUNIT; a scalar coordinate ``time`` (UTC) from DATE-OBS where there is one; coordinates
        ``x`` and ``y`` where the header tells a linear scale without rotation. A table: Dataset, dim "row".

    Raises
    ------
    ReadError
        The bytes are not FITS, cut short, or have no such HDU.
    """
    from astropy.io import fits as afits

    data = _bytes.gunzip(data, row)
    if not data.startswith(b"SIMPLE  ="):
        raise _bytes.not_readable(data, row, "FITS")
    try:
        with afits.open(io.BytesIO(data), disable_image_compression=True) as units:
            index = _find(units, hdu, row)
            unit = units[index]
            if unit.header.get("ZIMAGE"):
                return _image(_decompress(data, unit, index), unit)
            if unit.is_image:
                return _image(_native(unit.data), unit)
            return _table(unit)
    except (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
        raise _bytes.not_readable(data, row, "FITS", error) from error


def _find(units: Any, hdu: int | str | None, row: Any) -> int:
    """Return the number of the wanted HDU."""
    if hdu is None:
        for index, unit in enumerate(units):
            if unit.header["NAXIS"] > 0 and unit.size > 0:
                return index
        raise ReadError(f"{_bytes.name_of(row)} has no HDU with data.")
    try:
        return int(units.index_of(hdu)) if isinstance(hdu, str) else range(len(units))[hdu]
    except (KeyError, IndexError) as error:
        names = ", ".join(f"{index} {unit.name or '(no name)'}" for index, unit in enumerate(units))
        raise ReadError(f"{_bytes.name_of(row)} has no HDU {hdu!r}; it has: {names}.") from error


def _decompress(data: bytes, unit: Any, index: int) -> npt.NDArray[Any]:
    """Decode a tile-compressed image: fast where the layout is plain, else with astropy."""
    stored = _rice.decode(data, unit.header, unit.fileinfo()["datLoc"])
    if stored is None or {"BSCALE", "BZERO", "BLANK", "ZBLANK"} & set(unit.header):
        from astropy.io import fits as afits

        with afits.open(io.BytesIO(data)) as units:
            return _native(units[index].data)
    return stored


def _native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _image(values: npt.NDArray[Any], unit: Any) -> xr.DataArray:
    attrs = _attrs(unit.header)
    names = ["x", "y", *(f"axis{n}" for n in range(3, values.ndim + 1))]
    dims = tuple(reversed(names[: values.ndim]))
    coords: dict[Hashable, Any] = {}
    if "DATE-OBS" in attrs:
        coords["time"] = pd.Timestamp(str(attrs["DATE-OBS"])).tz_localize(None).to_datetime64()
    name = unit.name if unit.name not in ("", "PRIMARY", "COMPRESSED_IMAGE") else "image"
    return xr.DataArray(values, coords, dims, name, attrs)


def _attrs(header: Any) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if "BUNIT" in header:
        attrs["units"] = header["BUNIT"]
    for keyword, value in header.items():
        if keyword in _STORAGE or (keyword.startswith(_NUMBERED) and keyword[-1].isdigit()):
            continue
        if keyword not in ("COMMENT", "HISTORY") and isinstance(value, str | int | float):
            attrs[keyword] = int(value) if isinstance(value, bool) else value
    for keyword in ("COMMENT", "HISTORY"):
        if keyword in header:
            attrs[keyword] = "\n".join(header[keyword])
    return attrs


def _table(unit: Any) -> xr.Dataset:
    variables = {}
    for column in unit.columns:
        values = _native(np.asarray(unit.data[column.name]))
        dims = ("row", *(f"{column.name}_{n}" for n in range(1, values.ndim)))
        variables[column.name] = (dims, values, {"units": column.unit} if column.unit else {})
    return xr.Dataset(variables, attrs=_attrs(unit.header))
