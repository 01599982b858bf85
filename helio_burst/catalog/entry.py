"""An entry of a catalog, read from the JSON of every version."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from helio_burst import storage
from helio_burst.catalog.findings import Severity
from helio_burst.catalog.json_document import Found
from helio_burst.catalog.json_lines import Path
from helio_burst.errors import InputError
from helio_burst.timespan import parse_time

INDEX_TYPES = {"csv": "csv", "csv-zip": "csv.zip", "parquet": "parquet"}
FILE_TYPES = (
    "fits", "csv", "cdf", "netcdf3", "netcdf4", "hdf5", "datamap", "txt", "binary", "other",
)  # fmt: skip
REQUIRED = ("id", "index", "title", "start", "stop")
DATES = ("start", "stop", "modification", "creation", "expiration", "verified")
_LAST_YEAR = 2261
_Find = Callable[[Severity, str, str, str], None]
# Keys of versions 0.1 and 0.2, in lower case, and what they are called today.
OLD_KEYS = {
    "loc": "index",
    "startdate": "start",
    "enddate": "stop",
    "stopdate": "stop",
    "modificationdate": "modification",
    "indexformat": "indextype",
    "listformat": "indextype",
    "fileformat": "filetype",
    "resourceurl": "resource",
    "resourceid": "resource",
    "creationdate": "creation",
    "contactid": "contact",
    "abouturl": "about",
}
_KNOWN = (*REQUIRED, *DATES[2:], "indextype", "filetype", "description", "resource", "citation", "contact",
          "about", "multiyear")  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One data set of a catalog.

    Attributes
    ----------
    id, title : str
        Name in the catalog, and a short description.
    index : str
        URL of the folder of the index files.
    start, stop : Timestamp or None
        UTC range of the data. None where a set is static, or where the catalog's date cannot be read.
    indextype : {"csv", "csv-zip", "parquet"}
        Format of the index files.
    filetype : tuple of str
        Formats of the data files, such as ``("fits",)``.
    multiyear : bool
        Whether files may span more than a year.
    static : bool
        Whether the set has no time (versions 0.3 to 0.6).
    broken : str or None
        Why the entry cannot be used.
    more : dict
        Every other key of the entry, optional ones of the specification and unknown ones alike.
    """

    id: str
    title: str
    index: str
    start: pd.Timestamp | None
    stop: pd.Timestamp | None
    indextype: str = "csv"
    filetype: tuple[str, ...] = ()
    multiyear: bool = False
    static: bool = False
    broken: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        rows = {
            "title": self.title,
            "start": _day(self.start),
            "stop": _day(self.stop),
            "file type": ", ".join(self.filetype),
            "index": f"{self.index} ({self.indextype})",
            **self.more,
        }
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(str(name))}</th>"
            f"<td style='text-align:left'>{escape(str(value))}</td></tr>"
            for name, value in rows.items()
        )
        return f"<strong>{escape(self.id)}</strong><table>{body}</table>"


def _day(time: pd.Timestamp | None) -> str:
    return "none" if time is None else time.strftime("%Y-%m-%d %H:%M:%S UTC")


def today(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Rename an entry's keys of old versions; a key of today wins over an old one.

    Examples
    --------
    >>> today({"loc": "s3://b/", "ownership": {"contactID": "Ada"}})
    {'index': 's3://b/', 'contact': 'Ada'}
    """
    named: dict[str, Any] = {}
    old: dict[str, Any] = {}
    for key, value in raw.items():
        if key.lower() == "ownership" and isinstance(value, dict):
            old |= today(value)
        elif key.lower() in OLD_KEYS:
            old.setdefault(OLD_KEYS[key.lower()], value)
        else:
            named[key.lower() if key.lower() in _KNOWN else key] = value
    return {**{key: value for key, value in old.items() if key not in named}, **named}


def _place(raw: Mapping[str, Any], key: str) -> Path:
    """Return where an entry has a key, which may be there under an old name."""
    for name, value in raw.items():
        if name.lower() == key or OLD_KEYS.get(name.lower()) == key:
            return (name,)
        if name.lower() == "ownership" and isinstance(value, dict) and (inner := _place(value, key)):
            return (name, *inner)
    return ()


def read_entry(raw: object, number: int, endpoint: str, found: Found) -> Entry | None:
    """Read an entry of any version; None if it is not even an object. What is wrong is added to ``found``."""
    path: Path = ("catalog", number)
    if not isinstance(raw, dict):
        found.add("error", path, None, f"Entry {number} is {raw!r}.", "Write an object with id, index ...")
        return None
    keys = today(raw)
    name = str(keys.get("id") or f"entry {number}")

    def find(severity: Severity, key: str, problem: str, repair: str) -> None:
        found.add(severity, (*path, *_place(raw, key)), name, problem, repair)

    missing = [key for key in REQUIRED if keys.get(key) in (None, "")]
    if missing:
        find(
            "error",
            "",
            f"There is no {', '.join(missing)}.",
            "Add what is missing; the entry cannot be used.",
        )
    static = str(keys.get("start")).strip().lower() == "static"
    dates = {key: _read_date(keys, key, static, find) for key in DATES if key in keys}
    unread = [key for key in ("start", "stop") if key in keys and dates.get(key) is None and not static]
    broken = f"it has no {', '.join(missing)}" if missing else None
    if unread and not missing:
        broken = f"its {' and '.join(f'{key} {keys[key]!r}' for key in unread)} cannot be read as a time"
    more = {
        key: dates.get(key, value)
        for key, value in keys.items()
        if key not in (*REQUIRED, "indextype", "filetype", "multiyear")
    }
    return Entry(
        id=name,
        title=str(keys.get("title") or ""),
        index=resolve_folder(str(keys.get("index") or ""), endpoint),
        start=dates.get("start"),
        stop=dates.get("stop"),
        indextype=_index_type(keys, find),
        filetype=tuple(
            part.strip().lower() for part in str(keys.get("filetype") or "").split(",") if part.strip()
        ),
        multiyear=str(keys.get("multiyear", False)).strip().lower() in ("true", "1", "yes"),
        static=static,
        broken=broken,
        more=more,
    )


def _read_date(keys: Mapping[str, Any], key: str, static: bool, find: _Find) -> pd.Timestamp | None:
    value = keys[key]
    if static and key in ("start", "stop"):
        return None
    if isinstance(value, bool):  # verified may be one
        return None
    if value in (None, "") and key in REQUIRED:
        return None
    if key == "stop" and (year := re.match(r"\d{4}", str(value))) and int(year[0]) > _LAST_YEAR:
        # 9999 and the like stand for data that go on; nanoseconds cannot hold such years.
        find(
            "note",
            key,
            f"stop is {value!r}: read as the end of this year.",
            "Write the stop of the last file.",
        )
        return pd.Timestamp(pd.Timestamp.now("UTC").year + 1, 1, 1, tz="UTC")
    try:
        return parse_time(str(value))
    except InputError:
        severity: Severity = "error" if key in REQUIRED else "warning"
        find(severity, key, f"{key} is {value!r}, not a time.", "Write UTC as yyyy-mm-ddThh:mm:ssZ.")
        return None


def _index_type(keys: Mapping[str, Any], find: _Find) -> str:
    if "indextype" not in keys:
        return "csv"
    written = str(keys["indextype"])
    kind = written.strip().lower().lstrip(".").replace("csv.zip", "csv-zip").replace("csvzip", "csv-zip")
    if kind not in INDEX_TYPES:
        find("error", "indextype", f"indextype is {written!r}.", f"Write one of {', '.join(INDEX_TYPES)}.")
    return kind


def resolve_folder(folder: str, endpoint: str) -> str:
    """Return the URL of an index folder, with a slash at its end; a relative one is below the endpoint."""
    if not folder:
        return ""
    local = "://" not in endpoint or endpoint.startswith("file:")
    whole = "://" in folder or (local and folder.startswith("/"))
    return (folder if whole else storage.join(endpoint, folder)).rstrip("/") + "/"
