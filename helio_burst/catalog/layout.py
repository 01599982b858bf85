"""How one CSV index is laid out: its header, its columns, where its rows begin."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from helio_burst.errors import InputError
from helio_burst.timespan import TIME_PATTERN, parse_time

_TIME = re.compile(TIME_PATTERN)
_YEARS = (1678, 2261)
_NAME = re.compile(r"[A-Za-z_][\w .()\[\]-]*")
# What surrounds a value without being part of it.
MARKS = " \t\r'\"\ufeff"
_STOP_NAMES = {"stop", "stoptime", "stopdate", "end", "endtime", "enddate"}
# From this version on, the second column is the stop.
WITH_STOP = (0, 5)
# Bytes and rows by which the layout is told.
HEAD = 64 * 1024
_SAMPLE = 50


@dataclass(frozen=True)
class Layout:
    """What the first lines of a CSV index tell.

    Attributes
    ----------
    skip : int
        Lines before the first row.
    names : tuple of str
        Names of the columns; the first ones by position as the specification has them.
    required : int
        Number of columns that a whole row has at least.
    header : tuple of str
        The header as it is written, without marks; empty where there is none.
    """

    skip: int
    names: tuple[str, ...]
    required: int
    header: tuple[str, ...]

    @property
    def ends(self) -> tuple[str, ...]:
        """The columns that hold times: start, and stop where there is one."""
        return self.names[: self.required - 2]


def find_layout(head: bytes, version: tuple[int, ...], extras: Callable[[], Sequence[str]] = tuple) -> Layout:
    """Find out how a CSV index is laid out.

    Parameters
    ----------
    head : bytes
        The first lines of the file.
    version : tuple of int
        Of the catalog; before 0.5 there is no stop, unless the file shows one.
    extras : callable
        Gives names of further columns, for a file without header.
    """
    lines = head.decode("utf-8", "replace").split("\n")
    if len(head) >= HEAD:
        lines = lines[:-1]  # cut off
    skip, header = _find_header(lines)
    rows = [split(line) for line in lines[skip : skip + _SAMPLE] if line.strip() and line.lstrip()[0] != "#"]
    columns: tuple[str, ...] = ("start", "stop", "datakey", "filesize")
    if not _has_stop(header, rows, version):
        columns = ("start", "datakey", "filesize")
    usual = Counter(len(row) for row in rows).most_common(1)
    width = max(len(columns), len(header) or (usual[0][0] if usual else 0))
    given = list(header[len(columns) :])
    if not header and width > len(columns):
        given = list(extras())
    further = _distinct(given, columns, width)
    return Layout(skip, (*columns, *further), len(columns), header)


def is_time(cell: str) -> bool:
    """Say whether a cell holds a time, or "static" in its stead."""
    if not _TIME.match(cell):
        return cell.lower() == "static"
    try:
        return _YEARS[0] <= parse_time(cell).year <= _YEARS[1]
    except InputError:
        return False


def split(line: str) -> list[str]:
    """Split a line into its values, without the marks around them; a comma within quotes does not split."""
    quote = next((mark for mark in line if mark in "'\""), '"')
    # A carriage return within a line would be taken for its end.
    reader = csv.reader([line.replace("\r", " ")], quotechar=quote, skipinitialspace=True)
    return [cell.strip(MARKS) for cell in next(reader, [])]


def _find_header(lines: list[str]) -> tuple[int, tuple[str, ...]]:
    """Return the number of lines before the first row, and the header among them."""
    header: tuple[str, ...] = ()
    skip = 0
    for line in lines:
        cells = split(line.lstrip("# \t\ufeff"))
        # Further columns may be called anything, as "flux (W/m^2)".
        named = len(cells) >= 3 and all(_NAME.fullmatch(cell) for cell in cells[:3])
        if named and not is_time(cells[0]):
            header = tuple(cells)
        elif line.strip() and not line.lstrip(" \ufeff").startswith("#"):
            break
        skip += 1
    return skip, header


def _has_stop(header: tuple[str, ...], rows: list[list[str]], version: tuple[int, ...]) -> bool:
    """Say whether the second column is the stop: by what it holds, then by its name, then by the version."""
    seconds = [row[1] for row in rows if len(row) > 1 and row[1]]
    if any(is_time(cell) for cell in seconds):
        return True
    if any("/" in cell for cell in seconds):
        return False
    if header:
        return re.sub(r"[ _]", "", header[1].lower()) in _STOP_NAMES
    return version >= WITH_STOP


def _distinct(given: list[str], taken: tuple[str, ...], width: int) -> list[str]:
    """Name the columns after the required ones, each once."""
    names: list[str] = []
    for number in range(width - len(taken)):
        name = given[number] if number < len(given) and given[number] else f"extra_{number + 1}"
        while name in taken or name in names:
            name += "_"
        names.append(name)
    return names
