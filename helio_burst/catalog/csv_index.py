"""CSV index files: a fast pass over all lines, then a patient one over the lines that are odd."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from helio_burst.catalog.findings import Finding, Severity
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.layout import MARKS, Layout, find_layout, is_time, split
from helio_burst.catalog.times import TIME, parse_times
from helio_burst.timespan import Timespan

_HEAD = 64 * 1024
_LINE, _OVERFLOW, _ODD = "\x00line", "\x00overflow", "\x00odd"


def read_csv(file: IndexFile, span: Timespan | None) -> tuple[pl.DataFrame, list[Finding]]:
    """Read the rows of a CSV index, in the order of the file; with a span, all that may overlap it."""
    if file.indextype == "csv-zip":
        file = replace(file, source=_unzip(file.source))
    findings: list[Finding] = []
    layout = find_layout(_head(file.source), file.version, file.extras)
    rows = _typed(_scan(file, layout, span, findings), layout, file.static)
    if rows[_ODD].any():
        numbers = rows.filter(_ODD)[_LINE].to_list()
        rows = pl.concat([rows.filter(~pl.col(_ODD)), _mend(file, layout, numbers, findings)]).sort(_LINE)
    return rows.drop(_LINE, _ODD), findings


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD]
    with source.open("rb") as opened:
        return opened.read(_HEAD)


def _unzip(source: Path | bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(names) != 1:
            raise zipfile.BadZipFile(f"it holds {', '.join(archive.namelist()) or 'nothing'}, not one .csv")
        return archive.read(names[0])


def _scan(file: IndexFile, layout: Layout, span: Timespan | None, findings: list[Finding]) -> pl.DataFrame:
    """Cut the lines into cells of text."""

    def scan(encoding: str) -> pl.DataFrame:
        cells = pl.scan_csv(
            file.source,
            has_header=False,
            schema=dict.fromkeys((*layout.names, _OVERFLOW), pl.String),
            quote_char=None,
            skip_lines=layout.skip,
            missing_columns="insert",
            truncate_ragged_lines=True,
            row_index_name=_LINE,
            row_index_offset=layout.skip + 1,
            encoding=encoding,
            glob=False,
        )
        return (cells if span is None else cells.filter(may_overlap(span, layout.ends))).collect()

    try:
        return scan("utf8")
    except pl.exceptions.ComputeError as error:
        if "utf-8" not in str(error):
            raise
        findings.append(
            Finding("warning", file.url, None, file.entry, "It is not UTF-8.", "Write the file as UTF-8.")
        )
        return scan("utf8-lossy")


def may_overlap(span: Timespan, ends: Sequence[str]) -> pl.Expr:
    """Rule rows out by their days' texts, which is much quicker than reading the times.

    Days written yyyy-mm-dd sort as texts; rows with any other writing stay in. A day more at each end
    leaves room for clocks that run to 24:00.
    """
    first = pl.lit((span.start - timedelta(days=2)).strftime("%Y-%m-%d"))
    last = pl.lit((span.stop + timedelta(days=2)).strftime("%Y-%m-%d"))
    texts = [pl.col(name) for name in ends]
    plain = pl.all_horizontal(text.str.contains(r"^\d{4}-\d\d-\d\d").fill_null(False) for text in texts)
    near = (texts[0] < last) & pl.any_horizontal(text >= first for text in texts)
    return ~plain | near


def _typed(cells: pl.DataFrame, layout: Layout, static: bool) -> pl.DataFrame:
    """Read the cells; rows that need a closer look are marked odd."""
    text = {name: _empty_to_null(cells[name].str.strip_chars(MARKS)) for name in layout.names}
    start = parse_times(text["start"])
    stop = (
        parse_times(text["stop"])
        if "stop" in text
        else pl.Series("stop", [None], TIME).new_from_index(0, cells.height)
    )
    filesize = text["filesize"].cast(pl.Int64, strict=False)
    odd = filesize.is_null() | text["datakey"].is_null() | cells[_OVERFLOW].is_not_null()
    if not static:
        odd |= start.is_null()
        if "stop" in text:
            odd |= stop.is_null() & text["stop"].is_not_null()
    extras = [text[name] for name in layout.names[layout.required :]]
    columns = {"start": start, "stop": stop, "datakey": text["datakey"], "filesize": filesize}
    return pl.DataFrame(columns | {extra.name: extra for extra in extras} | {_LINE: cells[_LINE], _ODD: odd})


def _empty_to_null(text: pl.Series) -> pl.Series:
    empty = text == ""
    return text.set(empty, None) if empty.any() else text


def _mend(file: IndexFile, layout: Layout, numbers: list[int], findings: list[Finding]) -> pl.DataFrame:
    """Read odd lines one by one: keep what can be kept, say what is wrong with the rest."""
    lines = _lines(file.source)
    kept: list[list[str | None]] = []
    for number in numbers:
        line = lines[number - 1].decode("utf-8", "replace").strip(" \t\r\ufeff")
        cells = split(line)
        if not line or line.startswith("#") or tuple(cells) == layout.header:
            continue
        problem, keep = _judge(cells, layout, file.static)
        if problem:
            repair = "The line is used without it." if keep else "The line is left out; write it again."
            severity: Severity = "warning" if keep else "error"
            findings.append(
                Finding(severity, file.url, number, file.entry, f"{problem} in {line[:200]!r}.", repair)
            )
        if keep:
            kept.append([*(cells + [None] * len(layout.names))[: len(layout.names)], None, number])
    schema = dict.fromkeys((*layout.names, _OVERFLOW), pl.String) | {_LINE: pl.get_index_type()}
    return _typed(pl.DataFrame(kept, schema=schema, orient="row"), layout, file.static)


def _judge(cells: list[str], layout: Layout, static: bool) -> tuple[str, bool]:
    """Say what is wrong with a line, if anything, and whether the line can be used."""
    named = dict(zip(layout.names, cells, strict=False))
    if not static and not is_time(cells[0]):
        return f"{cells[0]!r} is not a time", False
    if len(cells) < layout.required:
        return f"only {len(cells)} of {layout.required} values", False
    if not named["datakey"]:
        return "no datakey", False
    size = named["filesize"]
    bad_size = bool(size) and not _is_size(size)
    if len(cells) > len(layout.names):
        return f"{len(cells)} values for {len(layout.names)} columns", not bad_size
    if bad_size:
        return f"the filesize {size!r} is no number of bytes", True
    stop = named.get("stop")
    if stop and not is_time(stop):
        return f"the stop {stop!r} is not a time", True
    return "", True


def _is_size(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _lines(source: Path | bytes) -> list[bytes]:
    return (source if isinstance(source, bytes) else source.read_bytes()).split(b"\n")
