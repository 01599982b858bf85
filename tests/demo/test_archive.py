"""The demonstration's archive, read as a visitor would: registry, catalog, index, files."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits as afits

from helio_burst import readers, storage
from helio_burst.demo import archive
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import InputError
from helio_burst.science import solar


def test_from_the_registry_to_an_image(s3: EmbeddedS3) -> None:
    seen = []
    url = archive.fill(
        s3, bucket="archive", count=3, cadence="8h", size=128, progress=lambda *now: seen.append(now)
    )
    assert sorted(seen) == [(1, 3), (2, 3), (3, 3)]
    registry = json.loads(storage.read(url))
    endpoint = registry["registry"][0]["endpoint"]
    entry = json.loads(storage.read(storage.join(endpoint, "catalog.json")))["catalog"][0]
    assert entry["id"] == archive.ID
    index = pd.read_csv(io.BytesIO(storage.read(f"{entry['index']}{entry['id']}_2020.csv")))
    assert index.columns.tolist() == ["start", "stop", "datakey", "filesize"]
    assert index["start"].tolist() == ["2020-01-01T00:00:00Z", "2020-01-01T08:00:00Z", "2020-01-01T16:00:00Z"]
    assert index["stop"].iloc[-1] == entry["stop"] == "2020-01-02T00:00:00Z"
    for row in index.itertuples():
        data = storage.read(str(row.datakey))
        assert len(data) == row.filesize
        image = readers.fits(data, row)
        expected = solar.synthetic_image(str(row.start), size=128)
        np.testing.assert_array_equal(image, expected)
        assert image.dtype == np.int16
        assert image["time"] == expected["time"]
        np.testing.assert_allclose(image["x"], expected["x"])
        assert image.attrs["WAVELNTH"] == 193
        assert image.attrs["units"] == "DN"


def test_anyone_may_read(s3: EmbeddedS3) -> None:
    url = archive.fill(s3, bucket="archive-for-all", count=1, size=64)
    assert storage.read(url, s3.options.model_copy(update={"anonymous": True}))


def test_a_file_says_that_it_is_synthetic() -> None:
    data = archive.encode(solar.synthetic_image("2020-01-01", size=64))
    with afits.open(io.BytesIO(data)) as units:
        header = units["COMPRESSED_IMAGE"].header
        assert header["SYNTHET"] == 1
        assert "not an observation" in header.comments["SYNTHET"]
        assert "SYNTHETIC" in str(header["COMMENT"])
        assert header["TELESCOP"] == "SDO/AIA"
        assert header["BUNIT"] == "DN"
    assert readers.by_name(data, SimpleNamespace(datakey="a.fits")).attrs["SYNTHET"] == 1


def test_beyond_the_year(s3: EmbeddedS3) -> None:
    with pytest.raises(InputError, match="do not fit into the year"):
        archive.fill(s3, start="2020-12-31T23:00", count=3, size=64)
