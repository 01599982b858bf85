"""What a function returned, packed for the way back: scalars as columns, arrays stacked by structure."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr

VALUE = "value"
# The dimension along which arrays of one structure are stacked; no result has one of that name.
ITEM = "burst_item"

_PLAIN = (bool, int, float, str, np.generic, datetime.datetime, datetime.timedelta)
_KINDS = "biufmMU"


@dataclass
class Packed:
    """The values of some items.

    Attributes
    ----------
    columns : dict of str to array
        One column a scalar variable, one entry an item (null where it has none).
    attrs : dict of str to dict
        Attributes (units and the like) of the scalar variables.
    stacks : list of Dataset
        Arrays, one Dataset a structure, stacked along `ITEM`, whose coordinate is the position.
    """

    columns: dict[str, pa.Array] = field(default_factory=dict)
    attrs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stacks: list[xr.Dataset] = field(default_factory=list)


def is_packable(value: Any) -> str | None:
    """Return None if a value can be packed, else the reason why it cannot."""
    try:
        if _scalars(value) is None:
            _dataset(value)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def pack(values: Sequence[Any]) -> tuple[Packed, dict[int, str]]:
    """Pack the values of some items.

    Returns
    -------
    Packed
    dict of int to str
        The positions whose value could not be packed, with the reason.
    """
    packed = Packed()
    refused: dict[int, str] = {}
    scalars: dict[str, list[Any]] = {}
    datasets: dict[int, xr.Dataset] = {}
    for position, value in enumerate(values):
        if type(value) is float or type(value) is int:  # by far the most frequent; kept short
            flat: dict[str, Any] | None = {VALUE: value}
        else:
            try:
                flat = _scalars(value)
                if flat is None:
                    datasets[position] = _dataset(value)
                    continue
                _note_attrs(value, packed.attrs)
            except (TypeError, ValueError) as error:
                refused[position] = str(error)
                continue
        for name, scalar in (flat or {}).items():
            column = scalars.get(name)
            if column is None:
                column = scalars[name] = [None] * len(values)
            column[position] = scalar
    for name, column in scalars.items():
        packed.columns[name] = _column(column, name, refused)
    packed.stacks = _stack(datasets)
    return packed, refused


def _scalars(value: Any) -> dict[str, Any] | None:
    """Return a value as named scalars, or None if it holds arrays."""
    if value is None:
        return {}
    if isinstance(value, _PLAIN):
        if isinstance(value, np.complexfloating):
            return None
        return {VALUE: _in_seconds(value) if isinstance(value, np.datetime64 | np.timedelta64) else value}
    if isinstance(value, np.ndarray):
        if value.ndim or value.dtype.kind not in _KINDS:
            return None
        return {VALUE: None if np.ma.is_masked(value) else np.asarray(value)[()]}
    if isinstance(value, xr.DataArray):
        if value.ndim or value.dtype.kind not in _KINDS:
            return None
        return {str(value.name or VALUE): value.to_numpy()[()]}
    if isinstance(value, xr.Dataset):
        if any(v.ndim or v.dtype.kind not in _KINDS for v in value.data_vars.values()):
            return None
        return {str(name): v.to_numpy()[()] for name, v in value.data_vars.items()}
    if isinstance(value, pd.Series):
        value = value.to_dict()
    if isinstance(value, Mapping):
        flat: dict[str, Any] = {}
        for name, part in value.items():
            scalar = _scalars(part)
            if scalar is None or (isinstance(part, Mapping) and part):
                return None
            flat[str(name)] = next(iter(scalar.values()), None)
        return flat
    return None


def _in_seconds(time: Any) -> Any:
    """Return a time whose unit Arrow does not know (years, days) in seconds."""
    kind, unit = time.dtype.kind, np.datetime_data(time.dtype)[0]
    return time if unit in ("s", "ms", "us", "ns") else time.astype(f"{kind}8[s]")


def _units(value: Any) -> dict[str, str]:
    """Return the unit of an array that has one, as astropy's have."""
    return {"units": str(value.unit)} if isinstance(value, np.ndarray) and hasattr(value, "unit") else {}


def _note_attrs(value: Any, attrs: dict[str, dict[str, Any]]) -> None:
    if isinstance(value, xr.DataArray):
        parts: Mapping[Any, Any] = {value.name or VALUE: value}
    elif isinstance(value, xr.Dataset):
        parts = value.data_vars
    elif isinstance(value, Mapping):
        parts = value
    else:
        parts = {VALUE: value}
    for name, part in parts.items():
        known = part.attrs if isinstance(part, xr.DataArray) else _units(part)
        if known and str(name) not in attrs:
            attrs[str(name)] = plain_attrs(known)


def plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON and NetCDF can hold them."""
    plain: dict[str, Any] = {}
    for name, value in attrs.items():
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        if isinstance(value, bool):
            value = int(value)
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            value = str(value)
        if value is not None and not isinstance(value, dict):
            plain[str(name)] = value
    return plain


_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)


def _column(values: list[Any], name: str, refused: dict[int, str]) -> pa.Array:
    present = [value for value in values if value is not None]
    try:
        array = np.asarray(present) if present else np.empty(0)
        if array.dtype.kind in "biufmM" and len(present) == len(values):
            return pa.array(array)
        return pa.array(values, from_pandas=True)
    except _UNFIT:
        _refuse_odd_ones(values, name, refused)
        return pa.array(values, from_pandas=True)


def _refuse_odd_ones(values: list[Any], name: str, refused: dict[int, str]) -> None:
    """Leave the values that fit in one column: what the first one of them is, the others must be."""
    first: list[Any] = []
    for position, value in enumerate(values):
        if value is None:
            continue
        try:
            pa.array([*first, value], from_pandas=True)
        except _UNFIT as error:
            others = f" and {first[0]!r} ({type(first[0]).__name__}) for other files" if first else ""
            refused[position] = (
                f"the function returned {name} = {value!r} ({type(value).__name__}) here{others}; "
                f"return one type of number, text or time ({error})"
            )
            values[position] = None
        else:
            first = first or [value]


def _dataset(value: Any) -> xr.Dataset:
    if isinstance(value, xr.Dataset | xr.DataArray):
        for dim, index in value.indexes.items():
            if isinstance(index, pd.MultiIndex):
                raise TypeError(
                    f"the result has a MultiIndex along {dim}; return result.reset_index({dim!r})"
                )
        return value if isinstance(value, xr.Dataset) else value.to_dataset(name=value.name or VALUE)
    if isinstance(value, Mapping):
        parts = {
            str(name): part if isinstance(part, xr.DataArray) else _variable(part, str(name))
            for name, part in value.items()
        }
        return xr.Dataset(parts)
    return xr.Dataset({VALUE: _variable(value, VALUE)})


def _variable(value: Any, name: str) -> xr.Variable:
    if not isinstance(value, (np.ndarray, np.generic, list, tuple, complex, *_PLAIN)):
        raise TypeError(
            f"the function returned {name} of type {type(value).__name__}; "
            "return a number, a dict of numbers, a numpy array, a DataArray or a Dataset"
        )
    # Masked elements become NaN in a Variable; an array would show what is below the mask.
    array = value if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    if array.dtype.kind not in _KINDS + "c":
        raise TypeError(
            f"the function returned {name}, a {type(value).__name__} whose elements ({array.dtype}) are no "
            "numbers, times or texts"
        )
    return xr.Variable([f"{name}_dim_{axis}" for axis in range(array.ndim)], array, _units(value))


def structure(dataset: xr.Dataset) -> tuple[Any, ...]:
    """Return what Datasets must share to be stacked: variables, dims, shapes, types, index coordinates."""
    variables = sorted(
        (str(name), tuple(map(str, v.dims)), v.shape, v.dtype.str) for name, v in dataset.variables.items()
    )
    indexes = sorted(
        (str(name), hashlib.sha256(_bytes_of(dataset[name])).hexdigest()) for name in dataset.xindexes
    )
    return tuple(variables), tuple(indexes)


def _bytes_of(coordinate: xr.DataArray) -> bytes:
    values = coordinate.to_numpy()
    if values.dtype != object:
        return values.tobytes()
    return "\0".join(map(str, values.ravel())).encode()


def _stack(datasets: Mapping[int, xr.Dataset]) -> list[xr.Dataset]:
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, dataset in datasets.items():
        groups.setdefault(structure(dataset), []).append(position)
    return [stack({position: datasets[position] for position in group}) for group in groups.values()]


def stack(datasets: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Stack Datasets of one structure along `ITEM`; coordinates that differ are stacked too."""
    first = next(iter(datasets.values()))
    variables: dict[str, xr.Variable] = {}
    coords: dict[str, xr.Variable] = {ITEM: xr.Variable(ITEM, np.fromiter(datasets, np.int64, len(datasets)))}
    for name, variable in first.variables.items():
        if name in first.xindexes:
            coords[str(name)] = variable
            continue
        parts = [dataset.variables[name].to_numpy() for dataset in datasets.values()]
        if name in first.coords and all(np.array_equal(parts[0], part) for part in parts[1:]):
            coords[str(name)] = variable
            continue
        stacked = xr.Variable((ITEM, *variable.dims), np.stack(parts), plain_attrs(variable.attrs))
        (coords if name in first.coords else variables)[str(name)] = stacked
    return xr.Dataset(variables, coords=coords, attrs=plain_attrs(first.attrs))
