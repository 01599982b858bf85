"""A demonstration archive that lives as long as this process."""

from __future__ import annotations

import atexit
from functools import cache

from helio_burst import storage
from helio_burst.catalog import Registry
from helio_burst.catalog import open_registry as open_registry_at
from helio_burst.demo import archive
from helio_burst.demo.server import EmbeddedS3


def open_registry(*, count: int = 24, size: int = 512) -> Registry:
    """Open the registry of a small archive of synthetic images, on an S3 server beside this process.

    It holds one catalog, "Synthetic SDO for demonstrations", of one data set, "aia_0193_synthetic": images
    like those of SDO/AIA at 193 angstrom, made from a model, one an hour from 2020-01-01. From this
    call on, s3:// addresses lead this process, and the workers of its jobs, to that server.

    Parameters
    ----------
    count : int
        Number of images.
    size : int
        Pixels along each side.

    Returns
    -------
    Registry

    Examples
    --------
    >>> open_registry(count=2, size=64).table["name"].tolist()
    ['Synthetic SDO for demonstrations']
    """
    return open_registry_at(_start(count, size))


@cache
def _start(count: int, size: int) -> str:
    server = EmbeddedS3().__enter__()
    atexit.register(server.__exit__, None, None, None)
    storage.use(server.options)
    return archive.fill(server, count=count, cadence="1h", size=size)
