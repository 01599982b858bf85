"""An archive of synthetic solar images on the embedded S3 server: files, year index, catalog, registry."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr

from helio_burst import storage
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import HelioBurstError, InputError
from helio_burst.science import solar
from helio_burst.timespan import TimeLike, parse_duration, parse_time

ID = "aia_0193_synthetic"
CATALOG = "Synthetic SDO for demonstrations"


class _File(NamedTuple):
    """One row of the year index."""

    start: str
    stop: str
    datakey: str
    filesize: int


def fill(
    server: EmbeddedS3,
    *,
    bucket: str = "helio-burst-demo",
    start: TimeLike = "2020-01-01",
    cadence: str = "30min",
    count: int = 48,
    size: int = 4096,
    progress: Callable[[int, int], Any] | None = None,
) -> str:
    """Fill a public bucket with synthetic images and with the catalog that leads to them.

    An image of 4096 x 4096 pixels has 14 MB, as real ones do, and takes about a second of one core.

    Parameters
    ----------
    server : EmbeddedS3
        Running.
    bucket : str
        Made if it is not there.
    start : time
        Of the first image, UTC.
    cadence : str
        From one image to the next, as pandas writes it: "30min", "12s".
    count : int
        Number of images; all in one year.
    size : int
        Pixels along each side, a multiple of 64.
    progress : callable, optional
        Called with the number of images written so far and `count`.

    Returns
    -------
    str
        The URL of the registry, for `helio_burst.open_registry`.

    Raises
    ------
    InputError
        The images would go beyond the year.

    Examples
    --------
    >>> with EmbeddedS3() as server:
    ...     fill(server, count=2, size=64)
    's3://helio-burst-demo/registry.json'
    """
    times = pd.date_range(parse_time(start), periods=count + 1, freq=parse_duration(cadence))
    if count < 1 or times[0].year != times[-2].year:
        raise InputError(f"{count} images every {cadence} from {times[0]} do not fit into the year.")
    server.create_bucket(bucket, public=True)
    root = f"s3://{bucket}"

    def make(number: int) -> _File:
        time, stop = times[number], times[number + 1]
        data = encode(solar.synthetic_image(time, size=size))
        key = storage.join(root, ID, f"{time:%Y/%m/%d}", f"{ID}_{time:%Y%m%dT%H%M%SZ}.fits")
        storage.write(key, data, server.options)
        return _File(_iso(time), _iso(stop), key, len(data))

    # numpy lets go of the interpreter, so that threads fill the cores.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(make, number) for number in range(count)]
        for done, _ in enumerate(as_completed(jobs), 1):
            if progress is not None:
                progress(done, count)
    files = [job.result() for job in jobs]
    index = pd.DataFrame(files).to_csv(index=False)
    storage.write(storage.join(root, ID, f"{ID}_{times[0].year}.csv"), index.encode(), server.options)
    _write_json(storage.join(root, "catalog.json"), _catalog(root, files), server)
    _write_json(storage.join(root, "registry.json"), _registry(root, files), server)
    return storage.join(root, "registry.json")


def encode(image: xr.DataArray) -> bytes:
    """Write an image as archives do: a Rice-compressed FITS file, its attributes as header keywords."""
    try:
        from astropy.io import fits
    except ImportError as error:
        raise HelioBurstError(
            "FITS files are written with astropy: pip install 'helio-burst[demo]'"
        ) from error
    header = fits.Header()
    for keyword, value in image.attrs.items():
        header["BUNIT" if keyword == "units" else keyword] = value
    header.comments["SYNTHET"] = "made from a model: not an observation"
    unit = fits.CompImageHDU(image.values, header, name="COMPRESSED_IMAGE", compression_type="RICE_1")
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(file)
    return file.getvalue()


def _catalog(root: str, files: list[_File]) -> dict[str, Any]:
    """Return catalog.json, CloudCatalog 1.1."""
    entry = {
        "id": ID,
        "index": f"{root}/{ID}/",
        "title": "Synthetic full-disc images as of SDO/AIA at 193 angstrom",
        "description": "Made by helio_burst.science.solar from a model with photon noise; no observation.",
        "start": files[0].start,
        "stop": files[-1].stop,
        "modification": files[-1].stop,
        "indextype": "csv",
        "filetype": "fits",
    }
    return {
        "version": "1.1",
        "name": CATALOG,
        "contact": "whoever runs this demonstration",
        "egress": "free",
        "status": {"code": 1200, "message": "OK"},
        "catalog": [entry],
    }


def _registry(root: str, files: list[_File]) -> dict[str, Any]:
    """Return the registry, CloudCatalog 1.1."""
    member = {"endpoint": f"{root}/", "name": CATALOG, "region": "us-east-1", "provider": "aws"}
    return {"version": "1.1", "modificationDate": files[-1].stop, "registry": [member]}


def _iso(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_json(url: str, content: dict[str, Any], server: EmbeddedS3) -> None:
    storage.write(url, json.dumps(content, indent=2).encode(), server.options)
