"""Real input: a v0.1 catalog of 64 entries and four year indexes of MMS, served by a real S3 endpoint."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

from helio_burst import storage
from helio_burst.catalog import Catalog, lint, open_catalog
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import CatalogWarning, InputError

ENDPOINT = "s3://gov-nasa-helio-public/MMS/"
ROWS = {2015: 3108, 2016: 14068, 2017: 11075, 2018: 8260}


@pytest.fixture
def mms(s3: EmbeddedS3, shared_data: Path) -> Catalog:
    folder = shared_data / "mms"
    for bucket in ("gov-nasa-helio-public", "helio-public"):
        s3.create_bucket(bucket)
    storage.write(f"{ENDPOINT}catalog.json", (folder / "catalog_v01.json").read_bytes())
    for path in folder.glob("*.csv"):
        storage.write(f"s3://helio-public/MMS/mms1/fgm/brst/l2/{path.name}", path.read_bytes())
    with pytest.warns(CatalogWarning, match="creation is 'optional ISO 8601"):
        return open_catalog(ENDPOINT)


def test_the_catalog(mms: Catalog) -> None:
    assert mms.version == "0.1"
    assert len(mms.entries) == 64
    assert mms.entries["start"].notna().all()
    assert mms.search("fgm brst", filetype="cdf")["id"].tolist() == [
        f"mms{number}_fgm_brst" for number in range(1, 5)
    ]
    with pytest.raises(InputError, match="Nearest: mms1_fgm_brst"):
        mms.entry("mms1_fgm_burst")


def test_no_row_is_lost(mms: Catalog, shared_data: Path) -> None:
    files = mms.file_list("mms1_fgm_brst", "2015", "2019")
    assert len(files) == sum(ROWS.values()) == 36511
    assert files["start"].dt.year.value_counts().to_dict() == ROWS
    assert files["start"].is_monotonic_increasing
    assert files["stop"].isna().all()
    raw = pd.concat(
        pd.read_csv(path, skiprows=1, names=["start", "datakey", "filesize"])
        for path in sorted((shared_data / "mms").glob("*.csv"))
    )
    assert files["datakey"].tolist() == raw["datakey"].tolist()
    assert files["filesize"].tolist() == raw["filesize"].tolist()
    assert (files["start"] == pd.to_datetime(raw["start"].to_numpy(), utc=True)).all()


def test_a_quarter_of_an_hour(mms: Catalog) -> None:
    files = mms.file_list("mms1_fgm_brst", "2015-09-02T17:00", "2015-09-02T17:15")
    starts = files["start"].dt.strftime("%H:%M:%S").tolist()
    assert starts == ["17:02:04", "17:07:04", "17:13:44"]


def test_years_that_are_not_there_are_named(mms: Catalog) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert len(mms.file_list("mms1_fgm_brst")) == 36511
    missing = [str(warning.message) for warning in told]
    assert len(missing) == 3
    assert all("_brst_20" in text and "is missing" in text for text in missing)


def test_lint(mms: Catalog, s3: EmbeddedS3) -> None:
    findings = lint(ENDPOINT, indexes=False)
    assert findings["severity"].eq("warning").sum() == 1
    assert findings.loc[findings["severity"] == "warning", "problem"].item().startswith("creation is")
    alone = lint("s3://helio-public/MMS/mms1/fgm/brst/l2/mms1_fgm_brst_2015.csv")
    assert alone["problem"].tolist() == ["There is no stop in any row."]
    assert alone["severity"].tolist() == ["note"]


def test_a_relative_folder_and_relative_keys(mms: Catalog, s3: EmbeddedS3, shared_data: Path) -> None:
    document = json.loads((shared_data / "mms" / "catalog_v01.json").read_text())
    for raw in document["catalog"]:
        raw["loc"] = raw["loc"].removeprefix("s3://helio-public/")
    s3.create_bucket("relative-mms")
    storage.write("s3://relative-mms/catalog.json", json.dumps(document).encode())
    text = (shared_data / "mms" / "mms1_fgm_brst_2015.csv").read_text().replace("s3://helio-public/", "")
    storage.write("s3://relative-mms/MMS/mms1/fgm/brst/l2/mms1_fgm_brst_2015.csv", text.encode())
    with pytest.warns(CatalogWarning, match="creation is"):
        catalog = open_catalog("s3://relative-mms")
    files = catalog.file_list("mms1_fgm_brst", "2015", "2016")
    assert len(files) == ROWS[2015]
    assert files["datakey"].str.startswith("s3://relative-mms/MMS/mms1/").all()
