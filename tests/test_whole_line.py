"""The whole line on real data: catalog, file list, map over a cluster, xarray, plot."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from distributed import Client

import helio_burst as hb
from helio_burst import plot, readers, science, storage
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import CatalogWarning


def mean_field(field: xr.Dataset) -> xr.DataArray:
    """Return the mean magnitude of the magnetic field of one burst, nT."""
    total = field["mms1_fgm_b_gse_brst_l2"].sel(label_b_gse="Bt")
    return total.mean().rename("field").assign_attrs(units="nT")


def test_real_mms_files(client: Client, s3: EmbeddedS3, shared_data: Path) -> None:
    folder = shared_data / "mms"
    for bucket in ("gov-nasa-helio-public", "helio-public"):
        s3.create_bucket(bucket)
    endpoint = "s3://gov-nasa-helio-public/MMS/"
    storage.write(f"{endpoint}catalog.json", (folder / "catalog_v01.json").read_bytes())
    index = "mms1_fgm_brst_2015.csv"
    storage.write(f"s3://helio-public/MMS/mms1/fgm/brst/l2/{index}", (folder / index).read_bytes())
    for path in folder.glob("*.cdf"):
        day = f"2015/09/{path.name[23:25]}"
        storage.write(f"s3://helio-public/MMS/mms1/fgm/brst/l2/{day}/{path.name}", path.read_bytes())

    with pytest.warns(CatalogWarning):
        catalog = hb.open_catalog(endpoint)
    files = catalog.file_list("mms1_fgm_brst", "2015-09-01T17", "2015-09-02T19")
    outcome = hb.map_files(mean_field, files, client=client, progress=False)

    # The index goes on where the folder of shared data ends: what is not there is a row, and no more.
    there = {path.name for path in folder.glob("*.cdf")}
    missing = [key for key in files["datakey"] if key.rsplit("/", 1)[1] not in there]
    assert sorted(outcome.failures["datakey"]) == sorted(missing)
    assert set(outcome.failures["error"]) == {"helio_burst.errors.MissingObjectError"}

    field = outcome.to_xarray()["field"]
    assert field.sizes == {"time": 11}
    assert field.attrs["units"] == "nT"
    assert str(field.time.values[0]) == "2015-09-01T17:45:00.000000000"
    direct = mean_field(readers.cdf((folder / "mms1_fgm_brst_l2_20150901174500_v4.18.0.cdf").read_bytes()))
    assert float(field[0]) == float(direct)
    assert 20 < float(field[0]) < 40
    axes = plot.time_series(field)
    assert "nT" in axes.get_ylabel()
    mpl.pyplot.close(axes.figure)


def test_the_aia_image_that_sunpy_ships(client: Client, s3: EmbeddedS3, tmp_path: Path) -> None:
    sample = Path(pytest.importorskip("sunpy.data.test").get_test_filepath("aia_171_level1.fits"))
    s3.create_bucket("aia")
    storage.write("s3://aia/aia_171.fits", sample.read_bytes())
    storage.write("s3://aia/cut.fits", sample.read_bytes()[:20_000])
    storage.write("s3://aia/page.fits", b"<html>not a picture of the Sun</html>")
    keys = [f"s3://aia/{name}.fits" for name in ("aia_171", "cut", "page")]

    outcome = hb.map_files(science.solar.mean_intensity, keys, client=client, progress=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a BLANK keyword that this file should not have
        expected = float(fits.getdata(sample).mean(dtype=np.float64))
    assert float(outcome.to_xarray(name="mean")["mean"][0]) == pytest.approx(expected, rel=1e-12)
    failures = outcome.failures.set_index("datakey")
    assert set(failures["error"]) == {"helio_burst.errors.ReadError"}
    assert "HTML" in failures["message"][keys[2]]
    assert "20,000 bytes" in failures["message"][keys[1]] or "20000 bytes" in failures["message"][keys[1]]
