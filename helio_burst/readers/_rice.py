"""Rice-compressed tiles of a FITS image to its stored integers, with imagecodecs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from helio_burst.readers._bytes import Buffer
from helio_burst.readers._hdus import HDU

rcomp_decode: Callable[..., Any] | None
try:
    from imagecodecs import rcomp_decode
except ImportError:  # astropy decodes, more slowly
    rcomp_decode = None

_DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype("i2"), 32: np.dtype("i4")}


def decode(data: Buffer, hdu: HDU) -> npt.NDArray[Any] | None:
    """Decode a compressed image whose tiles are whole lines, as most archives write them.

    Returns
    -------
    ndarray of uint8, int16 or int32, or None
        The stored integers, before BSCALE, BZERO and BLANK. None where the layout is another one, or
        imagecodecs is not installed: then astropy has to read it.

    Raises
    ------
    ValueError, RuntimeError
        A tile is damaged.
    """
    header = hdu.header
    parameters = _parameters(header)
    dtype = _DTYPES.get(header["ZBITPIX"])
    lines = _lines_per_tile(header)
    if (
        rcomp_decode is None
        or dtype is None
        or lines is None
        or not _is_plain_rice(header, parameters, dtype)
    ):
        return None
    shape = tuple(header[f"ZNAXIS{axis}"] for axis in range(header["ZNAXIS"], 0, -1))
    image = np.empty(shape, dtype)
    size, block = lines * shape[-1], parameters.get("BLOCKSIZE", 32)
    pixels = image.reshape(-1)
    heap = memoryview(data)[hdu.offset + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]) :]
    for number, (length, start) in enumerate(_descriptors(data, hdu)):
        if length <= 0 or start < 0 or start + length > len(heap):
            raise ValueError(f"tile {number + 1} lies outside the file")
        tile = pixels[number * size : (number + 1) * size]
        rcomp_decode(heap[start : start + length], tile.shape, dtype, nblock=block, out=tile)
    return image


def _parameters(header: Any) -> dict[str, int]:
    """Return the algorithm's parameters: BLOCKSIZE (pixels), BYTEPIX (bytes)."""
    found = {}
    number = 1
    while f"ZNAME{number}" in header:
        found[header[f"ZNAME{number}"]] = header[f"ZVAL{number}"]
        number += 1
    return found


def _lines_per_tile(header: Any) -> int | None:
    """Return how many lines of the image a tile holds, or None where tiles are not contiguous in it."""
    width, dimensions = header["ZNAXIS1"], header["ZNAXIS"]
    if header.get("ZTILE1", width) != width:
        return None
    lines = [header.get(f"ZTILE{axis}", 1) for axis in range(2, dimensions + 1)]
    if dimensions == 2:
        return int(lines[0])
    return 1 if all(number == 1 for number in lines) else None


def _is_plain_rice(header: Any, parameters: dict[str, int], dtype: np.dtype[Any]) -> bool:
    """Say whether each tile is Rice-coded at the image's own width, and nothing else."""
    return (
        header["ZCMPTYPE"] in ("RICE_1", "RICE_ONE")
        # Columns beside the tiles hold scales, null values, or tiles kept in another way.
        and header["TFIELDS"] == 1
        and str(header["TFORM1"]).lstrip("1")[:1] in ("P", "Q")
        and parameters.get("BYTEPIX", 4) == dtype.itemsize
    )


def _descriptors(data: Buffer, hdu: HDU) -> list[list[int]]:
    """Return length and start in the heap of each tile, bytes."""
    wide = str(hdu.header["TFORM1"]).lstrip("1").startswith("Q")
    rows = hdu.header["NAXIS2"]
    table = np.frombuffer(data, ">i8" if wide else ">i4", 2 * rows, hdu.offset)
    pairs: list[list[int]] = table.reshape(rows, 2).tolist()
    return pairs
