"""Parquet index files: their columns, too, are known by position."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from helio_burst.catalog.csv_index import LINE, may_overlap
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.times import TIME, read_times
from helio_burst.timespan import Timespan

# Rows read at once where all are wanted, to bound the memory.
_PART = 1 << 15


def read_parquet(file: IndexFile, span: Timespan | None) -> Iterator[pl.DataFrame]:
    """Read the rows of a Parquet index, in parts; with a span, all that may overlap it.

    Times may be timestamps (those without a zone are UTC) or texts as in CSV.
    """
    scan = pl.scan_parquet(file.source, glob=False, parallel="columns")
    kinds = list(scan.collect_schema().items())
    scan = scan.with_row_index(LINE, 1)
    columns: tuple[str, ...] = ("start", "stop", "datakey", "filesize")
    if not _has_stop(kinds):
        columns = ("start", "datakey", "filesize")
    if len(kinds) < len(columns):
        raise pl.exceptions.SchemaError(f"it has only the columns {', '.join(name for name, _ in kinds)}")
    scan = scan.rename({name: column for (name, _), column in zip(kinds, columns, strict=False)})
    ends = {column: kinds[number][1] for number, column in enumerate(columns[:-2])}
    texts = [column for column, kind in ends.items() if kind == pl.String]
    if span is not None and len(texts) == len(ends):
        scan = scan.filter(may_overlap(span, texts))
    scan = scan.with_columns(_utc(column, kind) for column, kind in ends.items() if kind.is_temporal())
    if "stop" not in ends:
        scan = scan.with_columns(pl.lit(None, TIME).alias("stop"))
    scan = scan.select(
        "start",
        "stop",
        pl.col("datakey").cast(pl.String),
        pl.col("filesize").cast(pl.Int64, strict=False),
        pl.exclude("start", "stop", "datakey", "filesize"),
    )
    if span is not None:
        yield _read(scan, texts)
        return
    for first in range(0, scan.select(pl.len()).collect().item(), _PART):
        yield _read(scan.slice(first, _PART), texts)


def _has_stop(kinds: list[tuple[str, pl.DataType]]) -> bool:
    if len(kinds) < 4:
        return False
    name, kind = kinds[1]
    return kind.is_temporal() or "stop" in name.lower() or "end" in name.lower()


def _utc(column: str, kind: pl.DataType) -> pl.Expr:
    zone = getattr(kind, "time_zone", None)
    time = pl.col(column).cast(pl.Datetime("ns", zone))
    return time.dt.convert_time_zone("UTC") if zone else time.dt.replace_time_zone("UTC")


def _read(scan: pl.LazyFrame, texts: list[str]) -> pl.DataFrame:
    """Read the rows, trying the quick reading of times first."""
    rows = read_times(scan, texts, "seconds").collect()
    if texts and any(rows[column].null_count() for column in texts):
        rows = read_times(scan, texts, "any").collect()
    return rows
