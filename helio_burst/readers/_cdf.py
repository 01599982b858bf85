"""NASA CDF from bytes in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from helio_burst.errors import ReadError
from helio_burst.readers import _bytes
from helio_burst.readers._epochs import TIME_TYPES, to_datetime64


def cdf(data: bytes, row: Any = None, *, variables: Iterable[str] | None = None) -> xr.Dataset:
    """Read a CDF file into memory.

    Parameters
    ----------
    data : bytes
        The whole file; gzip is undone.
    row : row of a file list, optional
        Names the file in errors.
    variables : iterable of str, optional
        Read only these and what they depend on (DEPEND_n, LABL_PTR_n); all if not given.

    Returns
    -------
    Dataset
        Dims are the names in DEPEND_0, DEPEND_1 ..., else in LABL_PTR_1 ...; times are datetime64[ns], UTC; FILLVAL
        is NaN in floats and NaT in times, and stays in integers; attributes are the file's, with ``units`` and
        ``long_name`` added from UNITS and CATDESC.

    Raises
    ------
    ReadError
        The bytes are not CDF, cut short, or lack a variable asked for.
    """
    import cdflib

    data = _bytes.gunzip(data, row)
    if not data.startswith(_bytes.CDF):
        raise _bytes.not_readable(data, row, "NASA CDF")
    # cdflib reads only from files.
    with tempfile.TemporaryDirectory(prefix="helio-burst-") as folder:
        path = Path(folder, "file.cdf")
        path.write_bytes(data)
        try:
            file = cdflib.CDF(path)
            names = _wanted(file, variables, row)
            attrs = {name: "\n".join(map(str, value)) for name, value in file.globalattsget().items()}
            return _dataset({name: _Variable(file, name) for name in names}, attrs)
        except ReadError:
            raise
        except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError) as error:
            raise _bytes.not_readable(data, row, "NASA CDF", error) from error


class _Variable:
    """One variable of a CDF: values, attributes, and whether it varies from record to record."""

    def __init__(self, file: Any, name: str) -> None:
        inquiry = file.varinq(name)
        self.name = name
        self.attrs: dict[str, Any] = {key: _plain(value) for key, value in file.varattsget(name).items()}
        self.records = bool(inquiry.Rec_Vary)
        self.values = self._read(file, inquiry)

    def _read(self, file: Any, inquiry: Any) -> npt.NDArray[Any]:
        shape = tuple(
            size for size, varies in zip(inquiry.Dim_Sizes, inquiry.Dim_Vary, strict=False) if varies
        )
        if inquiry.Last_Rec < 0:
            values = np.empty((0, *shape) if self.records else shape, "f8")
        else:
            values = np.asarray(file.varget(self.name))
        fill = self.attrs.pop("FILLVAL", None)
        if inquiry.Data_Type_Description in TIME_TYPES:
            return to_datetime64(values, inquiry.Data_Type_Description)
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if values.dtype.kind == "f" and isinstance(fill, int | float):
            values[values == values.dtype.type(fill)] = np.nan
        elif fill is not None:
            self.attrs["FILLVAL"] = fill
        return values

    def dims(self, known: dict[str, _Variable]) -> tuple[str, ...]:
        """Name the dimensions by the variables that this one depends on, as far as their sizes agree."""
        dims = []
        for axis, size in enumerate(self.values.shape):
            number = axis if self.records else axis + 1
            pointers = [self.attrs.get(f"{kind}_{number}") for kind in ("DEPEND", "LABL_PTR")]
            own = [self.name] if self.values.ndim == 1 else []
            names = (name for name in pointers + own if name in known and known[name].values.shape == (size,))
            dims.append(next(names, f"{self.name}_{number}"))
        return tuple(dims)


def _dataset(variables: dict[str, _Variable], attrs: dict[str, Any]) -> xr.Dataset:
    contents = {}
    for name, variable in variables.items():
        extra = {"units": variable.attrs.get("UNITS"), "long_name": variable.attrs.get("CATDESC")}
        described = {
            **{key: text for key, text in extra.items() if text and str(text).strip()},
            **variable.attrs,
        }
        contents[name] = (variable.dims(variables), variable.values, described)
    return xr.Dataset(contents, attrs=attrs)


def _wanted(file: Any, variables: Iterable[str] | None, row: Any) -> list[str]:
    info = file.cdf_info()
    available = [*info.zVariables, *info.rVariables]
    if variables is None:
        return available
    wanted = [variables] if isinstance(variables, str) else list(variables)
    for name in wanted:
        if name not in available:
            raise ReadError(
                f"{_bytes.name_of(row)} has no variable {name!r}; it has: {', '.join(available)}."
            )
        for key, value in file.varattsget(name).items():
            if key.startswith(("DEPEND_", "LABL_PTR_")) and value in available and value not in wanted:
                wanted.append(value)
    return wanted


def _plain(value: Any) -> Any:
    """Turn numpy scalars into Python's, so that attributes can be saved anywhere."""
    return value.item() if isinstance(value, np.generic) else value
