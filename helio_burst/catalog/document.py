"""Registry and catalog JSON of every version of the specification, read into today's words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from helio_burst import storage
from helio_burst.catalog.findings import Finding, Severity
from helio_burst.catalog.json_lines import Lines
from helio_burst.errors import CatalogError, InputError
from helio_burst.timespan import parse_time

NEWEST = (1, 1)
VERSION_KEYS = ("version", "Cloudy", "CloudMe")
INDEX_TYPES = {"csv": "csv", "csv-zip": "csv.zip", "parquet": "parquet"}
FILE_TYPES = (
    "fits", "csv", "cdf", "netcdf3", "netcdf4", "hdf5", "datamap", "txt", "binary", "other",
)  # fmt: skip
REQUIRED = ("id", "index", "title", "start", "stop")
DATES = ("start", "stop", "modification", "creation", "expiration", "verified")
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


@dataclass(frozen=True)
class Document:
    """A catalog.json in today's words, and what was wrong in it."""

    url: str
    endpoint: str
    version: tuple[int, ...]
    name: str
    status: int | None
    message: str
    entries: tuple[Entry, ...]
    more: Mapping[str, Any]
    findings: tuple[Finding, ...]


def parse_json(url: str, data: bytes) -> tuple[dict[str, Any], Lines]:
    """Read a JSON object and where its parts stand.

    Raises
    ------
    CatalogError
        It is not JSON (the message names the line), or not an object.
    """
    try:
        text = data.decode("utf-8-sig")
        parsed = json.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogError(f"{url}, line {line}: not UTF-8. Save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        rows = text.splitlines()
        shown = rows[error.lineno - 1].strip()[:80] if error.lineno <= len(rows) else ""
        raise CatalogError(
            f"{url}, line {error.lineno}, column {error.colno}: not JSON, {error.msg} at {shown!r}. "
            "Correct the text there, or check that the URL is that of a JSON file."
        ) from error
    if not isinstance(parsed, dict):
        raise CatalogError(f"{url}: the JSON is a {type(parsed).__name__}, not an object {{...}}.")
    return parsed, Lines(text)


def parse_version(value: object) -> tuple[int, ...] | None:
    """Read a version as a tuple of numbers; None where it is none.

    Examples
    --------
    >>> parse_version("1.1.0") >= (1, 1)
    True
    """
    match = re.match(r"v?(\d+(?:\.\d+)*)", str(value).strip())
    return tuple(int(part) for part in match[1].split(".")) if match else None


class _Reader:
    """Collects the findings while one document is read."""

    def __init__(self, url: str, lines: Lines) -> None:
        self.url = url
        self.lines = lines
        self.findings: list[Finding] = []

    def find(
        self, severity: Severity, path: tuple[str | int, ...], entry: str | None, problem: str, repair: str
    ) -> None:
        self.findings.append(Finding(severity, self.url, self.lines.of(path), entry, problem, repair))


def version_of(parsed: Mapping[str, Any], reader: _Reader) -> tuple[int, ...]:
    """Find the version under any of the names it has had; the newest is assumed where there is none."""
    for key in VERSION_KEYS:
        if key in parsed:
            if version := parse_version(parsed[key]):
                return version
            reader.find("warning", (key,), None, f"{key} is {parsed[key]!r}.", "Write a version such as 1.1.")
            return NEWEST
    reader.find("warning", (), None, "There is no version.", 'Add "version": "1.1".')
    return NEWEST


def read_document(url: str, endpoint: str, data: bytes) -> Document:
    """Read catalog.json of any version.

    Raises
    ------
    CatalogError
        It is not JSON, or has no list ``catalog``. Everything else ends in `Document.findings`.
    """
    parsed, lines = parse_json(url, data)
    reader = _Reader(url, lines)
    version = version_of(parsed, reader)
    listed = parsed.get("catalog")
    if not isinstance(listed, list):
        raise CatalogError(
            f"{url} has no list 'catalog'; it has the keys {', '.join(parsed) or 'none'}. "
            "Is it a catalog.json?"
        )
    code, message = _status(parsed, reader)
    entries = [
        entry
        for number, raw in enumerate(listed)
        if (entry := _read_entry(raw, number, endpoint, reader)) is not None
    ]
    _find_duplicates(entries, listed, reader)
    more = {
        key: value for key, value in parsed.items() if key not in ("catalog", "name", "status", *VERSION_KEYS)
    }
    name = str(parsed.get("name") or endpoint)
    return Document(url, endpoint, version, name, code, message, tuple(entries), more, tuple(reader.findings))


def _status(parsed: Mapping[str, Any], reader: _Reader) -> tuple[int | None, str]:
    status = parsed.get("status")
    repair = 'Add "status": {"code": 1200, "message": "OK"}.'
    if not isinstance(status, dict):
        reader.find("warning", ("status",), None, f"status is {status!r}.", repair)
        return None, ""
    try:
        return int(str(status.get("code"))), str(status.get("message") or "")
    except ValueError:
        reader.find("warning", ("status",), None, f"status has the code {status.get('code')!r}.", repair)
        return None, str(status.get("message") or "")


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


def _read_entry(raw: object, number: int, endpoint: str, reader: _Reader) -> Entry | None:
    path: tuple[str | int, ...] = ("catalog", number)
    if not isinstance(raw, dict):
        reader.find("error", path, None, f"Entry {number} is {raw!r}.", "Write an object with id, index ...")
        return None
    keys = today(raw)
    name = str(keys.get("id") or f"entry {number}")

    def find(severity: Severity, problem: str, repair: str) -> None:
        reader.find(severity, path, name, problem, repair)

    missing = [key for key in REQUIRED if keys.get(key) in (None, "")]
    if missing:
        find("error", f"There is no {', '.join(missing)}.", "Add what is missing; the entry cannot be used.")
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


def _read_date(
    keys: Mapping[str, Any], key: str, static: bool, find: Callable[[Severity, str, str], None]
) -> pd.Timestamp | None:
    value = keys[key]
    if static and key in ("start", "stop"):
        return None
    if value in (None, "") and key in REQUIRED:
        return None
    try:
        return parse_time(str(value))
    except InputError:
        severity: Severity = "error" if key in REQUIRED else "warning"
        find(severity, f"{key} is {value!r}, not a time.", "Write UTC as yyyy-mm-ddThh:mm:ssZ.")
        return None


def _index_type(keys: Mapping[str, Any], find: Callable[[Severity, str, str], None]) -> str:
    if "indextype" not in keys:
        return "csv"
    written = str(keys["indextype"])
    kind = written.strip().lower().lstrip(".").replace("csv.zip", "csv-zip").replace("csvzip", "csv-zip")
    if kind not in INDEX_TYPES:
        find("error", f"indextype is {written!r}.", f"Write one of {', '.join(INDEX_TYPES)}.")
    return kind


def resolve_folder(folder: str, endpoint: str) -> str:
    """Return the URL of an index folder, with a slash at its end; a relative one is below the endpoint."""
    if not folder:
        return ""
    url = folder if "://" in folder else storage.join(endpoint, folder)
    return url.rstrip("/") + "/"


def _find_duplicates(entries: list[Entry], listed: list[Any], reader: _Reader) -> None:
    seen: set[str] = set()
    for number, raw in enumerate(listed):
        name = raw.get("id") if isinstance(raw, dict) else None
        if name in seen:
            reader.find(
                "warning",
                ("catalog", number),
                str(name),
                f"The id {name!r} occurs again.",
                "Give each its own id.",
            )
        if name is not None:
            seen.add(str(name))


class Listing(NamedTuple):
    """A catalog as a registry lists it."""

    name: str
    endpoint: str
    region: str | None
    provider: str


def read_registry(url: str, data: bytes) -> tuple[tuple[Listing, ...], list[Finding]]:
    """Read registry JSON of any version.

    Raises
    ------
    CatalogError
        It is not JSON, or has no list ``registry``.
    """
    parsed, lines = parse_json(url, data)
    reader = _Reader(url, lines)
    version_of(parsed, reader)
    listed = parsed.get("registry")
    if not isinstance(listed, list):
        raise CatalogError(
            f"{url} has no list 'registry'; it has the keys {', '.join(parsed) or 'none'}. Is it a registry?"
        )
    listings: dict[str, Listing] = {}
    for number, raw in enumerate(listed):
        path = ("registry", number)
        if not isinstance(raw, dict) or not raw.get("endpoint"):
            reader.find("error", path, None, f"{raw!r} has no endpoint.", "Add it, or remove the line.")
            continue
        endpoint = str(raw["endpoint"])
        if endpoint in listings:
            reader.find(
                "warning", path, None, f"The endpoint {endpoint} occurs again.", "Remove one of them."
            )
            continue
        for key in ("name", "region"):
            if not raw.get(key):
                reader.find("warning", path, None, f"{endpoint} has no {key}.", f"Add its {key}.")
        listings[endpoint] = Listing(
            str(raw.get("name") or endpoint), endpoint, raw.get("region"), str(raw.get("provider") or "aws")
        )
    return tuple(listings.values()), reader.findings
