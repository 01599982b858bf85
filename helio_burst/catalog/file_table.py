"""Rows of many index files -> one pandas DataFrame, without ever holding them twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

_NO_TIME = np.iinfo(np.int64).min


class FileTable:
    """Takes the rows part by part, and gives the DataFrame.

    Numbers and times grow in place (a bytearray does so without a copy); texts stay the chunks they come in,
    which pandas' own string columns allow.
    """

    def __init__(self) -> None:
        self._start, self._stop = bytearray(), bytearray()
        self._size, self._no_size = bytearray(), bytearray()
        self._texts: list[pa.Table] = []

    def __len__(self) -> int:
        return len(self._start) // 8

    def add(self, rows: pa.Table) -> None:
        """Add rows as `read_index` yields them."""
        for name, column in (("start", self._start), ("stop", self._stop)):
            column += _numbers(rows[name].cast(pa.int64()), _NO_TIME).data
        self._size += _numbers(rows["filesize"], 0).data
        self._no_size += rows["filesize"].is_null().to_numpy().data
        self._texts.append(rows.drop_columns(["start", "stop", "filesize"]))

    def frame(self) -> pd.DataFrame:
        """Return the rows sorted by start, each file once."""
        start = np.frombuffer(self._start, np.int64)
        ordered, same = bool((start[1:] >= start[:-1]).all()), bool((start[1:] == start[:-1]).any())
        del start
        none = pa.table({"datakey": pa.array([], pa.large_string())})
        texts = pa.concat_tables([none, *self._texts], promote_options="permissive")
        size, no_size = np.frombuffer(self._size, np.int64), np.frombuffer(self._no_size, bool)
        columns = {
            "start": _times(self._start),
            "stop": _times(self._stop),
            "datakey": _series(texts, "datakey"),
            "filesize": pd.arrays.IntegerArray(size, no_size),
            **{name: _extra(texts, name) for name in texts.column_names[1:]},
        }
        frame = pd.DataFrame(columns, copy=False)
        if not ordered:
            frame = frame.sort_values("start", kind="stable", ignore_index=True, na_position="first")
        return frame if ordered and not same else _each_once(frame)


def _numbers(column: pa.ChunkedArray, null: int) -> np.ndarray:
    return column.fill_null(null).to_numpy()  # type: ignore[no-any-return]


def _times(nanoseconds: bytearray) -> pd.api.extensions.ExtensionArray:
    return pd.array(np.frombuffer(nanoseconds, np.int64), dtype="datetime64[ns, UTC]", copy=False)


def _series(table: pa.Table, name: str) -> pd.Series:
    series: pd.Series = table.column(name).to_pandas(types_mapper=_pandas_type)
    return series


def _pandas_type(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    if pa.types.is_large_string(kind):
        return pd.StringDtype("pyarrow")
    return pd.Int64Dtype() if pa.types.is_integer(kind) else None


def _extra(table: pa.Table, name: str) -> pd.Series:
    """Read an extra column as numbers if it holds nothing else; a checksum stays text."""
    column = _series(table, name)
    if not isinstance(column.dtype, pd.StringDtype) or "checksum" in name or column.isna().all():
        return column
    try:
        return pd.to_numeric(column, dtype_backend="numpy_nullable")
    except ValueError:
        return column


def _each_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the last of the rows that name one file at one time; rows are sorted, so only neighbours can."""
    start = frame["start"]
    tied = frame[start.duplicated(keep=False)]
    again = tied.index[tied.duplicated(["start", "datakey"], keep="last")]
    return frame.drop(index=again).reset_index(drop=True) if len(again) else frame
