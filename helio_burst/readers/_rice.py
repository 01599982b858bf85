"""Rice-compressed tiles of a FITS image to its stored integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from helio_burst.readers._bytes import Buffer
from helio_burst.readers._hdus import HDU

_DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype("i2"), 32: np.dtype("i4")}


def decode(data: Buffer, hdu: HDU) -> npt.NDArray[Any] | None:
    """Decode a compressed image whose tiles are whole lines, as most archives write them.

    Returns
    -------
    ndarray of uint8, int16 or int32, or None
        The stored integers, before BSCALE, BZERO and BLANK. None where the layout is another one, or
        numba cannot be imported: then astropy has to read it, more slowly.

    Raises
    ------
    ValueError
        A tile is damaged.
    """
    header = hdu.header
    parameters = _parameters(header)
    dtype = _DTYPES.get(header["ZBITPIX"])
    lines = _lines_per_tile(header)
    block = parameters.get("BLOCKSIZE", 32)
    if dtype is None or lines is None or not _is_plain_rice(header, parameters, dtype):
        return None
    try:
        from helio_burst.readers import _rice_tiles  # here, since numba takes a second to import
    except ImportError:  # numba is not installed, or does not go with this numpy
        return None
    shape = tuple(header[f"ZNAXIS{axis}"] for axis in range(header["ZNAXIS"], 0, -1))
    image = np.empty(shape, dtype)
    size = lines * shape[-1]
    if block < 1:
        raise ValueError(f"its blocks have BLOCKSIZE={block} pixels")
    lengths, starts = _descriptors(data, hdu)
    if lengths.size * size < image.size:
        raise ValueError(f"the image has {image.size} pixels, and its {lengths.size} tiles have {size} each")
    table = header["NAXIS1"] * header["NAXIS2"]
    heap = np.frombuffer(data, np.uint8)[hdu.offset + header.get("THEAP", table) :]
    outside = (lengths <= 0) | (starts < 0) | (lengths > heap.size - starts)
    if outside.any():
        raise ValueError(f"tile {outside.argmax() + 1} lies outside the file")
    if (starts + lengths).max() + _rice_tiles.BEYOND > heap.size:
        heap = np.pad(heap, (0, _rice_tiles.BEYOND))
    heap.flags.writeable = False  # machine code is made for each type of argument
    damaged = _rice_tiles.decode(heap, starts, lengths, image.reshape(-1), size, block)
    if damaged != _rice_tiles.WHOLE:
        raise ValueError(f"tile {damaged + 1} is damaged: its bytes end before its pixels")
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


def _descriptors(data: Buffer, hdu: HDU) -> npt.NDArray[np.int64]:
    """Return the lengths of the tiles and their starts in the heap, bytes; shape (2, tiles)."""
    wide = str(hdu.header["TFORM1"]).lstrip("1").startswith("Q")
    rows = hdu.header["NAXIS2"]
    table = np.frombuffer(data, ">i8" if wide else ">i4", 2 * rows, hdu.offset)
    return np.ascontiguousarray(table.reshape(rows, 2).T, np.int64)
