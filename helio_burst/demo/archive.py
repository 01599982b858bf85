"""An archive of synthetic AIA-like images on the embedded S3 server: FITS files, index, catalog, registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from helio_burst import storage
from helio_burst.demo.server import EmbeddedS3
from helio_burst.science import solar
from helio_burst.timespan import TimeLike, parse_time

ID = "aia_0094_synthetic"
CATALOG = "Synthetic SDO for demonstrations"


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
    """Fill a bucket with a registry, a catalog, a year index and synthetic images.

    Parameters
    ----------
    server : EmbeddedS3
        Running.
    bucket : str
        Made if it is not there.
    start : time
        Of the first image, UTC; all images are of its year.
    cadence : str
        Time between images, as pandas writes it ("30min").
    count : int
        Number of images.
    size : int
        Pixels along each side.
    progress : callable, optional
        Called with the number of files written and `count`.

    Returns
    -------
    str
        The URL of the registry.
    """
    server.create_bucket(bucket, public=True)
    root = f"s3://{bucket}"
    first = parse_time(start)
    rows = []
    for number in range(count):
        time = first + number * pd.Timedelta(cadence)
        data = solar.to_fits(solar.synthetic_image(time.tz_localize(None), size=size, seed=number))
        key = f"{root}/{ID}/{time:%Y/%m/%d}/aia_{time:%Y%m%dT%H%M%SZ}_0094.fits"
        storage.write(key, data, server.options)
        rows.append((_iso(time), _iso(time + pd.Timedelta(cadence)), key, len(data)))
        if progress is not None:
            progress(number + 1, count)
    index = pd.DataFrame(rows, columns=["start", "stop", "datakey", "filesize"]).to_csv(index=False)
    storage.write(f"{root}/{ID}/{ID}_{first.year}.csv", index.encode(), server.options)
    _write_json(f"{root}/catalog.json", _catalog(root, rows), server)
    registry = {
        "version": "1.1",
        "modificationDate": rows[-1][1],
        "registry": [{"endpoint": root + "/", "name": CATALOG, "region": "us-east-1", "provider": "aws"}],
    }
    _write_json(f"{root}/registry.json", registry, server)
    return f"{root}/registry.json"


def _catalog(root: str, rows: list[tuple[str, str, str, int]]) -> dict[str, Any]:
    entry = {
        "id": ID,
        "index": f"{root}/{ID}/",
        "title": "Synthetic AIA-like full-disc images at 94 angstrom, made from a model",
        "start": rows[0][0],
        "stop": rows[-1][1],
        "modification": rows[-1][1],
        "indextype": "csv",
        "filetype": "fits",
    }
    return {
        "version": "1.1",
        "name": CATALOG,
        "contact": "the person who runs this demonstration",
        "egress": "free",
        "status": {"code": 1200, "message": "OK"},
        "catalog": [entry],
    }


def _iso(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_json(url: str, content: dict[str, Any], server: EmbeddedS3) -> None:
    storage.write(url, json.dumps(content, indent=2).encode(), server.options)
