"""What a run works through: the rows of a file list or of a list of partitions."""

from __future__ import annotations

import os
import reprlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from helio_burst.errors import HelioBurstWarning, InputError
from helio_burst.storage import absolute

# An item is known again by these: the same name with another size or tag is another item.
KEYS = ("datakey", "filesize", "etag")


class Row(Mapping[str, Any]):
    """One row of a file list: its columns as attributes and as items.

    Examples
    --------
    >>> row = Row({"datakey": "s3://bucket/a.fits", "filesize": 10})
    >>> row.datakey, row["filesize"]
    ('s3://bucket/a.fits', 10)
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the row has no {name!r}; it has {', '.join(self._values)}") from None

    def __reduce__(self) -> tuple[type[Row], tuple[Mapping[str, Any]]]:
        return Row, (self._values,)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


def as_table(items: pd.DataFrame | Iterable[str], what: str = "files") -> pa.Table:
    """Check a list of items and turn it into an Arrow table, in the given order and without repeats.

    Parameters
    ----------
    items : DataFrame or list of str
        A DataFrame needs a column ``datakey``; ``start`` and ``filesize`` are used where they are there.
        A plain list of URLs does as well.

    Raises
    ------
    InputError
        There is no ``datakey``, or one of them is missing, or it is neither a DataFrame nor a list of URLs.
    """
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame({"datakey": _keys(items, what)})
    if "datakey" not in frame.columns:
        raise InputError(
            f"{what} has no column 'datakey'; it has {', '.join(map(str, frame.columns)) or 'no columns'}. "
            "file_list() makes such a table, and a plain list of URLs does as well."
        )
    missing = frame["datakey"].isna()
    if missing.any():
        raise InputError(f"{what} has no datakey in row {int(missing.to_numpy().argmax())}.")
    frame = frame.reset_index(drop=True)
    frame.columns = frame.columns.map(str)
    keys = [name for name in KEYS if name in frame.columns]
    repeated = frame.duplicated(keys)
    if repeated.any():
        first = frame["datakey"][repeated].iloc[0]
        warnings.warn(
            f"{int(repeated.sum())} rows of {what} are repeats (the first: {first}); each is done once.",
            HelioBurstWarning,
            stacklevel=4,
        )
        frame = frame[~repeated]
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for name in ("datakey", "etag"):
        if name in table.column_names:
            position = table.column_names.index(name)
            table = table.set_column(position, name, table.column(name).cast(pa.large_string()))
    if "filesize" in table.column_names:
        position = table.column_names.index("filesize")
        try:
            sizes = table.column("filesize").cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise InputError(f"{what}.filesize must be whole numbers of bytes: {error}") from error
        table = table.set_column(position, "filesize", sizes)
    return table.combine_chunks()


def _keys(items: Iterable[str], what: str) -> list[str]:
    try:
        if isinstance(items, str):
            raise TypeError("it is one text")
        return [os.fspath(item) for item in items]
    except TypeError as error:
        raise InputError(
            f"{what}={reprlib.repr(items)} must be a pandas DataFrame with a column 'datakey', or a list of "
            f"paths or URLs; {error}."
        ) from error


def at_home(table: pa.Table) -> pa.Table:
    """Make paths absolute: workers have folders of their own, and a ledger may be opened from any."""
    keys = table.column("datakey")
    if pc.all(pc.match_substring_regex(keys, r"^(/|data:|[a-z0-9]+://)")).as_py():
        return table
    place = table.column_names.index("datakey")
    return table.set_column(
        place, "datakey", pa.array([absolute(key) for key in keys.to_pylist()], keys.type)
    )


def to_bytes(table: pa.Table) -> bytes:
    """Write rows for the wire: a slice takes its own rows along, not the whole table's."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def from_bytes(data: bytes) -> pa.Table:
    """Read what `to_bytes` wrote."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def rows(table: pa.Table) -> list[Row]:
    """Turn a table into rows; times come as pandas Timestamps, UTC."""
    # A size that is not known is None: NaN would make floats of the others.
    frame = table.to_pandas(integer_object_nulls=True)
    columns = [frame[name].tolist() for name in frame.columns]
    names = list(frame.columns)
    return [Row(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
