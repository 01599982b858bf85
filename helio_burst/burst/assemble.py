"""Results to one xarray Dataset along time, or another dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import xarray as xr

from helio_burst.burst.results import Results
from helio_burst.burst.shard import VALUE_PREFIX
from helio_burst.burst.values import ITEM, structure
from helio_burst.errors import InputError
from helio_burst.timespan import naive


def assemble(
    results: Results, table: pl.DataFrame, files: pa.Table, name: str | None, dim: str | None
) -> xr.Dataset:
    """Bring the results of the files that are done together.

    Parameters
    ----------
    table : DataFrame
        One row a file, as `Results.table` makes it.
    name : str, optional
        Name for the one variable that a function without names of its own returns.
    dim : str, optional
        The dimension along which files are laid: "time" if the files have a start, else "file".

    Returns
    -------
    Dataset
        One entry a file with a result, in the files' order, with coordinates ``time`` (start of the file,
        UTC) and ``datakey``. Where the results have the dimension themselves, they are joined along it.

    Raises
    ------
    InputError
        There is no result, or the results differ in shape; the message shows which do.
    """
    dim = dim or ("time" if "start" in files.column_names else "file")
    done = table.with_row_index("position").filter(pl.col("ok"))
    if done.is_empty():
        raise InputError(_nothing(table, results))
    stacks = results.datasets(table)
    columns = [
        column
        for column in done.columns
        if column.startswith(VALUE_PREFIX) and done[column].null_count() < len(done)
    ]
    in_stacks = sum(len(where) for _, where in stacks)
    if stacks and columns:
        raise InputError(
            f"Some files gave numbers ({len(done) - in_stacks}) and others arrays ({in_stacks}); "
            "return the same structure for every file."
        )
    if not stacks:
        positions = done["position"].to_numpy()
        variables = {column.removeprefix(VALUE_PREFIX): (ITEM, _to_numpy(done[column])) for column in columns}
        dataset = xr.Dataset(variables)
        for variable, attrs in results.attrs.items():
            if variable in dataset:
                dataset[variable].attrs.update(attrs)
    elif any(dim in part[variable].dims for part, _ in stacks for variable in part.data_vars):
        return _finish(_join(stacks, files, dim), name)
    else:
        dataset, positions = _lay(stacks, files, dim)
    # What a result calls as the file list does gives way to the file list.
    clash = {name: f"{name}_in_file" for name in {dim, "time", "datakey"} & set(dataset.variables)}
    dataset = dataset.rename(clash).rename({ITEM: dim})
    return _finish(_with_file_coordinates(dataset, files, positions, dim), name)


def _to_numpy(column: pl.Series) -> np.ndarray:
    if column.dtype == pl.String:
        return column.fill_null("").to_numpy().astype(object)
    return column.to_numpy()


def _nothing(table: pl.DataFrame, results: Results) -> str:
    if table.is_empty():
        return "There are no files, so there is no result."
    failed = results.failures(table)
    if failed.is_empty():
        return "Nothing is done yet."
    first = failed.row(0, named=True)
    return (
        f"There is no result: all {len(failed)} files failed, the first with {first['error']}: "
        f"{first['message']}. outcome.failures has the others."
    )


def _lay(stacks: list[Any], files: pa.Table, dim: str) -> tuple[xr.Dataset, np.ndarray]:
    """Lay arrays of one structure along `ITEM`, in the files' order."""
    forms: dict[Any, list[tuple[xr.Dataset, np.ndarray]]] = {}
    for part, where in stacks:
        forms.setdefault(structure(part.isel({ITEM: 0})), []).append((part, where))
    if len(forms) > 1:
        raise InputError(_different(list(forms.values()), files, dim))
    parts = [part for part, _ in stacks]
    where = np.concatenate([where for _, where in stacks])
    stacked = {variable for part in parts for variable in part.variables if ITEM in part[variable].dims}
    parts = [_spread(part, stacked) for part in parts]
    joined = xr.concat(
        parts, dim=ITEM, data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    order = np.argsort(where, kind="stable")
    return joined.isel({ITEM: order}), where[order]


def _spread(part: xr.Dataset, stacked: set[Any]) -> xr.Dataset:
    """Give a coordinate that is the same within a stack, but not among all, one entry an item."""
    for variable in stacked:
        if ITEM not in part[variable].dims:
            spread = part.variables[variable].set_dims({ITEM: part.sizes[ITEM], **part[variable].sizes})
            part = part.drop_vars(variable).assign_coords({variable: spread})
    return part


def _different(forms: list[Any], files: pa.Table, dim: str) -> str:
    keys = files.column("datakey")
    lines = []
    for stacks in sorted(forms, key=lambda stacks: -sum(len(where) for _, where in stacks))[:4]:
        part, where = stacks[0]
        shapes = ", ".join(
            f"{variable} {dict(zip(v.dims[1:], v.shape[1:], strict=True))} {v.dtype}"
            for variable, v in part.data_vars.items()
        )
        lines.append(f"  {sum(len(w) for _, w in stacks)} files: {shapes}, such as {keys[int(where[0])]}")
    return (
        f"The results differ in structure, so they do not fit along one dimension {dim!r}:\n"
        + "\n".join(lines)
        + "\nReturn the same shapes and coordinates for every file, or let them share a dimension "
        "and name it: to_xarray(dim=...)."
    )


def _join(stacks: list[Any], files: pa.Table, dim: str) -> xr.Dataset:
    """Join results that have the dimension themselves, in the files' order."""
    single = sorted(
        ((int(where[i]), part.isel({ITEM: i})) for part, where in stacks for i in range(len(where))),
        key=lambda pair: pair[0],
    )
    keys = files.column("datakey")
    parts = [
        part.assign_coords(datakey=(dim, np.full(part.sizes[dim], str(keys[position]), object)))
        for position, part in single
        if part.sizes.get(dim)
    ]
    try:
        joined: xr.Dataset = xr.concat(
            parts, dim=dim, data_vars="minimal", coords="minimal", compat="override", join="exact"
        )
    except ValueError as error:
        raise InputError(f"The results cannot be joined along {dim!r}: {error}") from error
    return joined


def _with_file_coordinates(
    dataset: xr.Dataset, files: pa.Table, positions: np.ndarray, dim: str
) -> xr.Dataset:
    frame = files.take(pa.array(positions)).to_pandas()
    coords: dict[str, Any] = {"datakey": (dim, frame["datakey"].to_numpy(dtype=object))}
    if "start" in frame.columns:
        attrs = {"long_name": "start of the file, UTC", "standard_name": "time"}
        coords["time"] = (dim, naive(frame["start"]), attrs)
    return dataset.assign_coords(coords)


def _finish(dataset: xr.Dataset, name: str | None) -> xr.Dataset:
    variables = list(dataset.data_vars)
    if name is None:
        return dataset
    if len(variables) != 1:
        raise InputError(
            f"name={name!r} can name one variable, but the function returned "
            f"{', '.join(map(str, variables))}."
        )
    if name in dataset.variables and name != variables[0]:
        raise InputError(f"name={name!r} is a coordinate of the result; choose another one.")
    return dataset.rename({variables[0]: name})
