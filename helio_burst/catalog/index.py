"""One index file -> a table of its rows, whatever the file's oddities."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import polars as pl

from helio_burst.catalog.csv_index import may_overlap, read_csv
from helio_burst.catalog.findings import Finding
from helio_burst.catalog.index_file import IndexFile
from helio_burst.catalog.times import TIME, parse_times
from helio_burst.errors import CatalogError
from helio_burst.timespan import Timespan

# A bad file must not flood the screen: so many of its lines are named, the others counted.
_SHOWN = 5


@dataclass(frozen=True)
class Index:
    """The rows of an index file, or those of a range, sorted by start.

    Attributes
    ----------
    rows : DataFrame
        start, stop (Datetime("ns", "UTC")), datakey (String), filesize (Int64), then the extra columns.
    findings : tuple of Finding
        What has been read around.
    """

    rows: pl.DataFrame
    findings: tuple[Finding, ...] = ()


def read_index(file: IndexFile, span: Timespan | None = None, *, shown: int | None = _SHOWN) -> Index:
    """Read an index file.

    Parameters
    ----------
    file : IndexFile
    span : Timespan, optional
        Return only the rows that overlap this range; most others are not even read in full.
    shown : int, optional
        Bad lines to name one by one, the others being counted; None names all.

    Raises
    ------
    CatalogError
        The file is not of its format at all. A bad line is a finding and no error.
    """
    if file.static:
        span = None
    try:
        if file.indextype == "parquet":
            rows, findings = _read_parquet(file, span), []
        else:
            rows, findings = read_csv(file, span)
    except (pl.exceptions.PolarsError, zipfile.BadZipFile) as error:
        raise CatalogError(
            f"{file.url} (entry {file.entry}) cannot be read as {file.indextype}: {error}. "
            "Write the file anew, or correct the entry's indextype."
        ) from error
    if span is not None:
        rows = rows.filter(overlaps(span))
    if not rows["start"].is_sorted():
        rows = rows.sort("start", maintain_order=True)
    return Index(_absolute(rows, file.base), tuple(_abridge(findings, shown)))


def overlaps(span: Timespan) -> pl.Expr:
    """Select the rows that overlap [start, stop); one without stop, or with stop = start, is an instant."""
    start, stop = (pl.lit(time.value).cast(TIME) for time in span)
    after = (pl.col("start") >= start) | (pl.col("stop") > start).fill_null(False)
    return (pl.col("start") < stop) & after


def _absolute(rows: pl.DataFrame, base: str) -> pl.DataFrame:
    """Put relative datakeys (version 0.1) below the folder that they are relative to."""
    relative = ~rows["datakey"].str.contains("://", literal=True)
    if not base or not relative.any():
        return rows
    key = pl.lit(base.rstrip("/") + "/") + pl.col("datakey").str.strip_chars_start("/")
    return rows.with_columns(pl.when(pl.lit(relative)).then(key).otherwise("datakey").alias("datakey"))


def _abridge(findings: list[Finding], shown: int | None) -> list[Finding]:
    if shown is None or len(findings) <= shown:
        return findings
    first = findings[0]
    more = Finding(
        first.severity,
        first.file,
        None,
        first.entry,
        f"{len(findings) - shown} more lines are bad.",
        "See all with lint.",
    )
    return [*findings[:shown], more]


def _read_parquet(file: IndexFile, span: Timespan | None) -> pl.DataFrame:
    """Read a Parquet index; its columns, too, are known by position."""
    scan = pl.scan_parquet(file.source, glob=False)
    schema = scan.collect_schema()
    names = list(schema)
    second = schema[names[1]] if len(names) > 1 else pl.Null()
    with_stop = second.is_temporal() or (second == pl.String and len(names) > 3)
    columns = ("start", "stop", "datakey", "filesize") if with_stop else ("start", "datakey", "filesize")
    if len(names) < len(columns):
        raise pl.exceptions.SchemaError(f"it has only the columns {', '.join(names)}")
    scan = scan.rename(dict(zip(names, columns, strict=False)))
    times = [name for name in columns[:2] if name != "datakey"]
    if span is not None and all(schema[name].is_temporal() for name in names[: len(times)]):
        scan = scan.with_columns(_as_time(scan, name) for name in times)
        if not with_stop:
            scan = scan.with_columns(stop=pl.lit(None, TIME))
        return _columns(scan.filter(overlaps(span)).collect())
    if span is not None:
        scan = scan.filter(may_overlap(span, times))
    rows = scan.collect()
    if not with_stop:
        rows = rows.with_columns(stop=pl.lit(None, TIME))
    return _columns(rows.with_columns(_to_time(rows[name]) for name in times))


def _as_time(scan: pl.LazyFrame, name: str) -> pl.Expr:
    zone = getattr(scan.collect_schema()[name], "time_zone", None)
    time = pl.col(name).cast(pl.Datetime("ns", zone))
    return time.dt.convert_time_zone("UTC") if zone else time.dt.replace_time_zone("UTC")


def _to_time(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return parse_times(column)
    return (
        column.to_frame().lazy().select(_as_time(column.to_frame().lazy(), column.name)).collect().to_series()
    )


def _columns(rows: pl.DataFrame) -> pl.DataFrame:
    first = ("start", "stop", "datakey", "filesize")
    return rows.select(
        "start",
        "stop",
        pl.col("datakey").cast(pl.String),
        pl.col("filesize").cast(pl.Int64, strict=False),
        pl.exclude(first),
    )
