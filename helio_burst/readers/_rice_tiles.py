"""The Rice code of FITS, tile by tile into an image; machine code by numba.

The code is that of the FITS standard 4.0, section 10.4.1: the first pixel of a tile stands as it is; then
come blocks of differences from pixel to pixel. A difference d is written as 2 d, a negative one as -2 d - 1,
in two parts: the upper bits as a run of so many zeros with a 1 behind it, the lower bits as they are. How
many lower bits there are stands before each block; two values of that have another meaning, namely that all
differences are 0, and that they stand in full.

Speed comes from three things: bits are taken from a register that is filled 57 at a time, a run of zeros is
counted by one instruction, and all tiles are one call, during which Python's other threads go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

BEYOND = 8
"""How many bytes there have to be behind the last tile, since that many are taken at a time."""
WHOLE = -1
"""What `decode` returns where no tile is damaged."""

# In numba, a signed and an unsigned integer make a float: each constant has to be unsigned as well.
ZERO, ONE, EIGHT, SIXTY_FOUR = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(64)
VALID = np.uint64(57)  # bits of the register that are filled wherever in a byte it begins


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, and keep the machine code on disk where there is a place for it."""
    try:
        return cast(Callable[..., Any], numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's can be written to
        return cast(Callable[..., Any], numba.njit(nogil=True)(function))


def count_zeros(typing_context: Any, value: Any) -> Any:
    """Count the zeros before the first 1; 64 if there is none."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return numba.uint64(numba.uint64), generate


leading_zeros: Any = intrinsic(count_zeros)


@numba.njit(inline="always")  # a call would pass the array's parts and count its references
def bits_from(heap: Any, position: Any) -> Any:
    """Return the bits from a position on, the first as the highest: at least 57, or none behind the end."""
    at = position >> np.uint64(3)
    if at + EIGHT > np.uint64(heap.size):
        return ZERO
    word = (
        np.uint64(heap[at]) << np.uint64(56)
        | np.uint64(heap[at + ONE]) << np.uint64(48)
        | np.uint64(heap[at + np.uint64(2)]) << np.uint64(40)
        | np.uint64(heap[at + np.uint64(3)]) << np.uint64(32)
        | np.uint64(heap[at + np.uint64(4)]) << np.uint64(24)
        | np.uint64(heap[at + np.uint64(5)]) << np.uint64(16)
        | np.uint64(heap[at + np.uint64(6)]) << EIGHT
        | np.uint64(heap[at + np.uint64(7)])
    )
    return word << (position & np.uint64(7))


@compiled
def decode_tile(
    heap: npt.NDArray[np.uint8], start: int, length: int, pixels: npt.NDArray[Any], block: int
) -> bool:
    """Decode one tile; False if its pixels need more bits than it has."""
    width = np.uint64(8 * pixels.itemsize)
    code_bits = np.uint64(3 if pixels.itemsize == 1 else 4 if pixels.itemsize == 2 else 5)
    unsplit = np.uint64(7 if pixels.itemsize == 1 else 15 if pixels.itemsize == 2 else 26)
    position, end = EIGHT * np.uint64(start), EIGHT * np.uint64(start + length)
    pixel = bits_from(heap, position) >> (SIXTY_FOUR - width)
    position += width
    first = 0
    while first < pixels.size:
        last = min(first + block, pixels.size)
        code = bits_from(heap, position) >> (SIXTY_FOUR - code_bits)
        position += code_bits
        if code == ZERO:
            for i in range(first, last):
                pixels[i] = pixel
        elif code >= unsplit:
            for i in range(first, last):
                mapped = bits_from(heap, position) >> (SIXTY_FOUR - width)
                position += width
                pixel += (mapped >> ONE) ^ (ZERO - (mapped & ONE))
                pixels[i] = pixel
        else:
            lower = code - ONE
            register, used = bits_from(heap, position), ZERO
            for i in range(first, last):
                upper = leading_zeros(register)
                if used + upper + ONE + lower > VALID:
                    position += used
                    register, used = bits_from(heap, position), ZERO
                    upper = leading_zeros(register)
                if used + upper + ONE + lower <= VALID:
                    mapped = upper << lower | register << upper << ONE >> ONE >> (np.uint64(63) - lower)
                    register <<= upper + ONE + lower
                    used += upper + ONE + lower
                else:  # the difference has more bits than the register
                    run = ZERO
                    while upper >= VALID:
                        run += VALID
                        position += VALID
                        if position > end:
                            return False
                        register = bits_from(heap, position)
                        upper = leading_zeros(register)
                    position += upper + ONE
                    register, used = bits_from(heap, position), lower
                    mapped = (run + upper) << lower | register >> ONE >> (np.uint64(63) - lower)
                    register <<= lower
                pixel += (mapped >> ONE) ^ (ZERO - (mapped & ONE))
                pixels[i] = pixel
            position += used
        first = last
    return bool(position <= end)


@compiled
def decode(
    heap: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    pixels: npt.NDArray[Any],
    size: int,
    block: int,
) -> int:
    """Decode all tiles of an image.

    Parameters
    ----------
    heap : ndarray of uint8
        The bytes in which the tiles lie, and at least `BEYOND` more.
    starts, lengths : ndarray of int64
        Where each tile lies in the heap, bytes; within it.
    pixels : ndarray of uint8, int16 or int32
        What is filled: the image, one tile behind the other.
    size, block : int
        Pixels of a tile (the last one may have fewer) and of a block.

    Returns
    -------
    int
        The number of the first damaged tile, from 0; `WHOLE` if there is none.
    """
    for tile in range(starts.size):
        part = pixels[tile * size : (tile + 1) * size]
        if not decode_tile(heap, starts[tile], lengths[tile], part, block):
            return tile
    return WHOLE
