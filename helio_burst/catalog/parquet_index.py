"""Parquet index files: their columns, too, are known by position."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from helio_burst.catalog.csv_index import LINE
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.times import PLAIN, UTC, read_iso, read_times
from helio_burst.timespan import Timespan

_MARGIN = timedelta(days=2)


def read_parquet(file: IndexFile, span: Timespan | None) -> Iterator[pa.Table]:
    """Read the rows of a Parquet index, in parts; with a span, all that may overlap it.

    Times may be timestamps (those without a zone are UTC) or texts as in CSV. Without a span, LINE is the
    number of the row.
    """
    source = pa.BufferReader(file.source) if isinstance(file.source, bytes) else file.source
    with pq.ParquetFile(source) as parquet:
        schema = parquet.schema_arrow
        names = ["start", "stop", "datakey", "filesize"]
        if not _has_stop(schema):
            names.remove("stop")
        if len(schema) < len(names):
            raise pa.ArrowInvalid(f"it has only the columns {', '.join(schema.names)}")
        ends = schema.names[: len(names) - 2]
        names += schema.names[len(names) :]
        if span is not None and all(pa.types.is_timestamp(schema.field(end).type) for end in ends):
            # Arrow passes over the groups of rows whose statistics tell that they lie outside.
            near = _near(schema, ends, span)
            yield _typed(pq.read_table(source, filters=near, use_threads=False).rename_columns(names))
            return
        line = 1
        for group in range(parquet.num_row_groups):
            rows = _typed(parquet.read_row_group(group, use_threads=False).rename_columns(names))
            yield rows.append_column(LINE, pa.array(line + np.arange(len(rows))))
            line += len(rows)
    pa.default_memory_pool().release_unused()  # what decoding took would stay beside the next file's


def _has_stop(schema: pa.Schema) -> bool:
    if len(schema) < 4:
        return False
    second = schema.field(1)
    return pa.types.is_temporal(second.type) or "stop" in second.name.lower() or "end" in second.name.lower()


def _near(schema: pa.Schema, ends: list[str], span: Timespan) -> ds.Expression:
    """Select the rows that overlap a range, or nearly: units and zones differ."""
    first, last = (
        [pa.scalar(time.to_pydatetime(), UTC).cast(schema.field(end).type, safe=False) for end in ends]
        for time in (span.start - _MARGIN, span.stop + _MARGIN)
    )
    after = ds.field(ends[0]) >= first[0]
    if len(ends) == 2:
        after |= ds.field(ends[1]) >= first[1]
    return after & (ds.field(ends[0]) <= last[0])


def _typed(rows: pa.Table) -> pa.Table:
    """Bring the columns to the types of an index."""
    columns = {name: _plain(rows[name]) for name in rows.column_names}
    for name in ("start", "stop"):
        columns[name] = _utc(columns[name]) if name in columns else pa.nulls(len(rows), UTC)
    columns["datakey"] = columns["datakey"].cast(pa.large_string())
    if columns["filesize"].type != pa.int64():
        columns["filesize"] = pl.Series(columns["filesize"]).cast(pl.Int64, strict=False).to_arrow()
    first = ("start", "stop", "datakey", "filesize")
    return pa.table({name: columns[name] for name in (*first, *columns)})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn texts, however they are kept, into plain ones."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return column.cast(pa.large_string()) if text else column


def _utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    is_text = pa.types.is_large_string(column.type)
    try:
        return read_iso(column) if is_text else column.cast(UTC)
    except pa.ArrowInvalid:
        rows = pl.DataFrame({"time": pl.from_arrow(column)}).lazy()
    if is_text:
        rows = read_times(rows, ["time"])
    else:  # what nanoseconds cannot hold becomes null
        rows = rows.with_columns(pl.col("time").cast(pl.Datetime("ns"), strict=False))
    return rows.collect().to_arrow(compat_level=PLAIN)["time"].cast(UTC)
