"""The HDUs of a FITS file in memory: where each begins, what its header says, how long its data are.

Headers are read with astropy; opening the file with astropy as well would cost more, and would warn of things
that the reader says in its errors.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from helio_burst.errors import ReadError
from helio_burst.readers import _bytes
from helio_burst.readers._bytes import Buffer

BLOCK = 2880  # bytes; FITS 4.0, section 3.1
_LONGEST_HEADER = 200 * BLOCK  # 7,200 cards


@dataclass(frozen=True)
class HDU:
    """One header and the place of its data in the file."""

    number: int
    header: Any
    offset: int

    @cached_property
    def size(self) -> int:
        """Bytes of data without the padding (FITS 4.0, equations 1, 2 and 4)."""
        header = self.header
        axes = [header[f"NAXIS{n}"] for n in range(1, header["NAXIS"] + 1)]
        if not axes:
            return 0
        if axes[0] == 0 and header.get("GROUPS"):
            axes = axes[1:]
        groups, parameters = header.get("GCOUNT", 1), header.get("PCOUNT", 0)
        return int(abs(header["BITPIX"]) // 8 * groups * (parameters + prod(axes)))

    @property
    def name(self) -> str:
        """EXTNAME, or nothing."""
        return str(self.header.get("EXTNAME", "")).strip()

    @property
    def is_compressed_image(self) -> bool:
        """Whether this table holds the tiles of an image."""
        return bool(self.header.get("ZIMAGE"))

    @property
    def is_table(self) -> bool:
        """Whether this is a table, be it of numbers or of tiles."""
        return str(self.header.get("XTENSION", "")).strip() in ("BINTABLE", "TABLE", "A3DTABLE")


def find(data: Buffer, wanted: int | str | None, row: Any) -> HDU:
    """Return the HDU of a number or EXTNAME, or the first that holds data.

    Raises
    ------
    ReadError
        There is none such, it holds no data, or the file ends before its data do.
    """
    units = _walk(data, row)
    seen: list[HDU] = []
    found = None
    for hdu in units:
        seen.append(hdu)
        if hdu.size > 0 if wanted is None else _matches(hdu, wanted):
            found = hdu
            break
    if found is None and wanted in range(-len(seen), 0):
        found = seen[int(wanted)]  # type: ignore[arg-type]
    if found is None or found.size == 0:
        raise _without_data(found, wanted, [*seen, *units], row)
    _check_length(data, found, row)
    return found


def _without_data(found: HDU | None, wanted: int | str | None, seen: list[HDU], row: Any) -> ReadError:
    """Say that an HDU is not there, or has no data, and what there is."""
    fault = (
        "no HDU with data" if wanted is None else f"no {'HDU' if found is None else 'data in HDU'} {wanted!r}"
    )
    names = [f"{hdu.number} {hdu.name or '(no name)'}{'' if hdu.size else ' without data'}" for hdu in seen]
    return ReadError(f"{_bytes.name_of(row)} has {fault}; it has: {', '.join(names)}.")


def _walk(data: Buffer, row: Any) -> Iterator[HDU]:
    number = end = 0
    while len(data) - end >= BLOCK:
        hdu = HDU(number, *_read_header(data, end))
        yield hdu
        number, end = number + 1, hdu.offset + -(-hdu.size // BLOCK) * BLOCK
    # What follows the last whole block is no HDU, unless it begins as one.
    if number == 0 or _bytes.begins(data[end:], b"XTENSION="):
        raise ReadError(
            f"{_bytes.name_of(row)} is cut short: it has {len(data):,} bytes and ends within the header of "
            f"HDU {number}. Compare its size with the index's filesize and fetch it again."
        )


def _read_header(data: Buffer, start: int) -> tuple[Any, int]:
    """Return the header that begins at `start`, and where it ends."""
    from astropy.io.fits import Header

    # A file object of the whole file would be a copy of it.
    stream = io.BytesIO(data[start : start + _LONGEST_HEADER])
    return Header.fromfile(stream), start + stream.tell()


def _matches(hdu: HDU, wanted: int | str) -> bool:
    if not isinstance(wanted, str):
        return hdu.number == wanted
    name = hdu.name or ("PRIMARY" if hdu.number == 0 else "")
    return name.upper() == wanted.strip().upper()


def _check_length(data: Buffer, hdu: HDU, row: Any) -> None:
    missing = hdu.offset + hdu.size - len(data)
    if missing > 0:
        raise ReadError(
            f"{_bytes.name_of(row)} is cut short: it has {len(data):,} bytes, and HDU {hdu.number} needs "
            f"{missing:,} more. Compare its size with the index's filesize and fetch it again."
        )
