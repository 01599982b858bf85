"""What is written lints clean and is read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helio_burst import storage
from helio_burst.catalog import lint, list_bucket, open_catalog, open_registry, write_catalog
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import CatalogError, CatalogWarning, InputError


def file_list(first: str = "2019-12-30", number: int = 10, hours: int = 12) -> pd.DataFrame:
    start = pd.date_range(first, periods=number, freq=f"{hours}h", tz="UTC", unit="ns")
    keys = [f"s3://b/{time:%Y/%m/%d}/aia_{time:%Y%m%dT%H%M%S}.fits" for time in start]
    return pd.DataFrame(
        {
            "start": start,
            "stop": start + pd.Timedelta(hours=1),
            "datakey": pd.array(keys, dtype="string[pyarrow]"),
            "filesize": pd.array(range(number), dtype="Int64") + 1,
        }
    )


def write(folder: Path | str, files: pd.DataFrame, id: str = "aia", **more: Any) -> pd.DataFrame:
    return write_catalog(str(folder), id, files, **{"title": "AIA", "name": "Mine", "contact": "Ada", **more})


def faults(folder: Path | str) -> pd.DataFrame:
    findings = lint(str(folder))
    return findings[findings["severity"] != "note"]


@pytest.mark.parametrize("indextype", ["csv", "csv-zip", "parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, indextype: str) -> None:
    folder = f"file://{tmp_path}/bucket"
    files = file_list()
    files["gain"] = np.arange(10) / 4
    files["note"] = pd.array(["a, b"] * 10, dtype="string[pyarrow]")
    plan = write(folder, files.sample(frac=1, random_state=1), indextype=indextype)
    assert plan["action"].tolist() == ["create"] * 4
    assert plan["rows"].tolist()[:2] == [4, 6]
    assert faults(folder).empty
    read = open_catalog(folder).file_list("aia")
    pd.testing.assert_frame_equal(read, files, check_dtype=False)
    entry = open_catalog(folder).entry("aia")
    assert entry.start == files["start"].min()
    assert entry.stop == files["stop"].max()
    assert entry.filetype == ("fits",)


def test_parquet_holds_any_text(tmp_path: Path) -> None:
    files = file_list().assign(über=['say "no"', " two\nlines "] * 5)
    write(tmp_path, files, indextype="parquet")
    assert open_catalog(str(tmp_path)).file_list("aia")["über"].tolist() == files["über"].tolist()


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    write(tmp_path, file_list().assign(**{"flux (W/m^2)": 1, "a, b": 2, "über": 3}))
    files = open_catalog(str(tmp_path), strict=True).file_list("aia")
    assert files.columns[4:].tolist() == ["flux (W/m^2)", "a, b", "über"]


def test_a_relative_path_is_published_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("bucket", file_list(), registry="r.json", region="here")
    monkeypatch.chdir("/")
    assert len(open_registry(f"{tmp_path}/r.json").open_catalog("Mine").file_list("aia")) == 10


def test_a_registry_with_odd_lines_is_kept(tmp_path: Path) -> None:
    registry = tmp_path / "r.json"
    registry.write_text('{"version": "1.1", "registry": [3, {"name": "no endpoint"}]}')
    write(tmp_path / "one", file_list(), registry=str(registry), region="here")
    assert len(json.loads(registry.read_text())["registry"]) == 3


def test_fractions_of_seconds(tmp_path: Path) -> None:
    files = file_list(number=3)
    files["start"] += pd.Timedelta(1, "ns")
    write(tmp_path, files)
    pd.testing.assert_series_equal(open_catalog(str(tmp_path)).file_list("aia")["start"], files["start"])


def test_years_without_files_have_an_empty_index(tmp_path: Path) -> None:
    files = pd.concat([file_list("2015-01-01", 2), file_list("2018-01-01", 2)])
    plan = write(tmp_path, files)
    assert plan["rows"].tolist()[:4] == [2, 0, 0, 2]
    assert faults(tmp_path).empty
    assert len(open_catalog(str(tmp_path)).file_list("aia")) == 4


def test_a_stop_at_new_year_needs_no_further_index(tmp_path: Path) -> None:
    files = file_list("2019-12-31T23:00", 1)
    plan = write(tmp_path, files)
    assert [url.rpartition("/")[2] for url in plan["url"]] == ["aia_2019.csv", "catalog.json"]
    assert faults(tmp_path).empty
    assert len(open_catalog(str(tmp_path)).file_list("aia")) == 1


def test_files_over_years_are_marked(tmp_path: Path) -> None:
    files = file_list(number=1)
    files["stop"] = pd.Timestamp("2022-01-05", tz="UTC")
    write(tmp_path, files)
    catalog = open_catalog(str(tmp_path))
    assert catalog.entry("aia").multiyear
    assert len(catalog.file_list("aia", "2022", "2023")) == 1


def test_without_stop_files_are_instants(tmp_path: Path) -> None:
    files = file_list().drop(columns="stop")
    files["start"] = files["start"].dt.strftime("%Y-%jT%H")
    write(tmp_path, files)
    read = open_catalog(str(tmp_path)).file_list("aia")
    assert (read["start"] == read["stop"]).all()


def test_another_entry_is_added_and_the_same_replaced(tmp_path: Path) -> None:
    write(tmp_path, file_list())
    write(tmp_path, file_list(), id="hmi", title="HMI", more={"citation": "doi:1"})
    plan = write(tmp_path, file_list(number=2), title="AIA again", name=None, contact=None)
    assert plan["action"].tolist() == ["replace"] * 2
    catalog = open_catalog(str(tmp_path))
    assert catalog.entries["id"].tolist() == ["aia", "hmi"]
    assert catalog.entry("aia").title == "AIA again"
    assert catalog.entry("hmi").more["citation"] == "doi:1"
    assert catalog.name == "Mine"
    assert len(catalog.file_list("aia")) == 2
    assert faults(tmp_path).empty


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    plan = write(tmp_path / "bucket", file_list(), dry_run=True, registry=f"{tmp_path}/r.json", region="x")
    assert plan.columns.tolist() == ["url", "action", "bytes", "rows"]
    assert len(plan) == 4
    assert not list(tmp_path.iterdir())


def test_the_registry_lists_the_endpoint(tmp_path: Path) -> None:
    registry = f"{tmp_path}/r.json"
    for _ in range(2):
        write(tmp_path / "one", file_list(), registry=registry, region="us-east-1")
    write(tmp_path / "two", file_list(), registry=registry, region="us-east-1", name="Two")
    opened = open_registry(registry)
    assert opened.table["name"].tolist() == ["Mine", "Two"]
    assert len(opened.open_catalog("Two")) == 1
    assert lint(registry).empty


def test_on_s3(s3: EmbeddedS3) -> None:
    s3.create_bucket("published")
    write("s3://published", file_list())
    assert lint("s3://published").empty
    assert len(open_catalog("s3://published").file_list("aia")) == 10


def changed(**columns: Any) -> pd.DataFrame:
    return file_list(number=3).assign(**columns)


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        (file_list(number=0), {}, "The file list is empty"),
        (file_list().drop(columns="datakey"), {}, "has no column datakey; it has start, stop, filesize"),
        (changed(datakey=["s3://b/1", "b/2", "s3://b/3"]), {}, "1 rows .* datakey is no URL.*b/2"),
        (changed(datakey="s3://b/it's"), {}, "a line break, a quote, or a blank at an end"),
        (changed(datakey="s3://b/1 "), {}, "a line break, a quote, or a blank at an end"),
        (
            changed(note='say "no"'),
            {},
            "column 'note' has .* first in 'say \"no\"', .* Use indextype='parquet'",
        ),
        (changed(note="two\nlines"), {"indextype": "csv-zip"}, "column 'note' has a line break"),
        (changed(note=[[1], [2], [3]]), {}, r"column 'note' holds List\(Int64\)"),
        (changed(start=pd.NaT), {}, "start is missing"),
        (changed(stop=pd.Timestamp("2000", tz="UTC")), {}, "stop is before start"),
        (changed(filesize=-1), {}, "filesize is missing or negative"),
        (file_list(), {"id": "a b"}, "'a b' has other characters"),
        (file_list(), {"indextype": "hdf"}, "indextype is 'hdf'; known are csv, csv-zip, parquet"),
        (file_list(), {"filetype": "FITS"}, "filetype is 'FITS'"),
        (file_list(), {"egress": "now"}, "egress has now"),
        (file_list(), {"name": None}, "a new catalog needs name and contact"),
        (file_list(), {"more": {"start": "2020"}}, "more holds start"),
        (file_list(), {"more": {"creation": "soon"}}, "creation is 'soon'"),
    ],
)
def test_what_is_not_allowed_is_refused_before_anything_is_written(
    tmp_path: Path, files: pd.DataFrame, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        write(tmp_path, files, **more)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ['{"Cloudy": "0.1", "catalog": []}', '{"version": "1.1"}', "["])
def test_a_catalog_that_cannot_be_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "catalog.json").write_text(text)
    with pytest.raises(CatalogError, match=r"catalog\.json"):
        write(tmp_path, file_list())
    assert (tmp_path / "catalog.json").read_text() == text


def test_parameters_are_written(tmp_path: Path) -> None:
    given = [{"name": "gain", "type": "double", "units": "DN", "desc": "gain"}]
    write(tmp_path, file_list().assign(gain=1.5), parameters=given)
    assert json.loads((tmp_path / "aia" / "aia.json").read_text()) == {"parameters": given}


KEYS = ["2020/02/17/aia_20200217T030405_v1.fits", "2020/02/16/aia_20200216T000000_v1.fits", "readme.txt"]


@pytest.fixture
def bucket(tmp_path: Path) -> str:
    for key in KEYS:
        storage.write(f"file://{tmp_path}/data/{key}", b"12345")
    return f"file://{tmp_path}/data"


@pytest.mark.parametrize(
    "pattern",
    [
        "%Y/%m/%d/aia_%Y%m%dT%H%M%S_*.fits",
        "aia_%Y%m%dT%H%M%S_v1.fits",
        re.compile(
            r"_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)_"
        ),
    ],
)
def test_a_listing_gives_the_times_of_the_keys(bucket: str, pattern: str | re.Pattern[str]) -> None:
    with pytest.warns(CatalogWarning, match=r"1 of 3 objects .* left out, for example .*readme\.txt"):
        files = list_bucket(bucket, pattern, duration="4s")
    assert files["start"].tolist() == [
        pd.Timestamp("2020-02-16", tz="UTC"),
        pd.Timestamp("2020-02-17T03:04:05", tz="UTC"),
    ]
    assert (files["stop"] - files["start"] == pd.Timedelta("4s")).all()
    assert files["datakey"].tolist() == [f"{bucket}/{KEYS[1]}", f"{bucket}/{KEYS[0]}"]
    assert files["filesize"].tolist() == [5, 5]
    assert {name: str(kind) for name, kind in files.dtypes.items()} == {
        "start": "datetime64[ns, UTC]",
        "stop": "datetime64[ns, UTC]",
        "datakey": "string",
        "filesize": "Int64",
    }


def test_from_a_listing_to_a_catalog_on_s3(s3: EmbeddedS3) -> None:
    s3.create_bucket("listed")
    for day in range(1, 4):
        storage.write(f"s3://listed/data/x_2020-{day:03}.cdf", b"1" * day)
    files = list_bucket("s3://listed/data/", "x_%Y-%j.cdf", duration="1D")
    write("s3://listed", files, id="x", title="X")
    assert lint("s3://listed").empty
    read = open_catalog("s3://listed").file_list("x", "2020-01-02", "2020-01-03")
    assert read["datakey"].tolist() == ["s3://listed/data/x_2020-002.cdf"]
    assert read["filesize"].tolist() == [2]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("hmi_%Y.fits", "No object below .* matches .*; for example"),
        ("aia_%q.fits", "has %q; known are %Y"),
        ("aia_%m.fits", "does not say where the year is"),
    ],
)
def test_patterns_that_cannot_be(bucket: str, pattern: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list_bucket(bucket, pattern)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are none"):
        list_bucket(f"file://{tmp_path}", "%Y.fits")
