"""catalog.json of every version and with every oddity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from helio_burst.catalog import open_catalog
from helio_burst.catalog.json_document import parse_version
from helio_burst.catalog.json_lines import Lines
from helio_burst.errors import CatalogError, CatalogWarning, InputError, MissingObjectError

from .conftest import Publish

STATUS = {"status": {"code": 1200, "message": "OK"}}
START, STOP = pd.Timestamp("2015-06-01", tz="UTC"), pd.Timestamp("2021-12-31T23:59", tz="UTC")
VERSIONS: dict[str, dict[str, Any]] = {
    "0.1": {
        "Cloudy": "0.1",
        **STATUS,
        "catalog": [
            {
                "id": "fgm",
                "loc": "mms1/fgm",
                "title": "FGM",
                "startdate": "2015-06-01T00:00Z",
                "enddate": "2021-12-31T23:59Z",
                "modificationdate": "2023-03-08T00:00Z",
                "listformat": "csv",
                "fileformat": "cdf",
                "ownership": {"contact": "Ada", "creationDate": "2015"},
            }
        ],
    },
    "0.2": {
        "version": "0.2",
        **STATUS,
        "catalog": [
            {
                "id": "fgm",
                "index": "s3://bucket/mms1/fgm",
                "title": "FGM",
                "startDate": "2015-06-01T00:00Z",
                "stopDate": "2021-12-31T23:59Z",
                "modificationDate": "2023-03-08T00:00Z",
                "indexformat": "csv",
                "fileformat": "cdf",
                "contactID": "Ada",
                "creationDate": "2015",
                "resourceURL": "https://x",
                "aboutURL": "https://y",
            }
        ],
    },
    "1.1.0": {
        "version": "1.1.0",
        **STATUS,
        "catalog": [
            {
                "id": "fgm",
                "index": "s3://bucket/mms1/fgm/",
                "title": "FGM",
                "start": "2015-06-01T00:00Z",
                "stop": "2021-12-31T23:59Z",
                "modification": "2023-03-08T00:00Z",
                "filetype": "CDF",
                "contact": "Ada",
                "creation": "2015",
                "tags": ["magnetic", "field"],
                "CDF": True,
            }
        ],
    },
}


def open_json(folder: Path, document: dict[str, Any] | str, **more: Any) -> Any:
    (folder / "catalog.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return open_catalog(str(folder), **more)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_in_todays_words(version: str, tmp_path: Path) -> None:
    catalog = open_json(tmp_path, VERSIONS[version])
    entry = catalog.entry("fgm")
    assert (entry.start, entry.stop) == (START, STOP)
    assert entry.index.endswith("/mms1/fgm/")
    assert entry.index.startswith(str(tmp_path) if version == "0.1" else "s3://bucket/")
    assert entry.indextype == "csv"
    assert entry.filetype == ("cdf",)
    assert entry.more["contact"] == "Ada"
    assert entry.more["creation"] == pd.Timestamp("2015", tz="UTC")
    assert catalog.version == version
    assert catalog.entries.loc[0, "start"] == START


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    entry = open_json(tmp_path, VERSIONS["1.1.0"]).entry("fgm")
    assert entry.more["tags"] == ["magnetic", "field"]
    assert entry.more["CDF"] is True


def test_an_optional_date_that_is_none_warns(publish: Publish) -> None:
    with pytest.warns(CatalogWarning, match=r"line \d+ \(entry aia\): creation is 'some time', not a time"):
        catalog = publish({}, creation="some time")
    assert catalog.entry("aia").more["creation"] is None


@pytest.mark.parametrize("key", ["start", "stop"])
@pytest.mark.parametrize("value", ["whenever", None])
def test_a_required_date_is_an_error_of_that_entry_alone(
    publish: Publish, key: str, value: str | None
) -> None:
    with pytest.warns(CatalogWarning):
        catalog = publish({}, **{key: value})
    assert len(catalog.entries) == 1
    with pytest.raises(CatalogError, match=rf"The entry aia of .* cannot be used: it.*{key}"):
        catalog.file_list("aia")


def test_an_entry_without_title_or_index(tmp_path: Path) -> None:
    with pytest.warns(CatalogWarning) as told:
        catalog = open_json(
            tmp_path,
            {
                "version": "1.1",
                **STATUS,
                "catalog": [
                    {"id": "a", "start": "2020", "stop": "2021"},
                    "nonsense",
                    {"title": "t", "start": "2020", "stop": "2021"},
                ],
            },
        )
    assert len(told) == 3
    assert "There is no index, title" in str(told[0].message)
    assert catalog.entries["id"].tolist() == ["a", "entry 2"]


def test_lists_without_modification_indextype_filetype_are_read(publish: Publish) -> None:
    entry = publish({}, modification=None, indextype=None, filetype=None).entry("aia")
    assert entry.indextype == "csv"
    assert entry.filetype == ()


def test_an_unknown_indextype(publish: Publish) -> None:
    with pytest.warns(CatalogWarning, match="indextype is 'hdf'"):
        catalog = publish({}, indextype="hdf")
    with pytest.raises(CatalogError, match="'hdf'; known are csv, csv-zip, parquet"):
        catalog.file_list("aia")


@pytest.mark.parametrize("written", ["CSV", ".csv", "csv.zip", "Parquet"])
def test_indextypes_in_other_writings(publish: Publish, written: str) -> None:
    assert publish({}, indextype=written).entry("aia").indextype in ("csv", "csv-zip", "parquet")


def test_a_stop_far_ahead_means_that_data_go_on(publish: Publish) -> None:
    index = {f"aia_{year}.csv": f"{year}-01-01,{year}-01-02,s3://b/{year},1" for year in (2019, 2020)}
    catalog = publish(index, stop="9999-12-31T00:00:00Z")
    assert len(catalog.file_list("aia", "2019", "2021")) == 2


def test_an_unavailable_catalog_says_so(publish: Publish) -> None:
    with pytest.raises(CatalogError, match=r"temporarily unavailable \(status 1400: moving\).*Ada"):
        publish({}, top={"status": {"code": 1400, "message": "moving"}})


def test_user_pays_warns(publish: Publish) -> None:
    with pytest.warns(CatalogWarning, match="the reader pays"):
        publish({}, version="0.2", top={"status": {"code": 1600, "message": "pay"}})


@pytest.mark.parametrize("status", [None, "fine", {"message": "OK"}])
def test_a_status_that_is_none_is_read_around(publish: Publish, status: object) -> None:
    with pytest.warns(CatalogWarning, match="status"):
        assert len(publish({}, top={"status": status})) == 1


def test_a_version_that_is_none(publish: Publish) -> None:
    with pytest.warns(CatalogWarning, match="The version is"):
        assert publish({}, version="new").version == "1.1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"catalog": [\n{"id": "a"]}', r"catalog.json, line 2, column \d+: not JSON"),
        ("[]", "is a list, not an object"),
        ('{"registry": []}', "has no list 'catalog'; it has the keys registry"),
        ('{"catalog": {}}', "has no list 'catalog'"),
        ("", "line 1, column 1: not JSON"),
    ],
)
def test_what_is_no_catalog(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        open_json(tmp_path, text)


def test_no_catalog_there(tmp_path: Path) -> None:
    with pytest.raises(MissingObjectError, match=r"catalog\.json"):
        open_catalog(str(tmp_path))


def test_a_catalog_of_another_file_name(publish: Publish, tmp_path: Path) -> None:
    publish({})
    (tmp_path / "bucket" / "catalog.json").rename(tmp_path / "bucket" / "mine.json")
    catalog = open_catalog(f"{tmp_path}/bucket/mine.json")
    assert catalog.endpoint == f"{tmp_path}/bucket/"


def test_ids_that_occur_again(tmp_path: Path) -> None:
    one = {**VERSIONS["1.1.0"]["catalog"][0]}
    document = {**VERSIONS["1.1.0"], "catalog": [one, {**one, "index": "s3://other/"}]}
    with pytest.warns(CatalogWarning, match="The id 'fgm' occurs again"):
        catalog = open_json(tmp_path, document)
    with pytest.raises(
        CatalogError, match=r"2 entries 'fgm', with the indexes s3://bucket/mms1/fgm/, s3://other/"
    ):
        catalog.entry("fgm")


def test_strict_raises_at_once(publish: Publish) -> None:
    with pytest.raises(CatalogError, match="creation is"):
        publish({}, strict=True, creation="some time")


def test_versions_compare_as_numbers() -> None:
    assert parse_version("1.1.0") >= (1, 1)
    assert parse_version("0.10") > (0, 9)
    assert parse_version("beta") is None


def test_lines_of_json() -> None:
    lines = Lines('{"a": [1,\n {"b": "x\\"y", "b": null},\n -1.5e3], "c": {}\n}')
    assert lines.of(("a", 1, "b")) == 2
    assert lines.of(("a", 2)) == 3
    assert lines.of(("c",)) == 3
    assert lines.of(("a", 9, "z")) == 1
    assert lines.of(("nowhere",)) is None
    assert lines.repeated == [(("a", 1, "b"), 2)]


def test_search(tmp_path: Path) -> None:
    one = VERSIONS["1.1.0"]["catalog"][0]
    other = {
        **one,
        "id": "aia_0094",
        "title": "AIA 94 A",
        "start": "2010",
        "stop": "2014",
        "filetype": "fits, csv",
        "tags": ["sun"],
    }
    catalog = open_json(tmp_path, {**VERSIONS["1.1.0"], "catalog": [one, other]})

    def ids(*args: Any, **more: Any) -> list[str]:
        return catalog.search(*args, **more)["id"].tolist()

    assert ids() == ["fgm", "aia_0094"]
    assert ids("field MAGNETIC") == ["fgm"]
    assert ids(id="aia_*") == ["aia_0094"]
    assert ids(id="FG") == ["fgm"]
    assert ids(title="aia 94") == ["aia_0094"]
    assert ids(keywords=["sun", "aia", "fgm"]) == ["aia_0094", "fgm"]
    assert ids(keywords="nothing") == []
    assert ids(start="2013", stop="2014") == ["aia_0094"]
    assert ids(start="2016") == ["fgm"]
    assert ids(stop="2012") == ["aia_0094"]
    assert ids(filetype=".FITS") == ["aia_0094"]
    assert ids("mms1", filetype="cdf", start="2016", stop="2017") == ["fgm"]
    with pytest.raises(InputError, match="start must be before stop"):
        ids(start="2017", stop="2016")


def test_shown_in_a_notebook(publish: Publish) -> None:
    catalog = publish({}, title="<b>", description="<script>")
    assert repr(catalog).startswith("<Catalog 'Test' at ")
    for html in (catalog._repr_html_(), catalog.entry("aia")._repr_html_()):
        assert "&lt;b&gt;" in html
        assert "<script>" not in html
