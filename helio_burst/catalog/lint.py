"""Lint: everything that is wrong in a registry, a catalog or an index file, and how to repair it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from helio_burst.catalog import cache
from helio_burst.catalog.document import Document, locate, read_document
from helio_burst.catalog.entry import INDEX_TYPES, Entry
from helio_burst.catalog.files import index_file, index_labels, index_url, unneeded
from helio_burst.catalog.findings import Finding, table
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.json_document import parse_json
from helio_burst.catalog.lint_catalog import lint_document
from helio_burst.catalog.lint_index import lint_index
from helio_burst.catalog.registry_document import read_registry
from helio_burst.errors import CatalogError, InputError, MissingObjectError, StorageError
from helio_burst.storage import StorageOptions

_AT_ONCE = 8
_ENDINGS = {".csv": "csv", ".csv.zip": "csv-zip", ".parquet": "parquet"}


def lint(url: str, *, indexes: bool = True, options: StorageOptions | None = None) -> pd.DataFrame:
    """Check a registry, a catalog with its index files, or one index file.

    Parameters
    ----------
    url : str
        An endpoint, the JSON of a catalog or a registry, or an index file (.csv, .csv.zip, .parquet).
    indexes : bool
        Read the index files of a catalog, too.
    options : StorageOptions, optional

    Returns
    -------
    DataFrame
        One row for each finding, the worst first: severity (error, warning, note), file, line, entry,
        problem, repair. Without rows, all is well. Bad content never raises: it is what is looked for.
    """
    return table(_lint(url, indexes, options))


def _lint(url: str, indexes: bool, options: StorageOptions | None) -> Iterable[Finding]:
    for ending, indextype in _ENDINGS.items():
        if url.lower().endswith(ending):
            return _one_index(url, indextype, options)
    target, folder = locate(url)
    try:
        data = cache.read(target, options)
        parsed, _ = parse_json(target, data)
        if "registry" in parsed and "catalog" not in parsed:
            return read_registry(target, data)[1]
        document = read_document(target, folder, data)
    except (StorageError, CatalogError) as error:
        return [_failed(target, None, error)]
    findings = [*document.findings, *lint_document(document, data)]
    if indexes:
        findings += _indexes(document, options)
    return findings


def _indexes(document: Document, options: StorageOptions | None) -> Iterable[Finding]:
    usable = [item for item in document.entries if not item.broken and item.indextype in INDEX_TYPES]
    pairs = [(entry, label) for entry in usable for label in index_labels(entry, None)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for found in threads.map(lambda pair: _index(document, pair[0], pair[1], options), pairs):
            yield from found


def _index(document: Document, entry: Entry, label: str, options: StorageOptions | None) -> list[Finding]:
    url = index_url(entry, label)
    try:
        file = index_file(document, entry, url, cache.local(url, options), options)
        return lint_index(file, entry, None if label == "static" else int(label))
    except (StorageError, CatalogError, InputError) as error:
        if isinstance(error, MissingObjectError) and url == unneeded(entry):
            return []
        return [_failed(url, entry.id, error)]


def _one_index(url: str, indextype: str, options: StorageOptions | None) -> list[Finding]:
    name = url.rpartition("/")[2].partition(".")[0]
    entry, _, label = name.rpartition("_")
    try:
        file = IndexFile(url, entry or name, cache.local(url, options), indextype, static=label == "static")
        return list(lint_index(file, None, int(label) if label.isdigit() else None))
    except (StorageError, CatalogError) as error:
        return [_failed(url, None, error)]


def _failed(url: str, entry: str | None, error: StorageError | CatalogError | InputError) -> Finding:
    at_fault = isinstance(error, CatalogError)
    repair = "Write it anew." if at_fault else "Write it, or correct its address."
    cause = error.__cause__
    line = cause.lineno if isinstance(cause, json.JSONDecodeError) else None
    return Finding("error", url, line, entry, str(error), repair)
