"""catalog.json of every version of the specification, read into today's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helio_burst import storage
from helio_burst.catalog.entry import Entry, read_entry
from helio_burst.catalog.findings import Finding
from helio_burst.catalog.json_document import VERSION_KEYS, Found, parse_json, version_of
from helio_burst.errors import CatalogError


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


def locate(endpoint: str) -> tuple[str, str]:
    """Return the URL of an endpoint's JSON, and that of the folder that relative addresses in it are below.

    A path becomes absolute, so that what is opened stays the same wherever the process goes.
    """
    endpoint = storage.absolute(endpoint)
    url = endpoint if endpoint.lower().endswith(".json") else storage.join(endpoint, "catalog.json")
    return url, url.rpartition("/")[0] + "/"


def read_document(url: str, endpoint: str, data: bytes) -> Document:
    """Read catalog.json of any version.

    Raises
    ------
    CatalogError
        It is not JSON, or has no list ``catalog``. Everything else ends in `Document.findings`.
    """
    parsed, lines = parse_json(url, data)
    found = Found(url, lines)
    version = version_of(parsed, found)
    listed = parsed.get("catalog")
    if not isinstance(listed, list):
        raise CatalogError(
            f"{url} has no list 'catalog'; it has the keys {', '.join(parsed) or 'none'}. "
            "Is it a catalog.json?"
        )
    code, message = _status(parsed, found)
    entries = [
        entry
        for number, raw in enumerate(listed)
        if (entry := read_entry(raw, number, endpoint, found)) is not None
    ]
    _find_duplicates(entries, listed, found)
    more = {
        key: value for key, value in parsed.items() if key not in ("catalog", "name", "status", *VERSION_KEYS)
    }
    name = str(parsed.get("name") or endpoint)
    return Document(url, endpoint, version, name, code, message, tuple(entries), more, tuple(found.findings))


def _status(parsed: Mapping[str, Any], found: Found) -> tuple[int | None, str]:
    status = parsed.get("status")
    repair = 'Add "status": {"code": 1200, "message": "OK"}.'
    if not isinstance(status, dict):
        found.add("warning", ("status",), None, f"status is {status!r}.", repair)
        return None, ""
    try:
        return int(str(status.get("code"))), str(status.get("message") or "")
    except ValueError:
        found.add("warning", ("status",), None, f"status has the code {status.get('code')!r}.", repair)
        return None, str(status.get("message") or "")


def _find_duplicates(entries: list[Entry], listed: list[Any], found: Found) -> None:
    seen: set[str] = set()
    for number, raw in enumerate(listed):
        name = raw.get("id") if isinstance(raw, dict) else None
        if name in seen:
            found.add(
                "warning",
                ("catalog", number),
                str(name),
                f"The id {name!r} occurs again.",
                "Give each its own id.",
            )
        if name is not None:
            seen.add(str(name))
