"""Which rows of which year files a range gives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from helio_burst.catalog import files as files_module
from helio_burst.errors import AccessDeniedError, CatalogError, CatalogWarning, InputError, MissingObjectError

from .conftest import Publish

HEAD = "# start, stop, datakey, filesize\n"


def row(start: str, stop: str, name: str) -> str:
    return f"{start},{stop},s3://b/{name}.fits,1\n"


YEARS = {
    "aia_2019.csv": HEAD
    + row("2019-06-01T00:00:00Z", "2019-06-02T00:00:00Z", "summer")
    + row("2019-12-31T23:00:00Z", "2020-01-01T01:00:00Z", "new-year"),
    "aia_2020.csv": HEAD
    + row("2020-03-01T00:00:00Z", "2020-03-01T00:00:00Z", "instant")
    + row("2020-03-01T06:00:00Z", "2020-03-01T12:00:00Z", "morning"),
    "aia_2021.csv": HEAD + row("2021-05-01T00:00:00Z", "2021-05-02T00:00:00Z", "may"),
}


def names(files: pd.DataFrame) -> list[str]:
    return [key.removeprefix("s3://b/").removesuffix(".fits") for key in files["datakey"]]


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (None, None, ["summer", "new-year", "instant", "morning", "may"]),
        ("2020-01-01", "2020-01-02", ["new-year"]),
        ("2020-01-01T01:00", "2020-01-02", []),
        ("2019-12-31", "2020-01-01", ["new-year"]),
        ("2020-03-01", "2020-03-01T06:00", ["instant"]),
        ("2020-03-01T00:00:01", "2020-03-01T06:00:01", ["morning"]),
        ("2020-03-01T11:59:59", "2020-03-02", ["morning"]),
        ("2020-03-01T12:00", "2020-03-02", []),
        ("2020-060", "2020-062", ["instant", "morning"]),
        ("2020", None, ["new-year", "instant", "morning", "may"]),
        (None, "2019-07", ["summer"]),
    ],
)
def test_half_open_overlap(
    publish: Publish, start: str | None, stop: str | None, expected: list[str]
) -> None:
    files = publish(YEARS).file_list("aia", start, stop)
    assert names(files) == expected
    assert str(files["start"].dtype) == "datetime64[ns, UTC]"
    assert str(files["filesize"].dtype) == "Int64"


def test_attrs_tell_where_a_list_comes_from(publish: Publish) -> None:
    catalog = publish(YEARS)
    assert catalog.file_list("aia", "2020", "2021").attrs == {
        "catalog": "Test",
        "endpoint": catalog.endpoint,
        "id": "aia",
        "title": "AIA 94",
        "start": "2020-01-01T00:00:00Z",
        "stop": "2021-01-01T00:00:00Z",
    }


def test_attrs_tell_whom_to_cite_and_to_ask(publish: Publish) -> None:
    catalog = publish(
        YEARS, citation="doi:10.0/1", contact="Ada", about="https://a.b/c", resource="spase://d"
    )
    attrs = catalog.file_list("aia").attrs
    assert (attrs["citation"], attrs["contact"], attrs["about"]) == ("doi:10.0/1", "Ada", "https://a.b/c")


def test_only_the_years_needed_are_read(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = files_module._fetch

    def fetch(url: str, **more: object) -> object:
        read.append(url.rpartition("_")[2])
        return original(url, **more)

    monkeypatch.setattr(files_module, "_fetch", fetch)
    publish(YEARS).file_list("aia", "2020-03", "2020-04")
    assert sorted(read) == ["2019.csv", "2020.csv"]


def test_multiyear_looks_back_to_the_beginning(publish: Publish) -> None:
    long = {**YEARS, "aia_2019.csv": HEAD + row("2019-02-01T00:00:00Z", "2021-06-01T00:00:00Z", "long")}
    assert names(publish(long, multiyear=True).file_list("aia", "2021-03", "2021-04")) == ["long"]
    assert names(publish(long, multiyear=False).file_list("aia", "2021-03", "2021-04")) == []


def test_a_file_listed_in_two_years_is_there_once(publish: Publish) -> None:
    double = row("2019-12-31T23:00:00Z", "2020-01-01T01:00:00Z", "new-year")
    files = publish({**YEARS, "aia_2020.csv": HEAD + double}).file_list("aia", "2019-12", "2020-02")
    assert names(files) == ["new-year"]


def test_a_missing_year_is_named_and_the_rest_is_there(publish: Publish) -> None:
    catalog = publish({name: text for name, text in YEARS.items() if "2020" not in name})
    with pytest.warns(
        CatalogWarning, match=r"aia_2020.csv \(entry aia\): This index file is missing"
    ) as told:
        assert names(catalog.file_list("aia")) == ["summer", "new-year", "may"]
    assert len(told) == 1
    assert told[0].filename == __file__


def test_a_missing_year_is_an_error_if_strict(publish: Publish) -> None:
    catalog = publish({name: text for name, text in YEARS.items() if "2020" not in name}, strict=True)
    with pytest.raises(CatalogError, match=r"aia_2020.csv"):
        catalog.file_list("aia")


def test_no_year_at_all(publish: Publish) -> None:
    catalog = publish({"aia_2019.csv": YEARS["aia_2019.csv"]})
    with pytest.raises(MissingObjectError, match=r"aia_2021.csv.*from 2019-01-01T00:00:00Z to 2021-12-31"):
        catalog.file_list("aia", "2021-03", "2021-04")


def test_multiyear_without_an_index_of_the_year_itself(publish: Publish) -> None:
    catalog = publish({name: text for name, text in YEARS.items() if "2021" not in name}, multiyear=True)
    with pytest.warns(CatalogWarning, match="aia_2021.csv"):
        assert catalog.file_list("aia", "2021-03", "2021-04").empty


def test_data_that_end_at_new_year_need_no_index_of_it(publish: Publish) -> None:
    catalog = publish(YEARS, stop="2022-01-01T00:00Z")
    assert len(catalog.file_list("aia")) == 5


def test_outside_of_the_data(publish: Publish) -> None:
    catalog = publish(YEARS)
    with pytest.raises(
        InputError, match=r"aia has data from 2019-01-01T00:00:00Z to 2021-12-31T23:59:59Z; .* outside"
    ):
        catalog.file_list("aia", "1999", "2000")
    with pytest.raises(InputError, match="outside"):
        catalog.file_list("aia", "2022", "2023")
    with pytest.raises(InputError, match="empty: start must be before stop"):
        catalog.file_list("aia", "2020", "2020")
    with pytest.raises(InputError, match="'soon' is not a time"):
        catalog.file_list("aia", "soon", "2020")


def test_the_last_day_belongs_to_the_data(publish: Publish) -> None:
    catalog = publish(YEARS, stop="2021-05-01")
    assert names(catalog.file_list("aia", "2021-05-01T12:00", "2021-05-03")) == ["may"]


def test_an_unknown_id(publish: Publish) -> None:
    with pytest.raises(InputError, match=r"Test has no entry 'aja'\. Nearest: aia"):
        publish(YEARS).file_list("aja", "2020", "2021")


def test_a_torn_line_warns_or_raises(publish: Publish) -> None:
    torn = {**YEARS, "aia_2020.csv": YEARS["aia_2020.csv"] + "2020-03-02T00:0"}
    with pytest.warns(CatalogWarning, match=r"aia_2020.csv, line 4 \(entry aia\): .*'2020-03-02T00:0'"):
        assert len(publish(torn).file_list("aia")) == 5
    with pytest.raises(CatalogError, match=r"aia_2020.csv, line 4"):
        publish(torn, strict=True).file_list("aia")


def test_many_bad_lines_do_not_flood(publish: Publish) -> None:
    torn = {
        **YEARS,
        "aia_2020.csv": YEARS["aia_2020.csv"] + "".join(f"torn {number}\n" for number in range(300)),
    }
    with pytest.warns(CatalogWarning) as told:
        assert len(publish(torn).file_list("aia")) == 5
    assert len(told) == 6
    assert "295 more lines are bad" in str(told[-1].message)


def test_a_year_file_of_another_format_is_named(publish: Publish) -> None:
    with pytest.raises(CatalogError, match=r"aia_2019.parquet \(entry aia\) cannot be read as parquet"):
        publish({f"aia_{year}.parquet": "no" for year in (2019, 2020, 2021)}, indextype="parquet").file_list(
            "aia"
        )


def test_zip_and_parquet_give_the_same(publish: Publish, tmp_path: Path) -> None:
    plain = publish(YEARS).file_list("aia", "2019-12", "2020-03-01T07")
    zipped = {}
    for name, text in YEARS.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, text)
        zipped[f"{name}.zip"] = buffer.getvalue()
    pd.testing.assert_frame_equal(
        publish(zipped, indextype="csv-zip").file_list("aia", "2019-12", "2020-03-01T07"), plain
    )
    parquet = {}
    for name, text in YEARS.items():
        table = pd.read_csv(io.StringIO(text), skiprows=1, names=["start", "stop", "datakey", "filesize"])
        parquet[name.replace(".csv", ".parquet")] = table.to_parquet(index=False)
    pd.testing.assert_frame_equal(
        publish(parquet, indextype="parquet").file_list("aia", "2019-12", "2020-03-01T07"), plain
    )


def test_a_static_set(publish: Publish) -> None:
    catalog = publish(
        {"aia_static.csv": "static,static,s3://b/map.fits,1\n"}, version="0.5", start="static", stop="static"
    )
    files = catalog.file_list("aia")
    assert names(files) == ["map"]
    assert files["start"].isna().all()
    assert names(catalog.file_list("aia", "2020", "2021")) == ["map"]


def test_extra_columns_over_years(publish: Publish) -> None:
    first = YEARS["aia_2020.csv"].replace("filesize\n", "filesize, gain, note\n").replace(",1\n", ",1,2,a\n")
    files = publish({**YEARS, "aia_2020.csv": first}).file_list("aia")
    assert files["gain"].tolist()[2] == 2
    assert files["gain"].isna().sum() == 3
    assert files["note"].dropna().tolist() == ["a", "a"]


def test_parameters_name_the_extra_columns(publish: Publish) -> None:
    bare = {name: text.removeprefix(HEAD).replace(",1\n", ",1,2.5\n") for name, text in YEARS.items()}
    info = '{"parameters": [{"name": "gain", "type": "double"}]}'
    assert publish({**bare, "aia.json": info}).file_list("aia")["gain"].tolist() == [2.5] * 5


def test_denied(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    original = files_module.cache.local

    def denied(url: str, options: object = None) -> object:
        if "2020" in url:
            raise AccessDeniedError(f"Could not read {url}: access denied.")
        return original(url, options)

    catalog = publish(YEARS)
    monkeypatch.setattr(files_module.cache, "local", denied)
    with pytest.raises(AccessDeniedError, match="The index of aia may not be read"):
        catalog.file_list("aia", "2020-06", "2020-07")
    with pytest.warns(CatalogWarning, match="Access to this index file is denied"):
        assert len(catalog.file_list("aia")) == 3
