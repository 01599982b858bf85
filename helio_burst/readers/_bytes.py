"""What bytes look like, for choosing a reader and for saying what is wrong with a file."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from helio_burst.errors import ReadError

Buffer = bytes | memoryview

FITS = b"SIMPLE  ="
GZIP = b"\x1f\x8b"
HDF5 = b"\x89HDF\r\n\x1a\n"
NETCDF3 = (b"CDF\x01", b"CDF\x02")
NETCDF5 = b"CDF\x05"
CDF = (b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff")

_SIGNS: tuple[tuple[bytes, str], ...] = (
    (FITS, "FITS"),
    (GZIP, "gzip"),
    (HDF5, "HDF5 (NetCDF 4)"),
    (b"CDF\x01", "NetCDF 3"),
    (b"CDF\x02", "NetCDF 3 with 64-bit offsets"),
    (NETCDF5, "NetCDF CDF-5"),
    *((magic, "NASA CDF") for magic in CDF),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "bzip2"),
    (b"\x1f\x9d", "compress (.Z)"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x0e\x03\x13\x01", "HDF4"),
    (b"\x00\x00\x00\x0cjP", "JPEG 2000"),
    (b"%PDF", "PDF"),
    (b"PAR1", "Parquet"),
    (b"XTENSION=", "a FITS extension without its primary header"),
)


def begins(data: Buffer, *magic: bytes) -> bool:
    """Say whether the bytes begin with one of some signs."""
    return bytes(data[:16]).startswith(magic)


def looks_like(data: Buffer) -> str:
    """Say in a few words what the bytes are, judged by how they begin.

    Examples
    --------
    >>> looks_like(b"<!DOCTYPE html><html>")
    'an HTML page'
    """
    head = bytes(data[:512])
    if not head:
        return "an empty file"
    for magic, name in _SIGNS:
        if head.startswith(magic):
            return name
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if start.startswith(b"<?xml"):
        return "XML, such as an error message of S3"
    if start.startswith((b"{", b"[")):
        return "JSON"
    if head.isascii() and not any(byte < 9 for byte in head):
        return f"text that begins {head[:40].decode('ascii')!r}"
    return f"bytes that begin {head[:8].hex(' ')}"


def name_of(row: Any) -> str:
    """Return the datakey of a row for a message."""
    datakey = getattr(row, "datakey", None)
    return "The file" if datakey is None else str(datakey)


def not_readable(data: Buffer, row: Any, wanted: str, reason: object = None) -> ReadError:
    """Return the error for bytes that a reader cannot decode: what they are, how many, and what to do."""
    found = looks_like(data)
    size = f"{len(data):,} bytes"
    if wanted in found:
        why = f": {reason}" if reason else ""
        return ReadError(
            f"{name_of(row)} ({size}) begins as {wanted} but cannot be read{why}. "
            "It may be cut short or damaged: compare its size with the index's filesize and fetch it again."
        )
    return ReadError(
        f"{name_of(row)} ({size}) is not {wanted}: it looks like {found}. "
        "Choose the reader that fits it (helio_burst.readers), or check the datakey."
    )


def gunzip(data: Buffer, row: Any) -> Buffer:
    """Return gzip's content; other bytes as they are."""
    if not begins(data, GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise not_readable(data, row, "gzip", error) from error
