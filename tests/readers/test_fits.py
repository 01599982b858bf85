"""The FITS reader against astropy: the same values and dtypes, bit for bit."""

from __future__ import annotations

import gzip
import io
import pickle
import sys
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits as afits
from astropy.wcs import WCS, FITSFixedWarning
from hypothesis import given, settings
from hypothesis import strategies as st

from helio_burst import readers
from helio_burst.errors import ReadError

ROW = SimpleNamespace(datakey="s3://bucket/image.fits")


def as_bytes(*units: Any) -> bytes:
    file = io.BytesIO()
    afits.HDUList([afits.PrimaryHDU(), *units]).writeto(file)
    return file.getvalue()


def by_astropy(data: bytes, hdu: int = 1) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy tells of a BLANK in floats
        with afits.open(io.BytesIO(data)) as units:
            values: np.ndarray = units[hdu].data
            return values


def assert_as_astropy(data: bytes, hdu: int = 1) -> xr.DataArray:
    image = readers.fits(data, ROW, hdu=hdu)
    reference = by_astropy(data, hdu)
    assert isinstance(image, xr.DataArray)
    assert image.dtype == reference.dtype.newbyteorder("=")
    np.testing.assert_array_equal(image.values, reference)
    return image


def noise(dtype: str, shape: tuple[int, ...] = (37, 101)) -> np.ndarray:
    random = np.random.default_rng(7)
    values = random.normal(100, 30, shape)
    values.flat[:5] = [0, 1, 2, 3, 255]
    return np.clip(np.rint(values), 0, 255).astype(dtype) if dtype == "u1" else values.astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4", "i1"])
def test_plain_images(dtype: str) -> None:
    assert_as_astropy(as_bytes(afits.ImageHDU(noise(dtype))))


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "u2", "u4"])
@pytest.mark.parametrize("tiles", [None, (1, 101), (5, 101), (37, 101), (10, 10)])
def test_rice_tiles(dtype: str, tiles: tuple[int, int] | None) -> None:
    unit = afits.CompImageHDU(noise(dtype), compression_type="RICE_1", tile_shape=tiles)
    assert_as_astropy(as_bytes(unit))


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4"])
def test_rice_extremes(dtype: str) -> None:
    limits = np.iinfo(dtype)
    values = np.random.default_rng(3).integers(limits.min, limits.max, (64, 200), dtype, endpoint=True)
    values[:2] = limits.min
    values[2:4] = limits.max
    assert_as_astropy(as_bytes(afits.CompImageHDU(values, compression_type="RICE_1")))


def test_rice_is_decoded_without_astropy(monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_bytes(afits.CompImageHDU(noise("i2"), compression_type="RICE_1"))
    monkeypatch.setattr("helio_burst.readers._fits._with_astropy", None)
    assert readers.fits(data, ROW).shape == (37, 101)


def test_rice_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "helio_burst.readers._rice_tiles", raising=False)
    monkeypatch.delattr(readers, "_rice_tiles", raising=False)
    assert_as_astropy(as_bytes(afits.CompImageHDU(noise("i2"), compression_type="RICE_1")))


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4"])
@given(seed=st.integers(0, 2**32 - 1), spread=st.integers(0, 31), outliers=st.integers(0, 20), data=st.data())
@settings(max_examples=60)
def test_rice_of_random_images(
    dtype: str, seed: int, spread: int, outliers: int, data: st.DataObject
) -> None:
    """Quiet, noisy and empty lines; outliers in a quiet one make runs of zeros longer than a register."""
    random = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    shape = (data.draw(st.integers(1, 6), "lines"), data.draw(st.integers(1, 140), "pixels a line"))
    values = random.normal(0, 2.0**spread, shape).clip(limits.min, limits.max).astype(dtype)
    values[random.random(shape[0]) < 0.2] = random.integers(limits.min, limits.max, endpoint=True)
    values.flat[random.integers(0, values.size, outliers)] = random.integers(
        limits.min, limits.max, outliers, endpoint=True
    )
    tile = (data.draw(st.integers(1, shape[0]), "lines a tile"), shape[1])
    unit = afits.CompImageHDU(values, compression_type="RICE_1", tile_shape=tile)
    assert_as_astropy(as_bytes(unit))


def test_tiles_that_are_too_few_or_end_early() -> None:
    unit = afits.CompImageHDU(noise("i2"), compression_type="RICE_1", tile_shape=(1, 101))
    data = as_bytes(unit)
    with afits.open(io.BytesIO(data), disable_image_compression=True) as units:
        start = units[1].fileinfo()["datLoc"]
    length = int.from_bytes(data[start + 8 : start + 12], "big")  # of the second tile
    cut = data[: start + 8] + (length - 9).to_bytes(4, "big") + data[start + 12 :]
    with pytest.raises(ReadError, match="tile 2 is damaged: its bytes end before its pixels"):
        readers.fits(cut, ROW)
    empty = data.replace(b"ZVAL1   =                   32", b"ZVAL1   =                    0")
    with pytest.raises(ReadError, match="BLOCKSIZE=0"):
        readers.fits(empty, ROW)
    taller = data.replace(b"ZNAXIS2 =                   37", b"ZNAXIS2 =                   38")
    with pytest.raises(ReadError, match="3838 pixels, and its 37 tiles have 101 each"):
        readers.fits(taller, ROW)


@pytest.mark.parametrize("kind", ["GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS"])
def test_other_compressions(kind: str) -> None:
    assert_as_astropy(as_bytes(afits.CompImageHDU(np.abs(noise("i2")), compression_type=kind)))


@pytest.mark.parametrize("method", [-1, 1, 2])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_quantised_floats(dtype: str, method: int) -> None:
    values = noise(dtype)
    values[3, 4] = np.nan
    unit = afits.CompImageHDU(
        values, compression_type="RICE_1", quantize_level=16, quantize_method=method, dither_seed=42
    )
    assert_as_astropy(as_bytes(unit))


@pytest.mark.parametrize("shape", [(3, 11, 40), (2, 3, 11, 40)])
@pytest.mark.parametrize("compressed", [False, True])
def test_cubes(shape: tuple[int, ...], compressed: bool) -> None:
    values = noise("i2", shape)
    unit = afits.CompImageHDU(values, compression_type="RICE_1") if compressed else afits.ImageHDU(values)
    image = assert_as_astropy(as_bytes(unit))
    assert image.dims == ("axis4", "axis3", "y", "x")[-len(shape) :]


def stored(bits: int, cards: dict[str, Any], *, compressed: bool) -> bytes:
    """An image whose header has these cards and whose stored values are as they are made."""
    dtype = {8: "u1", 16: "i2", 32: "i4", -32: "f4", -64: "f8"}[bits]
    values = noise(dtype)
    unit = afits.CompImageHDU(values, compression_type="RICE_1") if compressed else afits.ImageHDU(values)
    data = as_bytes(unit)
    with afits.open(io.BytesIO(data), disable_image_compression=True) as units:
        start = units[1].fileinfo()["hdrLoc"]
    end = data.index(b"END" + b" " * 77, start)
    added = "".join(str(afits.Card(keyword, value)) for keyword, value in cards.items()).encode()
    header = data[start:end] + added + b"END" + b" " * 77
    assert len(header) <= 2880
    return data[:start] + header.ljust(2880) + data[start + 2880 :]


@pytest.mark.parametrize(
    ("bits", "compressed"),
    # Floats are quantised where they are compressed; test_quantised_floats has them.
    [(8, False), (16, False), (32, False), (-32, False), (-64, False), (8, True), (16, True), (32, True)],
)
@pytest.mark.parametrize(
    "cards",
    [
        {"BSCALE": 1.0, "BZERO": 0.0},
        {"BSCALE": 1.0, "BZERO": 0.0, "BLANK": 100},
        {"BSCALE": 0.25, "BZERO": -3.5},
        {"BSCALE": 2, "BZERO": 10, "BLANK": 2},
        {"BSCALE": 0.1},
        {"BZERO": 32768},
        {"BZERO": 32768, "BLANK": 3},
        {"BZERO": 2147483648},
        {"BZERO": -128},
        {"BLANK": 0},
        {"BLANK": 200},
        {"BLANK": 12.5},
    ],
    ids=str,
)
def test_scale_zero_and_blank(bits: int, cards: dict[str, Any], compressed: bool) -> None:
    assert_as_astropy(stored(bits, cards, compressed=compressed))


def test_sunpys_aia_image() -> None:
    data = Path(sunpy_file("aia_171_level1.fits")).read_bytes()
    image = assert_as_astropy(data, hdu=0)
    assert image.dims == ("y", "x")
    assert image["time"].values == np.datetime64("2011-02-15T00:00:00.340", "ns")
    assert image.attrs["WAVELNTH"] == 171
    assert image.attrs["TELESCOP"] == "SDO/AIA"
    # The image is rotated by CROTA2, so x and y alone have no coordinates; the header still gives them
    # together.
    assert "x" not in image.coords
    header = {key: value for key, value in image.attrs.items() if key not in ("COMMENT", "HISTORY")}
    with pytest.warns(FITSFixedWarning, match="Set MJD-OBS"):
        ours = WCS(afits.Header(header))
    with pytest.warns(FITSFixedWarning, match="Set MJD-OBS"):
        theirs = WCS(afits.Header.fromstring(data))
    corners = [[0, 0], [100, 20]]
    np.testing.assert_array_equal(ours.wcs_pix2world(corners, 0), theirs.wcs_pix2world(corners, 0))


def sunpy_file(name: str) -> str:
    test = pytest.importorskip("sunpy.data.test", reason="sunpy ships the real FITS files of this test")
    return str(test.get_test_filepath(name))


def test_linear_positions_and_units() -> None:
    unit = afits.ImageHDU(noise("i2"))
    unit.header.update(
        {"CRPIX1": 51.0, "CRPIX2": 19.0, "CDELT1": 0.6, "CDELT2": 0.6, "CUNIT1": "arcsec", "CUNIT2": "arcsec"}
        | {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "BUNIT": "DN", "CRVAL1": 0.0, "CRVAL2": 3.0}
    )
    image = readers.fits(as_bytes(unit), ROW)
    assert image.attrs["units"] == "DN"
    assert image["x"].attrs["units"] == "arcsec"
    assert float(image["x"][50]) == 0.0
    assert float(image["y"][18]) == 3.0
    # 60 arcsec from the centre the projection is worth less than a millionth of a pixel.
    world = WCS(unit.header).wcs_pix2world([[100, 36]], 0)[0] * 3600
    wrapped = (world[0] + 180 * 3600) % (360 * 3600) - 180 * 3600
    assert float(image["x"][100]) == pytest.approx(wrapped, abs=1e-5)
    assert float(image["y"][36]) == pytest.approx(world[1], abs=1e-5)


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"DATE-OBS": "2020-01-01T00:00:05.12"}, "2020-01-01T00:00:05.120"),
        ({"DATE-OBS": "2020-01-01T00:00:05.12Z", "T_OBS": "2021-01-01T00:00:00Z"}, "2020-01-01T00:00:05.120"),
        ({"DATE-OBS": "2007/02/03", "TIME-OBS": "04:05:06"}, "2007-02-03T04:05:06"),
        ({"DATE_OBS": "2007-02-03T04:05:06"}, "2007-02-03T04:05:06"),
        ({"T_OBS": "2010.10.15_23:01:34.5_TAI"}, "2010-10-15T23:01:00.5"),
        ({"DATE-OBS": "2020-01-01T00:00:37", "TIMESYS": "TAI"}, "2020-01-01T00:00:00"),
        ({"DATE-OBS": "2010-10-16T19:12:18", "TIMESYS": "1979.00"}, "2010-10-16T19:12:18"),
        ({"DATE-OBS": "yesterday"}, None),
        ({}, None),
    ],
)
def test_time(cards: dict[str, str], expected: str | None) -> None:
    unit = afits.ImageHDU(noise("i2"))
    unit.header.update(cards)
    image = readers.fits(as_bytes(unit), ROW)
    if expected is None:
        assert "time" not in image.coords
    else:
        assert image["time"].values == np.datetime64(expected, "ns")


def test_attributes_are_plain() -> None:
    unit = afits.ImageHDU(noise("i2"))
    unit.header["FLAG"] = True
    unit.header["NOTHING"] = None
    unit.header.add_comment("made for a test")
    unit.header.add_history("first")
    unit.header.add_history("second")
    unit.header["LONGTEXT"] = "x" * 200
    attrs = readers.fits(as_bytes(unit), ROW).attrs
    assert attrs["FLAG"] == 1
    assert "NOTHING" not in attrs
    assert "BITPIX" not in attrs
    assert attrs["HISTORY"] == "first\nsecond"
    assert attrs["LONGTEXT"] == "x" * 200
    assert all(type(value) in (str, int, float) for value in attrs.values())


def test_a_card_that_astropy_cannot_parse_is_left_out() -> None:
    data = stored(16, {"GOODCARD": 5, "BADCARD": 1}, compressed=False)
    data = data.replace(b"BADCARD =                    1", b"BADCARD =               n[a]n ")
    attrs = readers.fits(data, ROW).attrs
    assert attrs["GOODCARD"] == 5
    assert "BADCARD" not in attrs


def test_a_long_header() -> None:
    unit = afits.ImageHDU(noise("i2"))
    for number in range(5000):
        unit.header.add_history(f"step {number}")
    image = assert_as_astropy(as_bytes(unit))
    assert image.attrs["HISTORY"].endswith("step 4999")


def test_chosen_hdu() -> None:
    first = afits.ImageHDU(noise("i2"), name="FIRST")
    second = afits.CompImageHDU(noise("i4"), name="SECOND", compression_type="RICE_1")
    data = as_bytes(first, second)
    assert readers.fits(data, ROW).name == "FIRST"
    for wanted in (2, -1, "SECOND", "second"):
        reader = pickle.loads(pickle.dumps(partial(readers.fits, hdu=wanted)))
        image = reader(data, ROW)
        assert image.name == "SECOND"
        assert image.dtype == np.int32
    with pytest.raises(ReadError, match=r"no HDU 'third'; it has: 0 .* without data, 1 FIRST, 2 SECOND"):
        readers.fits(data, ROW, hdu="third")
    with pytest.raises(ReadError, match="no HDU 3"):
        readers.fits(data, ROW, hdu=3)


def test_a_file_without_data() -> None:
    with pytest.raises(ReadError, match=r"no HDU with data; it has: 0 \(no name\) without data\."):
        readers.fits(as_bytes(), ROW)


@pytest.mark.parametrize("hdu", [0, -2, "PRIMARY"])
def test_an_hdu_without_data_is_told_from_damage(hdu: int | str) -> None:
    data = as_bytes(afits.ImageHDU(np.ones((2, 3)), name="SCI"))
    with pytest.raises(ReadError, match=f"no data in HDU {hdu!r}; it has: .* without data, 1 SCI"):
        readers.fits(data, hdu=hdu)


def test_a_number_of_numpy_chooses_an_hdu() -> None:
    data = as_bytes(afits.ImageHDU(np.ones((2, 3)), name="SCI"))
    assert readers.fits(data, hdu=np.int64(1)).shape == (2, 3)  # type: ignore[arg-type]


def test_an_image_turned_upside_down_has_its_positions_turned() -> None:
    turned = {"CDELT1": 0.6, "CDELT2": 0.6, "CRPIX1": 2.0, "CRPIX2": 1.0, "PC1_1": -1.0, "PC2_2": -1.0}
    header = afits.Header(turned | {"CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    image = readers.fits(as_bytes(afits.ImageHDU(np.ones((2, 3)), header)))
    np.testing.assert_allclose(image["x"], [0.6, 0, -0.6])
    np.testing.assert_allclose(image["y"], [0, -0.6])


def test_tables() -> None:
    table = afits.BinTableHDU.from_columns(
        [
            afits.Column("FLUX", "E", unit="W/m2", array=np.arange(4, dtype="f4")),
            afits.Column("COUNTS", "3J", array=np.arange(12).reshape(4, 3)),
            afits.Column("SCALED", "E", bscale=0.5, bzero=10, array=np.arange(4, dtype="f4") * 0.5 + 10),
            afits.Column("LABEL", "5A", array=np.array(["a", "bb", "ccc", "dddd"])),
            afits.Column("FLAG", "L", array=np.array([True, False, True, True])),
            afits.Column("NULLS", "I", null=-1, array=np.array([1, -1, 2, 3])),
        ],
        name="EVENTS",
    )
    table.header["DATE-OBS"] = "2020-01-01"
    dataset = readers.fits(as_bytes(table), ROW)
    assert isinstance(dataset, xr.Dataset)
    assert dataset["FLUX"].dims == ("row",)
    assert dataset["FLUX"].attrs["units"] == "W/m2"
    assert dataset["FLUX"].dtype == np.dtype("f4")
    assert dataset["COUNTS"].shape == (4, 3)
    np.testing.assert_array_equal(dataset["SCALED"], [10, 10.5, 11, 11.5])
    assert dataset["LABEL"].values.tolist() == ["a", "bb", "ccc", "dddd"]
    assert dataset["FLAG"].values.tolist() == [True, False, True, True]
    assert dataset["NULLS"].attrs["missing_value"] == -1
    assert dataset.attrs["EXTNAME"] == "EVENTS"


@pytest.mark.parametrize("name", ["lyra_20150101-000000_lev3_std_truncated.fits.gz", "gbm.fits"])
def test_sunpys_tables(name: str) -> None:
    data = Path(sunpy_file(name)).read_bytes()
    dataset = readers.fits(data, ROW)
    data = gzip.decompress(data) if name.endswith(".gz") else data
    reference = by_astropy(data, hdu=1)
    for column in reference.dtype.names:
        np.testing.assert_array_equal(dataset[column], reference[column])


def test_truncated() -> None:
    data = as_bytes(afits.CompImageHDU(noise("i2"), compression_type="RICE_1"))
    for size in (len(data) - 2880, 3000, 2880 * 2 + 10):
        with pytest.raises(ReadError, match=r"s3://bucket/image.fits .*") as caught:
            readers.fits(data[:size], ROW)
        assert "fetch it again" in str(caught.value)
    # Some writers leave out the padding of the last block; nothing is missing then.
    plain = as_bytes(afits.ImageHDU(noise("f8", (10, 10))))
    assert readers.fits(plain[: 2880 * 2 + 800], ROW).shape == (10, 10)


def test_damaged_tiles_are_an_error_and_never_a_crash() -> None:
    data = as_bytes(afits.CompImageHDU(noise("i2"), compression_type="RICE_1"))
    random = np.random.default_rng(1)
    failed = 0
    for _ in range(200):
        damaged = bytearray(data)
        for place in random.integers(2880 * 2, len(data), 20):
            damaged[place] = random.integers(256)
        try:
            readers.fits(bytes(damaged), ROW)
        except ReadError:
            failed += 1
    assert failed > 100


def test_not_fits() -> None:
    with pytest.raises(ReadError, match=r"541 bytes.* is not FITS: it looks like an HTML page"):
        readers.fits(Path(sunpy_file("not_actually_fits.fits")).read_bytes(), ROW)
    with pytest.raises(ReadError, match="an empty file"):
        readers.fits(b"", ROW)
