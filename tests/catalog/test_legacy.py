"""The old clients' names, beside the real cloudcatalog package where that works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from helio_burst import storage
from helio_burst.catalog.legacy import CatalogRegistry, CloudCatalog, FileRegistry
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import CatalogWarning, InputError

ROWS = "".join(
    f"2020-{month:02}-01T00:00:00.000Z,2020-{month:02}-01T01:00:00.000Z,s3://legacy/{month}.fits,{month}\n"
    for month in range(1, 13)
)


@pytest.fixture
def bucket(s3: EmbeddedS3) -> str:
    entry = {
        "id": "aia", "index": "s3://legacy/aia/", "title": "AIA", "start": "2020-01-01T00:00:00Z",
        "stop": "2020-12-31T00:00:00Z", "indextype": "csv", "filetype": "fits",
    }  # fmt: skip
    document = {
        "version": "1.1",
        "name": "Old",
        "status": {"code": 1200, "message": "OK"},
        "catalog": [entry],
    }
    s3.create_bucket("legacy")
    storage.write("s3://legacy/catalog.json", json.dumps(document).encode())
    storage.write("s3://legacy/aia/aia_2020.csv", f"start,stop,datakey,filesize\n{ROWS}".encode())
    return "s3://legacy/"


@pytest.fixture
def real(bucket: str, s3: EmbeddedS3) -> Any:
    cloudcatalog = pytest.importorskip("cloudcatalog", reason="the cloudcatalog package is not installed")
    return cloudcatalog.CloudCatalog(bucket.removesuffix("/"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_same_as_the_real_package(bucket: str, real: Any) -> None:
    ours = CloudCatalog(bucket)
    assert ours.get_entries_dict() == real.get_entries_dict()
    assert ours.get_entry("aia") == real.get_entry("aia")
    arguments = ("aia", "2020-03-01T00:00:00Z", "2020-06-01T00:00:00Z")
    mine = ours.request_cloud_catalog(*arguments)
    theirs = real.request_cloud_catalog(*arguments).reset_index(drop=True)
    assert mine["datakey"].tolist() == ["s3://legacy/3.fits", "s3://legacy/4.fits", "s3://legacy/5.fits"]
    pd.testing.assert_frame_equal(mine[theirs.columns], theirs, check_dtype=False)


def test_the_older_names(bucket: str) -> None:
    files = FileRegistry("legacy", region_name="us-east-1").request_file_registry(
        "aia", start_date="2020-03-01T00:00:00Z", stop_date="2020-04-01T00:00:00Z", overwrite=True
    )
    assert files.columns.tolist() == ["start", "stop", "datakey", "filesize"]
    assert str(files["start"].dtype) == "datetime64[ns]"
    with pytest.raises(InputError, match=r"aws_access_key_id cannot be given here. Set AWS_PROFILE"):
        CloudCatalog("legacy", aws_access_key_id="x")
    with pytest.raises(InputError, match="no entry 'aja'"):
        FileRegistry("legacy").get_entry("aja")


def test_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [
        {"endpoint": "s3://one/", "name": "Twin", "region": "us-east-1"},
        {"endpoint": "s3://two/", "name": "Twin", "region": "us-west-2"},
    ]
    path = tmp_path / "registry.json"
    path.write_text(json.dumps({"version": "1.1", "registry": listed}))
    monkeypatch.setenv("ROOT_CATALOG_REGISTRY_URL", str(path))
    registry = CatalogRegistry()
    assert registry.get_catalog()["version"] == "1.1"
    assert registry.get_registry() == listed
    assert registry.get_entries() == [("Twin", "us-east-1"), ("Twin", "us-west-2")]
    assert registry.get_endpoint("Twin", "us-west") == "s3://two/"
    assert registry.get_endpoint("Twin", force_first=True) == "s3://one/"
    with pytest.raises(InputError, match=r"2 catalogs of the name 'Twin'. Known: s3://one/, s3://two/"):
        registry.get_endpoint("Twin")
    with pytest.raises(InputError, match=r"0 catalogs of the name 'Twins'. Known: Twin"):
        registry.get_endpoint("Twins")


def test_a_registry_with_odd_lines(tmp_path: Path) -> None:
    registry = tmp_path / "r.json"
    registry.write_text(
        '{"version": "1.1", "registry": [3, {"name": "x"}, {"endpoint": "s3://b/", "name": "B"}]}'
    )
    with pytest.warns(CatalogWarning):
        assert CatalogRegistry(str(registry)).get_entries() == [("B", None)]
