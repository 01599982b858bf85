"""CDF: files that this test writes with cdflib, and real ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cdflib
import numpy as np
import pandas as pd
import pytest
from cdflib.epochs import CDFepoch

from helio_burst import readers
from helio_burst.errors import ReadError
from helio_burst.readers._epochs import to_datetime64

ROW = SimpleNamespace(datakey="s3://bucket/field.cdf")
TIMES = np.array(["2015-06-30T23:59:59.500", "2015-07-01T00:00:00.250", "2017-01-01T12:00:00"], "M8[ns]")


def tt2000(times: Any) -> np.ndarray:
    parts = [
        [t.year, t.month, t.day, t.hour, t.minute, t.second, t.microsecond // 1000, 0, 0]
        for t in np.asarray(times).astype("M8[us]").tolist()
    ]
    return np.array([CDFepoch.compute_tt2000(part) for part in parts], "i8")


def write(path: Path, *, epochs: np.ndarray | None = None, kind: int = 33) -> bytes:
    """A small file as instruments publish them."""
    file = cdflib.cdfwrite.CDF(path, cdf_spec={"Compressed": 0}, delete=True)
    file.write_globalattrs(
        {"Source_name": {0: "TEST>made for a test"}, "TEXT": {0: "line one", 1: "line two"}}
    )

    def variable(name: str, kind: int, values: Any, attrs: dict[str, Any], **spec: Any) -> None:
        defaults = {"Variable": name, "Data_Type": kind, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": []}
        file.write_var(defaults | spec, var_attrs=attrs, var_data=values)

    real = file.CDF_REAL4
    variable("Epoch", kind, tt2000(TIMES) if epochs is None else epochs, {"VAR_TYPE": "support_data"})
    fill = [np.float32(-1e31), "CDF_REAL4"]
    field = np.arange(9, dtype="f4").reshape(3, 3)
    field[1, 2] = -1e31
    attrs = {
        "DEPEND_0": "Epoch",
        "LABL_PTR_1": "label",
        "FILLVAL": fill,
        "UNITS": "nT",
        "CATDESC": "Magnetic field",
    }
    variable("field", real, field, attrs, Dim_Sizes=[3])
    labels = np.array(["Bx ", "By ", "Bz "])
    variable("label", file.CDF_CHAR, labels, {}, Dim_Sizes=[3], Num_Elements=3, Rec_Vary=False)
    flux = np.arange(6, dtype="f4").reshape(3, 2)
    variable("flux", real, flux, {"DEPEND_0": "Epoch", "DEPEND_1": "energy"}, Dim_Sizes=[2])
    variable("energy", real, flux + 100, {"DEPEND_0": "Epoch", "UNITS": "keV"}, Dim_Sizes=[2])
    quality = {"DEPEND_0": "Epoch", "FILLVAL": [255, "CDF_UINT1"]}
    variable("quality", file.CDF_UINT1, np.array([0, 255, 1], "u1"), quality)
    # Real MMS files hold a variable whose DEPEND_0 has another length.
    variable("odd", real, np.arange(5, dtype="f4"), {"DEPEND_0": "Epoch"})
    file.close()
    return path.read_bytes()


def test_variables_dims_and_attributes(tmp_path: Path) -> None:
    dataset = readers.cdf(write(tmp_path / "a.cdf"), ROW)
    assert dataset["field"].dims == ("Epoch", "label")
    assert dataset["label"].values.tolist() == ["Bx", "By", "Bz"]
    assert float(dataset["field"].sel(label="By")[2]) == 7
    np.testing.assert_array_equal(dataset["field"][1], [3, 4, np.nan])
    assert dataset["field"].dtype == np.float32
    assert dataset["field"].attrs["units"] == "nT"
    assert dataset["field"].attrs["long_name"] == "Magnetic field"
    assert dataset["flux"].dims == dataset["energy"].dims == ("Epoch", "energy_1")
    assert "energy" in dataset.coords
    assert dataset["quality"].values.tolist() == [0, 255, 1]
    assert dataset["quality"].attrs["FILLVAL"] == 255
    assert dataset["odd"].dims == ("odd_0",)
    assert dataset.attrs["TEXT"] == "line one\nline two"
    np.testing.assert_array_equal(dataset["Epoch"], TIMES)


def test_chosen_variables(tmp_path: Path) -> None:
    data = write(tmp_path / "a.cdf")
    dataset = readers.cdf(data, ROW, variables=["field"])
    assert set(dataset.variables) == {"Epoch", "field", "label"}
    assert set(readers.cdf(data, ROW, variables="quality").variables) == {"Epoch", "quality"}
    with pytest.raises(ReadError, match=r"field.cdf has no variable 'feld'. Nearest: field"):
        readers.cdf(data, ROW, variables=["feld"])


def test_the_time_types(tmp_path: Path) -> None:
    since_zero = TIMES.astype("M8[ms]").astype("f8") + 62167219200000
    for epochs, kind in ((since_zero, 31), (tt2000(TIMES), 33)):
        dataset = readers.cdf(write(tmp_path / "a.cdf", epochs=epochs, kind=kind), ROW)
        np.testing.assert_array_equal(dataset["Epoch"], TIMES)
    # cdflib 1.3 cannot write CDF_EPOCH16; it reads it as complex numbers.
    epoch16 = np.array([CDFepoch.compute_epoch16([2015, 6, 30, 23, 59, 59, 500, 1, 2, 3])])
    assert to_datetime64(epoch16, "CDF_EPOCH16")[0] == np.datetime64("2015-06-30T23:59:59.500001002", "ns")


def test_leap_seconds_as_cdflib_has_them() -> None:
    """Around every leap second since 1972, and before, when UTC drifted."""
    days = [np.datetime64(f"{y:04.0f}-{m:02.0f}-{d:02.0f}") for y, m, d, *_ in CDFepoch.LTS]
    values = tt2000(days)[:, None] + np.array([-2_000_000_001, -500_000_000, -1, 0, 1, 10**9])
    np.testing.assert_array_equal(
        to_datetime64(values[-10:].reshape(-1), "CDF_TIME_TT2000"),
        CDFepoch.to_datetime(values[-10:].reshape(-1)),
    )
    np.testing.assert_array_equal(
        to_datetime64(values.reshape(-1), "CDF_TIME_TT2000"), CDFepoch.to_datetime(values.reshape(-1))
    )


def test_fill_values_of_times() -> None:
    lowest = np.iinfo("i8").min
    filled = to_datetime64(np.array([lowest, lowest + 1, lowest + 3, 0]), "CDF_TIME_TT2000")
    assert np.isnat(filled).tolist() == [True, True, True, False]
    assert np.isnat(to_datetime64(np.array([-1e31, 0.0, np.nan]), "CDF_EPOCH")).all()
    assert np.isnat(to_datetime64(np.array([-1e31 - 1e31j]), "CDF_EPOCH16")).all()
    assert filled[3] == np.datetime64("2000-01-01T11:58:55.816", "ns")


def test_epochs_as_cdflib_has_them() -> None:
    epochs = 62167219200000 + np.random.default_rng(5).uniform(0, 2e12, 500).round(1)
    np.testing.assert_array_equal(
        to_datetime64(epochs, "CDF_EPOCH"), CDFepoch.to_datetime(np.floor(epochs)).astype("M8[ms]")
    )


def test_real_mms_files(shared_data: Path) -> None:
    paths = sorted((shared_data / "mms").glob("*.cdf"))
    assert len(paths) == 11
    for path in paths:
        dataset = readers.by_name(path.read_bytes(), SimpleNamespace(datakey=f"s3://mms/{path.name}"))
        field = dataset["mms1_fgm_b_gse_brst_l2"]
        assert field.dims == ("Epoch", "label_b_gse")
        magnitude = np.sqrt((field[:, :3] ** 2).sum("label_b_gse"))
        np.testing.assert_allclose(magnitude, field.sel(label_b_gse="Bt"), rtol=1e-3)
        assert 1 < float(magnitude.mean()) < 1000
        day = np.datetime64(pd.Timestamp(path.name.split("_")[4][:8]))
        assert day <= field["Epoch"].values[0] < day + np.timedelta64(1, "D")
        np.testing.assert_array_equal(
            dataset["Epoch"], CDFepoch.to_datetime(cdflib.CDF(path).varget("Epoch"))
        )


@pytest.mark.parametrize(
    ("name", "variable", "dims"),
    [
        (
            "psp_fld_l2_mag_rtn_1min_20200104_v02.cdf",
            "psp_fld_l2_mag_RTN_1min",
            ("epoch_mag_RTN_1min", "component_index_RTN"),
        ),
        ("solo_L2_epd-ept-north-hcad_20200713_V02.cdf", "Ion_Flux", ("EPOCH", "Ion_Bins_Low_Energy")),
        ("solo_L1_swa-pas-mom_20200706_V01.cdf", "density", ("Epoch",)),  # holds no records
    ],
)
def test_sunpys_cdf_files(name: str, variable: str, dims: tuple[str, ...]) -> None:
    test = pytest.importorskip("sunpy.data.test", reason="sunpy ships the real CDF files of this test")
    dataset = readers.cdf(Path(test.get_test_filepath(name)).read_bytes(), ROW)
    assert dataset[variable].dims == dims
    assert dataset[dims[0]].dtype == np.dtype("M8[ns]")


def test_truncated_and_foreign(tmp_path: Path) -> None:
    data = write(tmp_path / "a.cdf")
    for same in (gzip.compress(data), memoryview(data)):
        assert readers.cdf(same, ROW)["field"].shape == (3, 3)
    for size in (9, 100, 500, len(data) // 2):
        with pytest.raises(
            ReadError, match=r"field.cdf \(.* bytes\) begins as NASA CDF .* cut short or damaged"
        ):
            readers.cdf(data[:size], ROW)
    with pytest.raises(ReadError, match="is not NASA CDF: it looks like NetCDF 3"):
        readers.cdf(b"CDF\x01" + bytes(100), ROW)


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "a.cdf")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    readers.cdf(data, ROW)
    with pytest.raises(ReadError):
        readers.cdf(data[:500], ROW)
    assert list(folder.iterdir()) == []
