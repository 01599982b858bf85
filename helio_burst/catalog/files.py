"""The list of an entry's files in a range of time, from its year indexes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from helio_burst.catalog import cache
from helio_burst.catalog.document import INDEX_TYPES, Document, Entry
from helio_burst.catalog.findings import Finding, report
from helio_burst.catalog.index import read_index
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.times import TIME
from helio_burst.errors import AccessDeniedError, CatalogError, InputError, MissingObjectError
from helio_burst.storage import StorageOptions
from helio_burst.timespan import TimeLike, Timespan, parse_time

# Requests that wait for the network; the parsing itself runs on polars' own threads.
_AT_ONCE = 8
_EMPTY = pl.DataFrame(schema={"start": TIME, "stop": TIME, "datakey": pl.String, "filesize": pl.Int64})
# Stand for "no bound" where only one bound of a range is given; they leave room for a margin of days.
_BEGINNING, _END = pd.Timestamp("1700", tz="UTC"), pd.Timestamp("2260", tz="UTC")


@dataclass(frozen=True)
class _Part:
    """What came of one index file."""

    url: str
    table: pa.Table | None
    findings: tuple[Finding, ...] = ()
    error: MissingObjectError | AccessDeniedError | CatalogError | None = None


def list_files(
    document: Document,
    entry: Entry,
    start: TimeLike | None,
    stop: TimeLike | None,
    *,
    options: StorageOptions | None,
    strict: bool,
) -> pd.DataFrame:
    """List an entry's files; see `Catalog.file_list`."""
    _check(document, entry)
    span = _span(entry, start, stop)
    labels = index_labels(entry, span)
    files = [index_url(entry, label) for label in labels]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        parts = list(threads.map(lambda url: _read(document, entry, span, url, options), files))
    tables = [part.table for part in parts if part.table is not None]
    within = [
        part
        for part, label in zip(parts, labels, strict=True)
        if span is None or label >= str(span.start.year)
    ]
    if not any(table.num_rows for table in tables) and all(part.error for part in within):
        raise _all_failed(entry, parts)
    findings = [finding for part in parts for finding in (*_failure(entry, part), *part.findings)]
    report(findings, strict=strict, stacklevel=4)
    frame = _frame(tables)
    frame.attrs = {
        "catalog": document.name,
        "endpoint": document.endpoint,
        "id": entry.id,
        "title": entry.title,
        "start": _text(parse_time(start) if start is not None else entry.start),
        "stop": _text(parse_time(stop) if stop is not None else entry.stop),
    }
    return frame


def _check(document: Document, entry: Entry) -> None:
    if entry.broken:
        raise CatalogError(
            f"The entry {entry.id} of {document.url} cannot be used: {entry.broken}. "
            "Lint shows the line; ask the catalog's contact to repair it."
        )
    if entry.indextype not in INDEX_TYPES:
        raise CatalogError(
            f"The entry {entry.id} of {document.url} has the indextype {entry.indextype!r}; "
            f"known are {', '.join(INDEX_TYPES)}."
        )


def _span(entry: Entry, start: TimeLike | None, stop: TimeLike | None) -> Timespan | None:
    """Return the range asked for; None where every row is wanted."""
    if entry.static or (start is None and stop is None):
        return None
    span = Timespan(
        _BEGINNING if start is None else parse_time(start), _END if stop is None else parse_time(stop)
    )
    if span.start >= span.stop:
        raise InputError(
            f"The range [{_text(span.start)}, {_text(span.stop)}) is empty: "
            "start must be before stop, and stop itself is not part of the range."
        )
    assert entry.start is not None
    assert entry.stop is not None
    # Catalogs name the last day or the last moment of it; either way that day belongs to the data.
    if span.stop <= entry.start or span.start >= entry.stop.floor("D") + pd.Timedelta(days=1):
        raise InputError(
            f"{entry.id} has data from {_text(entry.start)} to {_text(entry.stop)}; "
            f"the range [{_text(span.start)}, {_text(span.stop)}) lies outside."
        )
    return span


def index_labels(entry: Entry, span: Timespan | None) -> list[str]:
    """Return what stands for the year in the names of the index files that a range needs.

    A file is listed in the year of its start, so the year before the range is needed too, and with
    ``multiyear`` every year before it.
    """
    if entry.static:
        return ["static"]
    assert entry.start is not None
    assert entry.stop is not None
    first, last = entry.start.year, entry.stop.year
    if span is not None:
        if not entry.multiyear:
            first = max(first, span.start.year - 1)
        last = min(last, (span.stop - pd.Timedelta(1, "ns")).year)
    return [str(year) for year in range(first, last + 1)]


def index_url(entry: Entry, label: str) -> str:
    """Return the URL of an index file."""
    return f"{entry.index}{entry.id}_{label}.{INDEX_TYPES[entry.indextype]}"


def _read(
    document: Document, entry: Entry, span: Timespan | None, url: str, options: StorageOptions | None
) -> _Part:
    try:
        file = IndexFile(
            url=url,
            entry=entry.id,
            source=cache.local(url, options),
            indextype=entry.indextype,
            version=document.version,
            static=entry.static,
            base=document.endpoint,
        )
        index = read_index(file, span)
    except (MissingObjectError, AccessDeniedError, CatalogError) as error:
        return _Part(url, None, error=error)
    # Arrow tables are what pandas takes over without a copy; the polars ones are let go year by year.
    return _Part(url, index.rows.to_arrow(compat_level=pl.CompatLevel.oldest()), index.findings)


def _failure(entry: Entry, part: _Part) -> Iterable[Finding]:
    """Tell of an index file that could not be used, unless nothing needs it."""
    if part.error is None:
        return
    # Data that end with the old year need no index of the new one.
    if entry.stop is not None and entry.stop == pd.Timestamp(entry.stop.year, 1, 1, tz="UTC"):
        if part.url == index_url(entry, str(entry.stop.year)) and isinstance(part.error, MissingObjectError):
            return
    if isinstance(part.error, MissingObjectError):
        yield Finding(
            "warning", part.url, None, entry.id, "This index file is missing.", "The list goes on without it."
        )
    elif isinstance(part.error, AccessDeniedError):
        problem = "Access to this index file is denied (S3 says so of missing files too, where listing is not allowed)."
        yield Finding("warning", part.url, None, entry.id, problem, "The list goes on without it.")
    else:
        yield Finding("error", part.url, None, entry.id, str(part.error), "The list goes on without it.")


def _all_failed(entry: Entry, parts: list[_Part]) -> Exception:
    """Say that no index file could be used, by the gravest cause."""
    errors = [part.error for part in parts if part.error is not None]
    denied = next((error for error in errors if isinstance(error, AccessDeniedError)), None)
    broken = next((error for error in errors if isinstance(error, CatalogError)), None)
    if broken is not None:
        return broken
    urls = ", ".join(part.url for part in parts)
    if denied is not None:
        return AccessDeniedError(f"The index of {entry.id} may not be read ({urls}). {denied}")
    return MissingObjectError(
        f"The index of {entry.id} is not there: {urls}. Its catalog says that it has data from "
        f"{_text(entry.start)} to {_text(entry.stop)}; ask its contact, or try another range."
    )


def _frame(tables: list[pa.Table]) -> pd.DataFrame:
    """Make the DataFrame: sorted by start, each file once."""
    table = pa.concat_tables(
        [_EMPTY.to_arrow(compat_level=pl.CompatLevel.oldest()), *tables], promote_options="permissive"
    )
    start = table.column("start").cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()
    step = np.diff(start)
    if (step < 0).any():
        order = np.argsort(start, kind="stable")
        table, step = table.take(pa.array(order)), np.diff(start[order])
    frame = table.to_pandas(types_mapper=_pandas_type, split_blocks=True, self_destruct=True)
    for name in frame.columns[4:]:
        frame[name] = _as_number(frame[name])
    same = step == 0
    if same.any():
        tied = frame[np.r_[same, False] | np.r_[False, same]]
        again = tied.index[tied.duplicated(["start", "datakey"], keep="last")]
        frame = frame.drop(index=again).reset_index(drop=True)
    return frame


def _pandas_type(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        return pd.StringDtype("pyarrow")
    return pd.Int64Dtype() if pa.types.is_int64(kind) else None


def _as_number(column: pd.Series) -> pd.Series:
    """Read an extra column as numbers if it holds nothing else; a checksum stays text."""
    if not isinstance(column.dtype, pd.StringDtype) or "checksum" in column.name or column.isna().all():
        return column
    try:
        return pd.to_numeric(column, dtype_backend="numpy_nullable")
    except ValueError:
        return column


def _text(time: pd.Timestamp | None) -> str:
    return "" if time is None else time.isoformat().replace("+00:00", "Z")
