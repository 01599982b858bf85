"""The reader that is chosen by a file's name, and the ones that decode nothing."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits as afits

from helio_burst import readers
from helio_burst.errors import ReadError


def row(datakey: str) -> SimpleNamespace:
    return SimpleNamespace(datakey=datakey)


def fits_bytes() -> bytes:
    file = io.BytesIO()
    afits.PrimaryHDU(np.arange(6, dtype="i2").reshape(2, 3)).writeto(file)
    return file.getvalue()


@pytest.fixture
def netcdf_bytes(tmp_path: Path) -> bytes:
    xr.Dataset({"a": ("x", [1, 2])}).to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    return (tmp_path / "a.nc").read_bytes()


@pytest.mark.parametrize(
    "key", ["a.fits", "A.FITS", "a.fts", "a.fit", "a.fits.fz", "a.fits?versionId=3", "a", "a.dat"]
)
def test_fits_by_ending_or_content(key: str) -> None:
    assert readers.by_name(fits_bytes(), row(f"s3://bucket/{key}")).shape == (2, 3)


@pytest.mark.parametrize("key", ["a.fits.gz", "a.fts.gz", "a", "a.gz"])
def test_gzip_is_undone(key: str) -> None:
    assert readers.by_name(gzip.compress(fits_bytes()), row(key)).shape == (2, 3)


@pytest.mark.parametrize(
    "key", ["a.nc", "a.nc4", "a.h5", "a.NC", "a", "data:application/octet-stream;base64,xx.fits"]
)
def test_netcdf_by_ending_or_content(key: str, netcdf_bytes: bytes) -> None:
    assert readers.by_name(netcdf_bytes, row(key))["a"].values.tolist() == [1, 2]


def test_without_a_row() -> None:
    assert readers.by_name(fits_bytes()).shape == (2, 3)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\n<html><body>Not Found</body></html>", "an HTML page"),
        (
            b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
            "XML, such as an error message of S3",
        ),
        (b'{"error": 1}', "JSON"),
        (b"some words", "text that begins 'some words'"),
        (b"\x00\x01\x02\x03", "bytes that begin 00 01 02 03"),
    ],
)
def test_unknown_bytes(data: bytes, found: str) -> None:
    with pytest.raises(ReadError) as caught:
        readers.by_name(data, row("s3://bucket/file.bin"))
    message = str(caught.value)
    assert f"it looks like {found}" in message
    assert "s3://bucket/file.bin" in message
    assert ".fits, .fts" in message


def test_the_ending_decides_over_the_content(netcdf_bytes: bytes) -> None:
    with pytest.raises(ReadError, match=r"is not FITS: it looks like HDF5 \(NetCDF 4\)"):
        readers.by_name(netcdf_bytes, row("s3://bucket/a.fits"))


def test_damaged_gzip() -> None:
    with pytest.raises(ReadError, match="begins as gzip but cannot be read"):
        readers.by_name(gzip.compress(fits_bytes())[:40], row("a.fits.gz"))


def test_raw_and_row() -> None:
    this = row("s3://bucket/a")
    assert readers.raw(b"abc", this) == b"abc"
    assert readers.row(b"", this) is this
    assert readers.row.fetches is False  # type: ignore[attr-defined]
    assert getattr(readers.raw, "fetches", True)


def test_buffers_instead_of_bytes(netcdf_bytes: bytes, tmp_path: Path) -> None:
    packed = io.BytesIO()
    image = afits.CompImageHDU(np.arange(6, dtype="i2").reshape(2, 3), compression_type="RICE_1")
    afits.HDUList([afits.PrimaryHDU(), image]).writeto(packed)
    table = io.BytesIO()
    column = afits.Column("A", "J", array=np.arange(3))
    afits.HDUList([afits.PrimaryHDU(), afits.BinTableHDU.from_columns([column])]).writeto(table)
    xr.Dataset({"a": ("x", [1, 2])}).to_netcdf(tmp_path / "b.nc", engine="scipy")
    files = [
        fits_bytes(),
        packed.getvalue(),
        table.getvalue(),
        netcdf_bytes,
        (tmp_path / "b.nc").read_bytes(),
    ]
    for data in [*files, gzip.compress(fits_bytes())]:
        xr.testing.assert_identical(readers.by_name(memoryview(data)), readers.by_name(data))
    with pytest.raises(ReadError, match="a zip archive"):
        readers.by_name(memoryview(b"PK\x03\x04"))
    takes = {name for name in readers.__all__ if getattr(getattr(readers, name), "takes_buffers", False)}
    assert takes == {"by_name", "cdf", "fits", "netcdf"}


@pytest.mark.parametrize("name", readers.__all__)
def test_readers_travel_to_workers(name: str) -> None:
    reader = getattr(readers, name)
    assert pickle.loads(pickle.dumps(reader)) is reader
