"""CSV index files: a quick pass over all lines, then a patient one over the lines that are odd."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import IO

import polars as pl

from helio_burst.catalog.findings import Finding, Severity
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.layout import HEAD, MARKS, Layout, find_layout, is_time, split
from helio_burst.catalog.times import TIME, Writing, read_times
from helio_burst.timespan import Timespan

# Bytes read at once: a whole file is read little by little, to bound the memory, unless few rows are kept.
_BLOCK, _WHOLE = 3 << 20, 256 << 20
# Up to so many odd lines of a block are looked at one by one; beyond, the slower reading of all pays.
_FEW = 100
LINE, _OVERFLOW, _ODD, _STOP = "\x00line", "\x00overflow", "\x00odd", "\x00stop"


def read_csv(file: IndexFile, span: Timespan | None, findings: list[Finding]) -> Iterator[pl.DataFrame]:
    """Read the rows of a CSV index, in the order of the file; with a span, all that may overlap it.

    Beside the columns of an index, LINE is the number of the row's line.
    """
    with _open(file) as opened:
        layout = find_layout(opened.read(HEAD), file.version, file.extras)
        opened.seek(0)
        for _ in range(layout.skip):
            opened.readline()
        reader = _Reader(file, layout, span, findings)
        while block := opened.read(_BLOCK if span is None else _WHOLE):
            yield reader.read(block + opened.readline())


def _open(file: IndexFile) -> IO[bytes]:
    source = io.BytesIO(file.source) if isinstance(file.source, bytes) else file.source.open("rb")
    if file.indextype != "csv-zip":
        return source
    with source, zipfile.ZipFile(source) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(names) != 1:
            raise zipfile.BadZipFile(f"it holds {', '.join(archive.namelist()) or 'nothing'}, not one .csv")
        return io.BytesIO(archive.read(names[0]))


def may_overlap(span: Timespan, ends: Sequence[str]) -> pl.Expr:
    """Rule rows out by the texts of their days, which is much quicker than reading the times.

    Days written yyyy-mm-dd sort as texts; rows with any other writing stay in. Two days more at each end
    leave room for clocks that run to 24:00.
    """
    first = pl.lit((span.start - timedelta(days=2)).strftime("%Y-%m-%d"))
    last = pl.lit((span.stop + timedelta(days=2)).strftime("%Y-%m-%d"))
    texts = [pl.col(name) for name in ends]
    near = (texts[0] < last) & pl.any_horizontal(text >= first for text in texts)
    # Bare comparisons of a digit and a dash cost a third of what a pattern does.
    dated = [text.is_between(pl.lit("0"), pl.lit(":")) & (text.str.slice(7, 1) == "-") for text in texts]
    return near | ~pl.all_horizontal(dated).fill_null(False)


class _Reader:
    """Reads one file block by block."""

    def __init__(
        self, file: IndexFile, layout: Layout, span: Timespan | None, findings: list[Finding]
    ) -> None:
        self.file = file
        self.layout = layout
        self.span = span
        self.findings = findings
        self.line = layout.skip + 1
        self.writing: Writing = layout.writing

    def read(self, block: bytes) -> pl.DataFrame:
        """Read a block of whole lines."""
        rows = self._collect(block)
        if self.writing != "any" and rows[_ODD].sum() > _FEW:
            self.writing = "any"
            rows = self._collect(block)
        # Each line is a row, unless a range rules rows out; counting the lines costs a tenth of the rest.
        lines = rows.height if self.span is None else block.count(b"\n")
        if rows[_ODD].any():
            odd = rows.filter(_ODD)[LINE].to_list()
            rows = pl.concat([rows.filter(~pl.col(_ODD)), self._patient(block, odd)]).sort(LINE)
        self.line += lines
        return rows.drop(_ODD)

    def _collect(self, block: bytes) -> pl.DataFrame:
        try:
            return self._scan(block).collect()
        except pl.exceptions.ComputeError as error:
            if "utf-8" not in str(error):
                raise
        problem = "There are bytes that are not UTF-8."
        found = Finding("warning", self.file.url, None, self.file.entry, problem, "Write the file as UTF-8.")
        if found not in self.findings:
            self.findings.append(found)
        return self._scan(block.decode("utf-8", "replace").encode()).collect()

    def _scan(self, block: bytes) -> pl.LazyFrame:
        cells = pl.scan_csv(
            block,
            has_header=False,
            schema=dict.fromkeys((*self.layout.names, _OVERFLOW), pl.String),
            quote_char=None,
            missing_columns="insert",
            truncate_ragged_lines=True,
            row_index_name=LINE,
            row_index_offset=self.line,
        )
        if self.span is not None:
            cells = cells.filter(may_overlap(self.span, self.layout.ends))
        return self._typed(cells) if self.writing == "any" else self._plain(cells)

    def _plain(self, cells: pl.LazyFrame) -> pl.LazyFrame:
        """Read rows as most files have them; whatever does not fit is marked odd."""
        rows = read_times(cells, self.layout.ends, self.writing)
        return self._select(rows, pl.any_horizontal(pl.col(name).is_null() for name in self.layout.ends))

    def _typed(self, cells: pl.LazyFrame) -> pl.LazyFrame:
        """Read rows of any writing; those that need a look at the whole line are marked odd."""
        ends = self.layout.ends
        rows = cells.with_columns(pl.col(name).str.strip_chars(MARKS) for name in self.layout.names)
        rows = rows.with_columns(pl.col(ends[-1]).alias(_STOP))
        rows = read_times(rows, ends)
        odd = pl.lit(False)
        if not self.file.static:
            odd = pl.col("start").is_null() | (pl.col(ends[-1]).is_null() & (pl.col(_STOP) != ""))
        return self._select(rows, odd)

    def _select(self, rows: pl.LazyFrame, odd: pl.Expr) -> pl.LazyFrame:
        datakey = pl.col("datakey").str.strip_chars(MARKS)
        filesize = pl.col("filesize").cast(pl.Int64, strict=False)
        odd |= filesize.is_null() | datakey.is_null() | (datakey == "") | pl.col(_OVERFLOW).is_not_null()
        stop = pl.col("stop") if "stop" in self.layout.ends else pl.lit(None, TIME).alias("stop")
        extras = [pl.col(name).str.strip_chars(MARKS) for name in self.layout.names[self.layout.required :]]
        extras = [pl.when(extra != "").then(extra) for extra in extras]
        return rows.select("start", stop, datakey, filesize, *extras, LINE, odd.fill_null(True).alias(_ODD))

    def _patient(self, block: bytes, numbers: list[int]) -> pl.DataFrame:
        """Read lines one by one: keep what can be kept, say what is wrong with the rest."""
        lines = block.split(b"\n")
        kept: list[list[object]] = []
        width = len(self.layout.names)
        for number in numbers:
            line = lines[number - self.line].decode("utf-8", "replace").strip(" \t\r\ufeff")
            cells = split(line[:HEAD])
            if not line or line.startswith("#") or tuple(cells) == self.layout.header:
                continue
            problem, keep = judge(cells, self.layout, static=self.file.static)
            if problem:
                self._find(number, f"{problem} in {line[:200]!r}.", keep)
            if keep:
                kept.append([*cells[:width], *[None] * (width - len(cells)), None, number])
        schema = dict.fromkeys((*self.layout.names, _OVERFLOW), pl.String) | {LINE: pl.get_index_type()}
        return self._typed(pl.LazyFrame(kept, schema=schema, orient="row")).collect()

    def _find(self, line: int, problem: str, keep: bool) -> None:
        severity: Severity = "warning" if keep else "error"
        repair = "The line is used without it." if keep else "The line is left out; write it again."
        self.findings.append(Finding(severity, self.file.url, line, self.file.entry, problem, repair))


def judge(cells: list[str], layout: Layout, *, static: bool) -> tuple[str, bool]:
    """Say what is wrong with a line, if anything, and whether the line can be used."""
    named = dict(zip(layout.names, cells, strict=False))
    if not static and not is_time(cells[0]):
        return f"{cells[0]!r} is not a time", False
    if len(cells) < layout.required:
        return f"only {len(cells)} of {layout.required} values", False
    if not named["datakey"]:
        return "no datakey", False
    size = named["filesize"]
    bad_size = bool(size) and not re.fullmatch(r"[+-]?\d+", size)
    if len(cells) > len(layout.names):
        return f"{len(cells)} values for {len(layout.names)} columns", not bad_size
    if bad_size:
        return f"the filesize {size!r} is no number of bytes", True
    stop = named.get("stop")
    if stop and not is_time(stop):
        return f"the stop {stop!r} is not a time", True
    return "", True
