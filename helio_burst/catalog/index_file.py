"""Where an index file is, and what its catalog says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class IndexFile:
    """One index file, at hand.

    Attributes
    ----------
    url, entry : str
        What messages name.
    source : Path or bytes
        The file itself.
    indextype : {"csv", "csv-zip", "parquet"}
    version : tuple of int
        Of the catalog.
    static : bool
        Whether the data set has no time.
    base : str
        The folder that relative datakeys are below.
    extras : callable
        Gives the names of the columns after filesize; asked for only where a file has such columns and
        no header.
    """

    url: str
    entry: str
    source: Path | bytes
    indextype: str = "csv"
    version: tuple[int, ...] = (1, 1)
    static: bool = False
    base: str = ""
    extras: Callable[[], tuple[str, ...]] = tuple
