"""NASA CDF from bytes in memory."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from helio_burst.errors import ReadError, nearest
from helio_burst.readers import _bytes
from helio_burst.readers._bytes import Buffer
from helio_burst.readers._epochs import TIME_TYPES, to_datetime64

_POINTERS = ("DEPEND", "LABL_PTR")


def cdf(data: Buffer, row: Any = None, *, variables: Iterable[str] | None = None) -> xr.Dataset:
    """Read a CDF file into memory.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file; gzip is undone.
    row : row of a file list, optional
        Names the file in errors.
    variables : iterable of str, optional
        Read only these and what they depend on (DEPEND_n, LABL_PTR_n); all if not given.

    Returns
    -------
    Dataset
        Dims have the names in DEPEND_0, DEPEND_1 ..., else in LABL_PTR_1 ..., where the sizes agree, and
        those variables are coordinates. Times are datetime64[ns], UTC. FILLVAL is NaN in floats and NaT in
        times; in integers it stays, and the attribute FILLVAL with it. ``attrs`` are the file's, with
        ``units`` from UNITS and ``long_name`` from CATDESC.

    Raises
    ------
    ReadError
        The bytes are not CDF, damaged or cut short, or lack a variable asked for.
    """
    import cdflib

    data = _bytes.gunzip(data, row)
    if not _bytes.begins(data, *_bytes.CDF):
        raise _bytes.not_readable(data, row, "NASA CDF")
    # cdflib reads from files only.
    with tempfile.TemporaryDirectory(prefix="helio-burst-") as folder:
        path = Path(folder, "file.cdf")
        path.write_bytes(data)
        try:
            file = cdflib.CDF(path)
            read = {name: _Variable(file, name) for name in _wanted(file, variables, row)}
            attrs = {name: "\n".join(map(str, lines)) for name, lines in file.globalattsget().items()}
            return _dataset(read, attrs)
        except ReadError:
            raise
        except (OSError, ValueError, LookupError, TypeError, EOFError, struct.error, zlib.error) as error:
            raise _bytes.not_readable(data, row, "NASA CDF", error) from error


cdf.takes_buffers = True  # type: ignore[attr-defined]


def _wanted(file: Any, variables: Iterable[str] | None, row: Any) -> list[str]:
    """Return the names to read: those asked for and, after them, what they depend on."""
    info = file.cdf_info()
    available = [*info.zVariables, *info.rVariables]
    if variables is None:
        return available
    wanted = [variables] if isinstance(variables, str) else list(variables)
    for name in wanted:  # grows as it goes
        if name not in available:
            raise ReadError(f"{_bytes.name_of(row)} has no variable {name!r}. {nearest(name, available)}")
        attrs = file.varattsget(name)
        pointers = [value for key, value in attrs.items() if key.rpartition("_")[0] in _POINTERS]
        wanted += [value for value in pointers if value in available and value not in wanted]
    return wanted


class _Variable:
    """One variable of a CDF: its values, its attributes, and whether it varies from record to record."""

    def __init__(self, file: Any, name: str) -> None:
        inquiry = file.varinq(name)
        self.name = name
        self.attrs: dict[str, Any] = {key: _plain(value) for key, value in file.varattsget(name).items()}
        self.by_record = bool(inquiry.Rec_Vary)
        self.values = self._decode(self._stored(file, inquiry), inquiry.Data_Type_Description)

    def _stored(self, file: Any, inquiry: Any) -> npt.NDArray[Any]:
        if inquiry.Last_Rec >= 0:
            return np.asarray(file.varget(self.name))
        # No record was written.
        sizes = [size for size, varies in zip(inquiry.Dim_Sizes, inquiry.Dim_Vary, strict=False) if varies]
        return np.full((0, *sizes) if self.by_record else sizes, np.nan)

    def _decode(self, values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
        if kind in TIME_TYPES:
            self.attrs.pop("FILLVAL", None)
            self.attrs.pop("UNITS", None)  # datetime64 has its own
            return to_datetime64(values, kind)
        if values.dtype.kind == "U":
            return np.char.strip(values)
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if values.dtype.kind == "f":
            fill = self.attrs.pop("FILLVAL", None)
            if isinstance(fill, int | float):
                values = np.where(values == values.dtype.type(fill), values.dtype.type(np.nan), values)
        return values

    def pointers(self, number: int) -> list[Any]:
        """Return the names of the variables that describe axis `number`; 0 is the one of records."""
        return [self.attrs.get(f"{kind}_{number}") for kind in _POINTERS]

    def dims(self, known: dict[str, _Variable], axes: set[str]) -> tuple[str, ...]:
        """Name the dims by the variables that describe them, as far as the sizes agree."""
        if self.name in axes and self.values.ndim == 1:
            return (self.name,)
        first = 0 if self.by_record else 1
        return tuple(self._dim(number, size, known) for number, size in enumerate(self.values.shape, first))

    def _dim(self, number: int, size: int, known: dict[str, _Variable]) -> str:
        for name in self.pointers(number):
            shape = known[name].values.shape if isinstance(name, str) and name in known else ()
            if shape == (size,):
                return str(name)
            if number > 0 and len(shape) == 2 and shape[1] == size:  # an axis that changes with time
                return f"{name}_1"
        return f"{self.name}_{number}"


def _dataset(variables: dict[str, _Variable], attrs: dict[str, Any]) -> xr.Dataset:
    axes = {
        name
        for variable in variables.values()
        for number in range(variable.values.ndim + 1)
        for name in variable.pointers(number)
        if name in variables
    }
    # A time that nothing points to is still the axis of its own records.
    axes |= {
        name
        for name, variable in variables.items()
        if variable.values.dtype.kind == "M" and variable.pointers(0)[0] not in variables
    }
    contents = {
        name: (variable.dims(variables, axes), variable.values, _described(variable.attrs))
        for name, variable in variables.items()
    }
    return xr.Dataset(contents, attrs=attrs).set_coords(sorted(axes))


def _described(attrs: dict[str, Any]) -> dict[str, Any]:
    """Add the attributes' names that xarray and its plots know."""
    names = {"units": attrs.get("UNITS"), "long_name": attrs.get("CATDESC")}
    return {
        name: text.strip() for name, text in names.items() if isinstance(text, str) and text.strip()
    } | attrs


def _plain(value: Any) -> Any:
    """Turn numpy scalars into Python's, so that attributes can be saved anywhere."""
    return value.item() if isinstance(value, np.generic) else value
