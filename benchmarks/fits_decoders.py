"""Rice-compressed FITS images of 4096 x 4096 pixels, from bytes in memory, with every decoder there is.

    python benchmarks/fits_decoders.py [--rounds 9] [--out benchmarks/results/fits_decoders.json]

Compared are CPU seconds of one thread: the median of rounds in which all decoders take their turn. All give
the same bits, which is checked. The image is synthetic, with the photon noise of a real one
(helio_burst.science.solar); as int16, as archives hold it, and as int32.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fitsio
import imagecodecs
import numpy as np
import xarray as xr
from astropy.io import fits

from helio_burst import readers
from helio_burst.demo import archive
from helio_burst.readers import _hdus, _rice
from helio_burst.science import solar


def with_astropy(data: bytes) -> np.ndarray:
    with fits.open(io.BytesIO(data)) as units:
        values: np.ndarray = units[1].data
        return values


def with_fitsio(data: bytes) -> np.ndarray:
    """Go through a file in memory, since fitsio reads no bytes."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.NamedTemporaryFile(suffix=".fits", dir=memory) as file:
        file.write(data)
        file.flush()
        with fitsio.FITS(file.name) as units:
            values: np.ndarray = units[1].read()
            return values


def with_imagecodecs(data: bytes) -> np.ndarray:
    """Decode the tiles, whose places are those that the reader finds; each is a line of the image."""
    unit = _hdus.find(data, 1, None)
    header = unit.header
    dtype = np.dtype(f"i{header['ZBITPIX'] // 8}")
    image = np.empty((header["ZNAXIS2"], header["ZNAXIS1"]), dtype)
    heap = memoryview(data)[unit.offset + header["NAXIS1"] * header["NAXIS2"] :]
    places = zip(*_rice._descriptors(data, unit).tolist(), strict=True)
    for line, (length, start) in zip(image, places, strict=True):
        imagecodecs.rcomp_decode(heap[start : start + length], line.shape, dtype, nblock=32, out=line)
    return image


def with_our_decoder(data: bytes) -> np.ndarray | None:
    return _rice.decode(data, _hdus.find(data, 1, None))


def with_the_reader(data: bytes) -> np.ndarray:
    image = readers.fits(data)
    assert isinstance(image, xr.DataArray)
    return image.values


DECODERS: dict[str, Callable[[bytes], Any]] = {
    "astropy.io.fits": with_astropy,
    "fitsio": with_fitsio,
    "imagecodecs, tiles alone": with_imagecodecs,
    "ours, tiles alone": with_our_decoder,
    "readers.fits: tiles, header, coordinates": with_the_reader,
}


def cpu_seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def measure(data: bytes, rounds: int) -> dict[str, float]:
    reference = with_astropy(data)
    for name, decode in DECODERS.items():
        values = decode(data)
        assert values.dtype.newbyteorder("=") == reference.dtype.newbyteorder("="), name
        assert np.array_equal(values, reference), name
    image = readers.fits(data)
    calls: dict[str, Callable[[], object]] = {
        **{name: partial(decode, data) for name, decode in DECODERS.items()},
        "solar.mean_intensity of the image": partial(solar.mean_intensity, image),
        "image.values.astype(float).mean()": lambda: image.values.astype(float).mean(),
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(cpu_seconds(call))
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fits_decoders.json"))
    arguments = parser.parse_args()
    image = solar.synthetic_image("2020-01-01")
    rows: list[dict[str, Any]] = []
    for dtype in ("int16", "int32"):
        data = archive.encode(image.astype(dtype, keep_attrs=True))
        seconds = measure(data, arguments.rounds)
        for name, taken in seconds.items():
            rows.append(
                {
                    "stored as": dtype,
                    "what": name,
                    "CPU seconds": round(taken, 4),
                    "speed to astropy": round(seconds["astropy.io.fits"] / taken, 2),
                    "file MB": round(len(data) / 1e6, 1),
                }
            )
            print("{stored as:6} {what:42} {CPU seconds:8.4f} s {speed to astropy:6.2f} x".format(**rows[-1]))
    result = {
        "title": "FITS decoders",
        "command": "python benchmarks/fits_decoders.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread measured",
        "rounds": arguments.rounds,
        "decoders": rows,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
