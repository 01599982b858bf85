"""The list of an entry's files in a range of time, from its year indexes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd

from helio_burst.catalog import cache
from helio_burst.catalog.document import Document
from helio_burst.catalog.entry import INDEX_TYPES, Entry
from helio_burst.catalog.file_table import FileTable
from helio_burst.catalog.findings import Finding, report
from helio_burst.catalog.index import read_index
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.json_document import parse_json
from helio_burst.errors import AccessDeniedError, CatalogError, InputError, MissingObjectError
from helio_burst.storage import StorageOptions
from helio_burst.timespan import TimeLike, Timespan, parse_time

# Requests that wait for the network; the parsing itself runs on polars' own threads.
_AT_ONCE = 8
# Stand for "no bound" where only one bound of a range is given; they leave room for a margin of days.
_BEGINNING, _END = pd.Timestamp("1700", tz="UTC"), pd.Timestamp("2260", tz="UTC")


# A bad file must not flood the screen: so many of its lines are named, the others counted.
_SHOWN = 5
Unusable = MissingObjectError | AccessDeniedError | CatalogError


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
    urls = {index_url(entry, label): label for label in index_labels(entry, span)}
    table = FileTable()
    findings: list[Finding] = []
    unusable: dict[str, Unusable] = {}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for url, source in zip(urls, threads.map(partial(_fetch, options=options), urls), strict=True):
            try:
                _add(table, index_file(document, entry, url, source, options), span, findings)
            except (MissingObjectError, AccessDeniedError, CatalogError) as error:
                unusable[url] = error
    within = [url for url, label in urls.items() if _may_begin(entry, span, label)]
    if not len(table) and all(url in unusable for url in within):
        raise _nothing(entry, unusable)
    told = [finding for url, error in unusable.items() for finding in _tell(entry, url, error)]
    report([*told, *findings], strict=strict, stacklevel=4)
    frame = table.frame()
    frame.attrs = {
        "catalog": document.name,
        "endpoint": document.endpoint,
        "id": entry.id,
        "title": entry.title,
        "start": _text(parse_time(start) if start is not None else entry.start),
        "stop": _text(parse_time(stop) if stop is not None else entry.stop),
        **{name: entry.more[name] for name in ("citation", "contact", "about") if entry.more.get(name)},
    }
    return frame


def _fetch(url: str, options: StorageOptions | None) -> Path | bytes | Unusable:
    try:
        return cache.local(url, options)
    except (MissingObjectError, AccessDeniedError) as error:
        return error


def _add(table: FileTable, file: IndexFile, span: Timespan | None, findings: list[Finding]) -> None:
    found: list[Finding] = []
    for rows in read_index(file, span, found):
        table.add(rows)
    findings.extend(found[:_SHOWN])
    if len(found) > _SHOWN:
        problem = f"{len(found) - _SHOWN} more lines are bad."
        findings.append(Finding(found[-1].severity, file.url, None, file.entry, problem, "Lint names all."))


def index_file(
    document: Document,
    entry: Entry,
    url: str,
    source: Path | bytes | Unusable,
    options: StorageOptions | None,
) -> IndexFile:
    """Say what the catalog tells of an index file.

    Raises
    ------
    MissingObjectError, AccessDeniedError
        The one that came instead of the file.
    """
    if isinstance(source, Exception):
        raise source
    return IndexFile(
        url,
        entry.id,
        source,
        entry.indextype,
        document.version,
        static=entry.static,
        base=document.endpoint,
        extras=partial(_parameters, entry, options),
    )


def _parameters(entry: Entry, options: StorageOptions | None) -> tuple[str, ...]:
    """Return the names of the extra columns from the entry's own JSON, which is optional."""
    for ending in ("json", "info"):
        url = f"{entry.index}{entry.id}.{ending}"
        try:
            parsed, _ = parse_json(url, cache.read(url, options))
        except (MissingObjectError, AccessDeniedError):
            continue
        listed = parsed.get("parameters")
        named = [item.get("name") for item in listed or () if isinstance(item, dict)]
        return tuple(str(name) for name in named if name not in ("start", "stop", "datakey", "filesize"))
    return ()


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


def _may_begin(entry: Entry, span: Timespan | None, label: str) -> bool:
    """Say whether files of a range may well be listed in a year's index."""
    return span is None or entry.multiyear or label >= str(span.start.year)


def _tell(entry: Entry, url: str, error: Unusable) -> Iterable[Finding]:
    """Tell of an index file that could not be used, unless nothing needs it."""
    goes_on = "The list goes on without it."
    if isinstance(error, CatalogError):
        yield Finding("error", url, None, entry.id, str(error), goes_on)
    elif isinstance(error, AccessDeniedError):
        problem = "Access to this index file is denied. S3 says so of a missing file too, if it may not list."
        yield Finding("warning", url, None, entry.id, problem, goes_on)
    elif url != unneeded(entry):
        yield Finding("warning", url, None, entry.id, "This index file is missing.", goes_on)


def unneeded(entry: Entry) -> str | None:
    """Return the index file that need not be: that of a year whose first moment ends the data."""
    if entry.stop is None or entry.stop != pd.Timestamp(entry.stop.year, 1, 1, tz="UTC"):
        return None
    return index_url(entry, str(entry.stop.year))


def _nothing(entry: Entry, unusable: dict[str, Unusable]) -> Unusable:
    """Say that no index file could be used, by the gravest cause."""
    for error in unusable.values():
        if isinstance(error, CatalogError):
            return error
    listed = ", ".join(unusable)
    for error in unusable.values():
        if isinstance(error, AccessDeniedError):
            return AccessDeniedError(f"The index of {entry.id} may not be read ({listed}). {error}")
    return MissingObjectError(
        f"The index of {entry.id} is not there: {listed}. Its catalog says that it has data from "
        f"{_text(entry.start)} to {_text(entry.stop)}; ask its contact, or try another range."
    )


def _text(time: pd.Timestamp | None) -> str:
    return "" if time is None else time.isoformat().replace("+00:00", "Z")
