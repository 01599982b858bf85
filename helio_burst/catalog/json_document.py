"""JSON of registries and catalogs: parsing, the version, and findings with their lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from helio_burst.catalog.findings import Finding, Severity
from helio_burst.catalog.json_lines import Lines, Path
from helio_burst.errors import CatalogError

NEWEST = (1, 1)
VERSION_KEYS = ("version", "Cloudy", "CloudMe")


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


class Found:
    """Collects what is wrong while one document is read."""

    def __init__(self, url: str, lines: Lines) -> None:
        self.url = url
        self.lines = lines
        self.findings: list[Finding] = []

    def add(self, severity: Severity, path: Path, entry: str | None, problem: str, repair: str) -> None:
        """Add a finding about the part at a path."""
        self.findings.append(Finding(severity, self.url, self.lines.of(path), entry, problem, repair))


def version_in(parsed: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Find the version under any of the names it has had; None where there is none."""
    written = next((parsed[key] for key in VERSION_KEYS if key in parsed), None)
    return parse_version(written)


def version_of(parsed: Mapping[str, Any], found: Found) -> tuple[int, ...]:
    """Find the version; the newest is assumed, with a warning, where there is none."""
    version = version_in(parsed)
    if version is None:
        written = {key: parsed[key] for key in VERSION_KEYS if key in parsed}
        problem = f"The version is {written}." if written else "There is no version."
        found.add("warning", tuple(written)[:1], None, problem, 'Write "version": "1.1".')
    return version or NEWEST
