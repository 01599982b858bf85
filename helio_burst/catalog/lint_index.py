"""What is wrong with the rows of an index file."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from helio_burst.catalog.csv_index import LINE
from helio_burst.catalog.entry import Entry
from helio_burst.catalog.findings import Finding, Severity
from helio_burst.catalog.index import read_index
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.layout import WITH_STOP

# Lines that have one and the same fault: so many are named.
_SHOWN = 5


def lint_index(file: IndexFile, entry: Entry | None, year: int | None) -> list[Finding]:
    """Check an index file; the entry and the year are those it belongs to, where they are known.

    Raises
    ------
    CatalogError
        It cannot be read at all.
    """
    findings: list[Finding] = []
    parts = [pl.DataFrame(part) for part in read_index(file, None, findings, lines=True)]
    rows = pl.concat(parts, how="diagonal_relaxed") if parts else None
    if rows is None or not rows.height:
        return findings
    without_stop = rows["stop"].null_count() == rows.height
    if without_stop and file.version >= WITH_STOP and not file.static:
        severity: Severity = "note" if entry is None else "warning"
        repair = "Add the column after start; versions since 0.5 have it."
        findings.append(Finding(severity, file.url, None, file.entry, "There is no stop in any row.", repair))
    for severity, test, problem, repair in _rules(file, entry, year, with_stop=not without_stop):
        bad = rows.filter(test.fill_null(False))
        for row in bad.head(_SHOWN).iter_rows(named=True):
            told = problem.format(**{**row, "start": _text(row["start"]), "stop": _text(row["stop"])})
            findings.append(Finding(severity, file.url, row[LINE], file.entry, told, repair))
        if bad.height > _SHOWN:
            more = f"{bad.height - _SHOWN} more rows are so: {problem.split(' {')[0]} ..."
            findings.append(Finding(severity, file.url, None, file.entry, more, repair))
    return findings


_Rule = tuple[Severity, pl.Expr, str, str]


def _rules(file: IndexFile, entry: Entry | None, year: int | None, *, with_stop: bool) -> Iterator[_Rule]:
    start, stop, key = pl.col("start"), pl.col("stop"), pl.col("datakey")
    yield "error", stop < start, "The stop {stop} is before the start {start}.", "Correct one of them."
    yield (
        "warning",
        start < start.shift(1),
        "The start {start} is before that of the row above: the file is not in order of time.",
        "Sort the rows by start.",
    )
    yield (
        "warning",
        pl.struct("start", "datakey").is_duplicated() & ~pl.struct("start", "datakey").is_first_distinct(),
        "The file {datakey} at {start} occurs again.",
        "Remove the row, or the one above.",
    )
    yield (
        "warning",
        ~key.str.contains("://", literal=True),
        "The datakey {datakey} is not a URL.",
        "Write whole URLs, s3://bucket/... or https://...",
    )
    yield (
        "warning",
        pl.col("filesize").is_null(),
        "The filesize of {datakey} is missing.",
        "Write it in bytes.",
    )
    yield "warning", pl.col("filesize") <= 0, "The filesize of {datakey} is {filesize}.", "Write it in bytes."
    if with_stop:
        yield (
            "warning",
            stop.is_null(),
            "The stop of {datakey} is missing.",
            "Write it, as in the other rows.",
        )
    if year is not None:
        yield (
            "warning",
            start.dt.year() != year,
            f"The start {{start}} is not in {year}.",
            "Move the row into the index of the year of its start.",
        )
    if entry is None or entry.static or entry.start is None or entry.stop is None:
        return
    first, last = pl.lit(entry.start), pl.lit(entry.stop)
    yield (
        "warning",
        (start < first) | (start > last),
        "The start {start} is outside of the entry's range.",
        "Correct start and stop of the entry in catalog.json.",
    )
    if not entry.multiyear:
        yield (
            "warning",
            stop.dt.year() > start.dt.year() + 1,
            "The file from {start} to {stop} spans years.",
            'Set "multiyear": true in the entry.',
        )


def _text(time: object) -> str:
    return "missing" if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"
