"""NetCDF 3, 4 and CDF-5 from bytes, each with its own packing."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import netCDF4
import numpy as np
import pytest
import xarray as xr

from helio_burst import readers
from helio_burst.errors import InputError, ReadError

ROW = SimpleNamespace(datakey="s3://bucket/t2m.nc")
FORMATS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4", "NETCDF4_CLASSIC"]


def packed(
    path: Path, kind: Any = "NETCDF4", scale: float = 0.5, offset: float = 270.0
) -> tuple[xr.Dataset, bytes]:
    time = np.array(["2019-03-01", "2019-03-01T06"], "M8[ns]")
    values = np.array([[offset, offset + scale], [np.nan, offset - 3 * scale]])
    dataset = xr.Dataset(
        {"t2m": (("time", "latitude"), values, {"units": "K"})}, {"time": time, "latitude": [50.0, 51]}
    )
    encoding = {"t2m": {"dtype": "i2", "scale_factor": scale, "add_offset": offset, "_FillValue": -32767}}
    dataset.to_netcdf(path, format=kind, engine="netcdf4", encoding=encoding)
    return dataset, path.read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_packed_values_and_times(tmp_path: Path, kind: Literal["NETCDF4"]) -> None:
    expected, data = packed(tmp_path / "a.nc", kind)
    dataset = readers.netcdf(data, ROW)
    xr.testing.assert_allclose(dataset, expected)
    assert dataset["t2m"].attrs["units"] == "K"
    assert dataset["t2m"].variable._in_memory
    xr.testing.assert_identical(readers.netcdf(gzip.compress(data), ROW), dataset)


def test_each_file_has_its_own_packing(tmp_path: Path) -> None:
    for scale, offset in ((0.5, 270.0), (0.01, 280.0)):
        expected, data = packed(tmp_path / "a.nc", scale=scale, offset=offset)
        xr.testing.assert_allclose(readers.netcdf(data, ROW), expected)


def test_cdf5(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w", format="NETCDF3_64BIT_DATA") as file:
        file.createDimension("x", 3)
        file.createVariable("counts", "u8", ("x",))[:] = [1, 2, 2**63]
    dataset = readers.netcdf((tmp_path / "a.nc").read_bytes(), ROW)
    assert dataset["counts"].values.tolist() == [1, 2, 2**63]


def test_groups_and_options(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        group = file.createGroup("product")
        group.createDimension("x", 2)
        group.createVariable("a", "f4", ("x",))[:] = [1, 2]
        group.createVariable("b", "f4", ("x",))[:] = [3, 4]
    data = (tmp_path / "a.nc").read_bytes()
    with pytest.raises(ReadError, match=r"t2m.nc has no group 'nothing' in /\. There are: product"):
        readers.netcdf(data, ROW, group="nothing")
    dataset = readers.netcdf(data, ROW, group="product", drop_variables="b")
    assert list(dataset.data_vars) == ["a"]


def test_real_files(shared_data: Path) -> None:
    era5 = readers.netcdf((shared_data / "era5/2019-03-01.nc3").read_bytes(), ROW)
    assert dict(era5.sizes) == {"time": 4, "latitude": 33, "longitude": 49}
    assert 250 < float(era5["t2m"].mean()) < 300
    path = shared_data / "era-interim/eraint_uvz.nc"
    with pytest.warns(xr.SerializationWarning, match="non-conforming '_FillValue'"):
        dataset = readers.netcdf(path.read_bytes(), ROW)
    with pytest.warns(xr.SerializationWarning), xr.open_dataset(path, engine="netcdf4") as expected:
        xr.testing.assert_equal(dataset, expected)


def test_sunpys_goes_file() -> None:
    test = pytest.importorskip("sunpy.data.test", reason="sunpy ships the real NetCDF file of this test")
    path = test.get_test_filepath("sci_xrsf-l2-avg1m_g16_d20210101_truncated.nc")
    dataset = readers.netcdf(Path(path).read_bytes(), ROW)
    assert dataset["time"].values[0] == np.datetime64("2021-01-01T22:20", "ns")
    assert dataset["xrsb_flux"].attrs["units"] == "W/m2"


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated(tmp_path: Path, kind: str) -> None:
    _, data = packed(tmp_path / "a.nc", kind)
    with pytest.raises(ReadError, match=r"t2m.nc \(.* bytes\) begins as NetCDF .* cut short or damaged"):
        readers.netcdf(data[: len(data) // 2], ROW)


def test_not_netcdf() -> None:
    with pytest.raises(ReadError, match=r"is not NetCDF: it looks like text that begins 'time,flux"):
        readers.netcdf(b"time,flux\n", ROW)


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF4"])
@pytest.mark.parametrize("options", [{"drop_variable": "t2m"}, {"engine": "h5netcdf"}])
def test_a_wrong_option_is_not_taken_for_damage(
    tmp_path: Path, kind: Literal["NETCDF4"], options: dict[str, Any]
) -> None:
    _, data = packed(tmp_path / "a.nc", kind)
    with pytest.raises(InputError, match=f"does not take {re.escape(str(options))}"):
        readers.netcdf(data, ROW, **options)
