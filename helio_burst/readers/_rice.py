"""Rice-compressed FITS tiles to an image, with imagecodecs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

try:
    from imagecodecs import rcomp_decode
except ImportError:  # the fall-back is astropy
    rcomp_decode = None

_DTYPES = {8: np.dtype("u1"), 16: np.dtype("i2"), 32: np.dtype("i4")}


def decode(data: bytes, header: Any, offset: int) -> npt.NDArray[Any] | None:
    """Decode the image of a compressed binary table.

    Parameters
    ----------
    data : bytes
        The file.
    header : astropy.io.fits.Header
        The header of the binary table itself.
    offset : int
        Where the table begins in the file.

    Returns
    -------
    ndarray of uint8, int16 or int32, or None
        The stored integers, before BSCALE, BZERO and BLANK; None when this is not the plain layout of whole rows
        of integers as one Rice tile each, and astropy has to read it.
    """
    width, rows = header.get("ZNAXIS1"), header["NAXIS2"]
    descriptor = {"P": ">i4", "Q": ">i8"}.get(str(header.get("TFORM1", "")).lstrip("1")[:1])
    plain = (
        rcomp_decode is not None
        and header.get("ZCMPTYPE") in ("RICE_1", "RICE_ONE")
        and header["ZBITPIX"] in _DTYPES
        and header["TFIELDS"] == 1
        and header.get("TTYPE1") == "COMPRESSED_DATA"
        and descriptor is not None
        and header.get("ZTILE1", width) == width
        and all(header.get(f"ZTILE{axis}", 1) == 1 for axis in range(2, header["ZNAXIS"] + 1))
    )
    if not plain:
        return None
    dtype = _DTYPES[header["ZBITPIX"]]
    parameters = {header[f"ZNAME{n}"]: header[f"ZVAL{n}"] for n in range(1, 9) if f"ZNAME{n}" in header}
    if parameters.get("BYTEPIX", 4) != dtype.itemsize:
        return None
    block = parameters.get("BLOCKSIZE", 32)
    shape = tuple(header[f"ZNAXIS{axis}"] for axis in range(header["ZNAXIS"], 0, -1))
    tiles = np.frombuffer(data, descriptor, 2 * rows, offset).reshape(rows, 2)
    heap = memoryview(data)[offset + header.get("THEAP", header["NAXIS1"] * rows) :]
    if (tiles.sum(axis=1) > len(heap)).any():
        raise ValueError("its tiles reach beyond its end")
    image = np.empty(shape, dtype)
    for (length, start), line in zip(tiles.tolist(), image.reshape(rows, width), strict=True):
        rcomp_decode(heap[start : start + length], shape=(width,), dtype=dtype, nblock=block, out=line)
    return image
