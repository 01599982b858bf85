"""One index file -> its rows, whatever the file's oddities."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from helio_burst.catalog.csv_index import LINE, read_csv
from helio_burst.catalog.findings import Finding
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.parquet_index import read_parquet
from helio_burst.catalog.times import TIME
from helio_burst.errors import AccessDeniedError, CatalogError, StorageError
from helio_burst.timespan import Timespan

# Beyond, most rows of a year are wanted anyway, and ruling the others out beforehand saves nothing.
_NARROW = timedelta(days=100)


def read_index(
    file: IndexFile, span: Timespan | None, findings: list[Finding], *, lines: bool = False
) -> Iterator[pl.DataFrame]:
    """Read an index file, in parts that bound the memory.

    Parameters
    ----------
    file : IndexFile
    span : Timespan or None
        Return only the rows that overlap this range; most others are not even read in full.
    findings : list of Finding
        What has been read around is added to it.
    lines : bool
        Keep the column LINE: the number of the row's line, or of the row in a Parquet file.

    Yields
    ------
    DataFrame
        Rows in the order of the file: start, stop (Datetime("ns", "UTC")), datakey (String), filesize
        (Int64), then the extra columns.

    Raises
    ------
    CatalogError
        The file is not of its format at all. A bad line is a finding and no error.
    AccessDeniedError, StorageError
        The local file or copy cannot be read.
    """
    if file.static:
        span = None
    narrow = span if span is not None and span.stop - span.start < _NARROW else None
    try:
        parquet = file.indextype == "parquet"
        parts = read_parquet(file, narrow) if parquet else read_csv(file, narrow, findings)
        for rows in parts:
            kept = rows if span is None else rows.filter(overlaps(span))
            yield _absolute(kept if lines else kept.drop(LINE, strict=False), file.base)
    except (pl.exceptions.PolarsError, zipfile.BadZipFile) as error:
        raise CatalogError(
            f"{file.url} (entry {file.entry}) cannot be read as {file.indextype}: {error}. "
            "Write the file anew, or correct the entry's indextype."
        ) from error
    except PermissionError as error:
        raise AccessDeniedError(f"{file.url} (entry {file.entry}) may not be read: {error}.") from error
    except OSError as error:
        raise StorageError(f"{file.url} (entry {file.entry}) could not be read: {error}.") from error


def overlaps(span: Timespan) -> pl.Expr:
    """Select the rows that overlap [start, stop); one without stop, or with stop = start, is an instant."""
    start, stop = (pl.lit(time.value).cast(TIME) for time in span)
    after = (pl.col("start") >= start) | (pl.col("stop") > start).fill_null(False)
    return (pl.col("start") < stop) & after


def _absolute(rows: pl.DataFrame, base: str) -> pl.DataFrame:
    """Put relative datakeys (version 0.1) below the folder that they are relative to."""
    keys = rows["datakey"]
    if not base or not rows.height or keys.str.starts_with(_scheme(keys[0])).all():
        return rows
    relative = ~keys.str.contains("://", literal=True)
    if "://" not in base or base.startswith("file:"):
        relative &= ~keys.str.starts_with("/")  # a path on this machine
    key = pl.lit(base.rstrip("/") + "/") + pl.col("datakey").str.strip_chars_start("/")
    return rows.with_columns(pl.when(pl.lit(relative)).then(key).otherwise("datakey").alias("datakey"))


def _scheme(url: str) -> str:
    head, mark, _ = url.partition("://")
    return head + mark if mark else "://"
