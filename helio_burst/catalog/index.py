"""One index file -> its rows, whatever the file's oddities."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from helio_burst.catalog.csv_index import LINE, read_csv
from helio_burst.catalog.findings import Finding
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.parquet_index import read_parquet
from helio_burst.catalog.times import UTC
from helio_burst.errors import AccessDeniedError, CatalogError, StorageError
from helio_burst.timespan import Timespan

# Beyond, most rows of a year are wanted anyway, and ruling the others out beforehand saves nothing.
_NARROW = timedelta(days=100)


def read_index(
    file: IndexFile, span: Timespan | None, findings: list[Finding], *, lines: bool = False
) -> Iterator[pa.Table]:
    """Read an index file, in parts that bound the memory.

    Parameters
    ----------
    file : IndexFile
    span : Timespan or None
        Return only the rows that overlap this range; most others are not even read in full.
    findings : list of Finding
        What has been read around is added to it.
    lines : bool
        Without a span: keep the column LINE, the number of the row's line, or of the row in a Parquet file.

    Yields
    ------
    Table
        Rows in the order of the file: start, stop (timestamp[ns, UTC]), datakey (large_string), filesize
        (int64), then the extra columns.

    Raises
    ------
    CatalogError
        The file is not of its format at all. A bad line is a finding and no error.
    AccessDeniedError, StorageError
        The local file or copy cannot be read.
    """
    if file.static:
        span = None
    narrow = span if span is not None and span.start + _NARROW > span.stop else None
    try:
        parquet = file.indextype == "parquet"
        parts = read_parquet(file, narrow) if parquet else read_csv(file, narrow, findings)
        for rows in parts:
            if span is not None:
                rows = rows.filter(overlaps(rows, span))
            if not lines and LINE in rows.column_names:
                rows = rows.drop_columns(LINE)
            yield _absolute(rows, file.base)
    except (pl.exceptions.PolarsError, pa.ArrowException, zipfile.BadZipFile) as error:
        raise _unreadable(file, error) from error
    except PermissionError as error:
        raise AccessDeniedError(f"{file.url} (entry {file.entry}) may not be read: {error}.") from error
    except OSError as error:
        if error.errno is None:  # Arrow says so of bytes that are no Parquet
            raise _unreadable(file, error) from error
        raise StorageError(f"{file.url} (entry {file.entry}) could not be read: {error}.") from error


def _unreadable(file: IndexFile, error: Exception) -> CatalogError:
    return CatalogError(
        f"{file.url} (entry {file.entry}) cannot be read as {file.indextype}: {error}. "
        "Write the file anew, or correct the entry's indextype."
    )


def overlaps(rows: pa.Table, span: Timespan) -> pa.ChunkedArray:
    """Mark the rows that overlap [start, stop); one without stop, or with stop = start, is an instant."""
    start, stop = (pa.scalar(time.value, UTC) for time in span)
    after = pc.or_kleene(pc.greater_equal(rows["start"], start), pc.greater(rows["stop"], start))
    return pc.and_(pc.less(rows["start"], stop), after)


def _absolute(rows: pa.Table, base: str) -> pa.Table:
    """Put relative datakeys (version 0.1) below the folder that they are relative to."""
    keys = rows["datakey"]
    if not base or not len(rows) or pc.all(pc.starts_with(keys, _scheme(keys[0].as_py() or ""))).as_py():
        return rows
    whole = pc.match_substring(keys, "://")
    if "://" not in base or base.startswith("file:"):
        whole = pc.or_(whole, pc.starts_with(keys, "/"))  # a path on this machine
    folder, slash = (pa.scalar(text, pa.large_string()) for text in (base.rstrip("/"), "/"))
    below = pc.binary_join_element_wise(folder, pc.utf8_ltrim(keys, "/"), slash)
    return rows.set_column(rows.column_names.index("datakey"), "datakey", pc.if_else(whole, keys, below))


def _scheme(url: str) -> str:
    head, mark, _ = url.partition("://")
    return head + mark if mark else "://"
