"""Index files of every oddity."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helio_burst.catalog import csv_index
from helio_burst.catalog.file_table import FileTable
from helio_burst.catalog.findings import Finding
from helio_burst.catalog.index import read_index
from helio_burst.catalog.index_file import IndexFile
from helio_burst.errors import CatalogError
from helio_burst.timespan import Timespan, parse_timespan

ROW = "2020-01-01T00:00:00Z,2020-01-01T00:00:04Z,s3://b/1.fits,5"


def read(
    data: bytes | str, span: Timespan | None = None, **more: object
) -> tuple[pd.DataFrame, list[Finding]]:
    source = data.encode() if isinstance(data, str) else data
    findings: list[Finding] = []
    table = FileTable()
    for rows in read_index(IndexFile("s3://b/x_2020.csv", "x", source, **more), span, findings):
        table.add(rows)
    return table.frame(), findings


@pytest.mark.parametrize(
    "header",
    [
        "",
        "start,stop,datakey,filesize\n",
        "# start, stop, datakey, filesize\n",
        "#start,stop,s3key,filesize\n",
        "# made on a Monday\n# start, stop, datakey, filesize\n",
        "'start','stop','datakey','filesize'\n",
        "\ufeff# start, stop, datakey, filesize\n",
        "\n\n",
    ],
)
def test_any_header_or_none(header: str) -> None:
    files, findings = read(header + ROW + "\n")
    assert files["datakey"].tolist() == ["s3://b/1.fits"]
    assert files["filesize"].tolist() == [5]
    assert not findings


def test_dtypes_also_without_rows() -> None:
    for data in (ROW, "", "# start, stop, datakey, filesize\n"):
        files, _ = read(data)
        assert {name: str(kind) for name, kind in files.dtypes.items()} == {
            "start": "datetime64[ns, UTC]",
            "stop": "datetime64[ns, UTC]",
            "datakey": "string",
            "filesize": "Int64",
        }


def test_before_0_5_there_is_no_stop_and_no_row_is_lost() -> None:
    data = "#time, s3key, filesize\n2020-01-01T00:00:00Z,s3://b/1,5\n2020-12-31T23:00:00Z,s3://b/2,6\n"
    files, findings = read(data, version=(0, 1))
    assert files["stop"].isna().all()
    assert files["filesize"].tolist() == [5, 6]
    assert not findings


@pytest.mark.parametrize("version", [(0, 1), (0, 4), (0, 5), (1, 1)])
def test_what_the_file_shows_goes_before_the_version(version: tuple[int, ...]) -> None:
    with_stop, _ = read(ROW, version=version)
    assert with_stop["stop"].notna().all()
    without, _ = read("2020-01-01T00:00:00Z,s3://b/1.fits,5", version=version)
    assert without["stop"].isna().all()
    assert without["datakey"].tolist() == ["s3://b/1.fits"]


def test_single_quotes_go_also_from_the_filesize() -> None:
    files, findings = read("'2020-01-01T00:00:00Z','2020-01-01T00:00:04Z','s3://b/1.fits','5'\n" * 2)
    assert files.loc[0, "datakey"] == "s3://b/1.fits"
    assert files.loc[0, "filesize"] == 5
    assert not findings


def test_a_comma_within_quotes_does_not_split() -> None:
    data = f"start,stop,datakey,filesize,note,gain\n{ROW},'a, b',3\n{ROW.replace('1.fits', '2.fits')},c,4\n"
    files, findings = read(data)
    assert files["note"].tolist() == ["a, b", "c"]
    assert files["gain"].tolist() == [3, 4]
    assert not findings


def test_comments_anywhere() -> None:
    files, findings = read(
        f"# a\n{ROW}\n# b, c, d, e\n\n#2020-01-02T00:00:00Z,x,y,1\n{ROW.replace('1.fits', '2')}\n"
    )
    assert len(files) == 2
    assert not findings


def test_unsorted_is_sorted_and_double_is_once() -> None:
    later = ROW.replace("2020-01-01", "2020-03-01")
    files, _ = read("\n".join([later, ROW, later, ROW.replace(",5", ",7")]))
    assert files["start"].is_monotonic_increasing
    assert files["filesize"].tolist() == [7, 5]


def test_relative_keys_are_below_the_endpoint() -> None:
    data = "2020-01-01T00:00:00Z,a/1.cdf,5\n2020-01-01T00:00:00Z,s3://other/2.cdf,5\n"
    files, _ = read(data, version=(0, 1), base="s3://bucket/")
    assert files["datakey"].tolist() == ["s3://bucket/a/1.cdf", "s3://other/2.cdf"]


def test_static_rows_have_no_time() -> None:
    data = "static,static,s3://b/1.txt,5\nstatic,static,s3://b/2.txt,5\n"
    files, findings = read(data, parse_timespan("2020", "2021"), static=True, version=(0, 5))
    assert files["datakey"].tolist() == ["s3://b/1.txt", "s3://b/2.txt"]
    assert files["start"].isna().all()
    assert not findings


@pytest.mark.parametrize(
    ("line", "said", "kept"),
    [
        ("2020-01-02T00:00:00Z,2020-01-0", "only 2 of 4 values", False),
        ("garbage", "'garbage' is not a time", False),
        ("2020-02-31T00:00:00Z,2020-03-01T00:00:00Z,s3://b/2.fits,5", "is not a time", False),
        ("2020-01-02T00:00:00Z,2020-01-02T00:00:04Z,,5", "no datakey", False),
        ("2020-01-02T00:00:00Z,2020-01-02T00:00:04Z,s3://b/2.fits,big", "filesize 'big'", True),
        ("2020-01-02T00:00:00Z,soon,s3://b/2.fits,5", "the stop 'soon'", True),
        (f"{ROW}{ROW}", "7 values for 4 columns", False),
        ("2020-01-02T00:00:00Z,,s3://b/2.fits,", "", True),
    ],
)
def test_a_bad_line_is_named_and_the_rest_read(line: str, said: str, kept: bool) -> None:
    files, findings = read(f"# start, stop, datakey, filesize\n{ROW}\n{line}\n{ROW.replace('1.fits', '3')}\n")
    assert len(files) == 2 + kept
    if said:
        (found,) = findings
        assert (found.line, found.file, found.entry) == (3, "s3://b/x_2020.csv", "x")
        assert said in found.problem
        assert line[:100] in found.problem
    else:
        assert not findings


def test_lines_are_counted_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_index, "_BLOCK", 100)
    rows = [ROW.replace("1.fits", f"{number}.fits") for number in range(100)]
    rows[70] = "torn"
    rows[20] = ""
    files, findings = read("# start, stop, datakey, filesize\n" + "\r\n".join(rows))
    assert len(files) == 98
    assert [found.line for found in findings] == [72]


def test_bytes_that_are_not_utf8() -> None:
    files, findings = read(ROW.encode() + b"\n" + ROW.encode().replace(b"1.fits", b"\xe9.fits") + b"\n")
    assert len(files) == 2
    assert "not UTF-8" in findings[0].problem


def test_extra_columns_without_header_take_the_parameters_names() -> None:
    files, _ = read(f"{ROW},7,abc\n", extras=lambda: ("gain", "checksum"))
    assert files["gain"].tolist() == [7]
    assert files["checksum"].tolist() == ["abc"]
    files, _ = read(f"{ROW},7,abc\n")
    assert files.columns[4:].tolist() == ["extra_1", "extra_2"]


def test_a_checksum_stays_text() -> None:
    files, _ = read(f"start,stop,datakey,filesize,checksum,checksum_algorithm\n{ROW},0012,md5\n")
    assert files["checksum"].tolist() == ["0012"]


def zipped(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, ROW)
    return buffer.getvalue()


def test_zip() -> None:
    files, _ = read(zipped(["x_2020.csv"]), indextype="csv-zip")
    assert len(files) == 1


@pytest.mark.parametrize("data", [zipped([]), zipped(["a.csv", "b.csv"]), b"PK no zip"])
def test_a_zip_that_is_none(data: bytes) -> None:
    with pytest.raises(CatalogError, match=r"x_2020.csv \(entry x\) cannot be read as csv-zip"):
        read(data, indextype="csv-zip")


@pytest.mark.parametrize("kind", ["text", "us", "ns", "zone", "mixed"])
@pytest.mark.parametrize("span", [None, parse_timespan("2020-01-02", "2020-01-03")])
def test_parquet(kind: str, span: Timespan | None) -> None:
    starts = ["2020-01-01T00:00:00Z", "2020-01-02T12:00:00Z"]
    if kind == "mixed":
        starts[1] = "2020-002T12Z"
    rows = pl.DataFrame(
        {
            "Start Time": starts,
            "Stop": starts,
            "key": ["s3://b/1", "s3://b/2"],
            "size": [1, 2],
            "gain": [0.5, 1.5],
        }
    )
    if kind not in ("text", "mixed"):
        unit = "ns" if kind == "zone" else kind
        zone = "Europe/Berlin" if kind == "zone" else None
        times = pl.col("Start Time", "Stop").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit=unit)
        if zone:
            times = times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        rows = rows.with_columns(times)
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    files, _ = read(buffer.getvalue(), span, indextype="parquet")
    assert files["datakey"].tolist() == (["s3://b/1", "s3://b/2"] if span is None else ["s3://b/2"])
    assert files["start"].iloc[-1] == pd.Timestamp("2020-01-02 12:00", tz="UTC")
    assert files["gain"].iloc[-1] == 1.5


def test_parquet_that_is_none() -> None:
    with pytest.raises(CatalogError, match="cannot be read as parquet"):
        read(b"not parquet", indextype="parquet")


def test_a_file_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "x_2020.csv"
    path.write_text(ROW)
    findings: list[Finding] = []
    (rows,) = read_index(IndexFile("x", "x", path), None, findings)
    assert len(rows) == 1


MOMENTS = st.datetimes(pd.Timestamp("2020-01-01").to_pydatetime(), pd.Timestamp("2020-12-31").to_pydatetime())


def write_time(time: pd.Timestamp, writing: str) -> str:
    return {
        "plain": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fraction": time.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "day of year": time.strftime("%Y-%jT%H:%M:%SZ"),
        "colon": time.strftime("%Y-%m-%d:%H:%M:%SZ"),
        "dot": time.strftime("%Y-%m-%dT%H:%M.%SZ"),
        "no zone": time.strftime("%Y-%m-%d %H:%M:%S"),
    }[writing]


WRITINGS = ["plain", "fraction", "day of year", "colon", "dot", "no zone"]


@st.composite
def index_files(draw: st.DrawFn) -> tuple[bytes, list[tuple[pd.Timestamp, pd.Timestamp, str, int]]]:
    """An index file with any mixture of oddities, and the rows that it holds."""
    rows, lines = [], []
    mixed = draw(st.booleans())
    writing = draw(st.sampled_from(WRITINGS))
    for number in range(draw(st.integers(0, 12))):
        start = pd.Timestamp(draw(MOMENTS)).floor("s")
        stop = start + pd.Timedelta(seconds=draw(st.integers(0, 10**6)))
        size = draw(st.integers(0, 2**62))
        key = f"s3://b/{draw(st.text('abc/_.-%é', max_size=9))}{number}.fits"
        if mixed:
            writing = draw(st.sampled_from(WRITINGS))
        cells = [write_time(start, writing), write_time(stop, writing), key, str(size)]
        quote = draw(st.sampled_from(["", "", "'", '"']))
        space = draw(st.sampled_from(["", " "]))
        lines.append(f",{space}".join(f"{quote}{cell}{quote}" for cell in cells))
        rows.append((start.tz_localize("UTC"), stop.tz_localize("UTC"), key, size))
        lines += draw(st.lists(st.sampled_from(["", "# a remark", "#"]), max_size=1))
    lines = (
        draw(st.lists(st.sampled_from(["# remark", "# start, stop, datakey, filesize"]), max_size=2)) + lines
    )
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    return (ends.join(lines) + draw(st.sampled_from(["", ends]))).encode(), rows


@given(index_files(), st.booleans(), MOMENTS, st.integers(1, 10**7))
@settings(max_examples=150)
def test_what_is_written_is_read_back(
    written: tuple[bytes, list[tuple[pd.Timestamp, pd.Timestamp, str, int]]],
    ranged: bool,
    first: object,
    seconds: int,
) -> None:
    data, rows = written
    span = None
    if ranged:
        start = pd.Timestamp(first, tz="UTC")
        span = Timespan(start, start + pd.Timedelta(seconds=seconds))
        rows = [row for row in rows if row[0] < span.stop and (row[0] >= span.start or row[1] > span.start)]
    files, findings = read(data, span)
    assert not findings
    read_rows = list(files.itertuples(index=False, name=None))
    assert read_rows == sorted(read_rows, key=lambda row: row[0])
    assert sorted(read_rows) == sorted(rows)


@given(st.binary(max_size=400), st.sampled_from(["csv", "csv-zip", "parquet"]), st.booleans())
@example(b"a" * 300_000, "csv", False)
@example(b"\r\x00", "csv", False)
@example(b"2020-01-01,\x0bs3://b/1,5\n\x1c2020\x85\n", "csv", True)
@example(b'"' * 3 + b"\x00,'", "csv", False)
def test_any_bytes_end_in_rows_findings_or_a_catalog_error(data: bytes, indextype: str, ranged: bool) -> None:
    span = parse_timespan("2020", "2021") if ranged else None
    try:
        files, findings = read(data, span, indextype=indextype)
    except CatalogError:
        return
    assert files["datakey"].notna().all()
    assert all(found.line is None or 1 <= found.line <= data.count(b"\n") + 1 for found in findings)
