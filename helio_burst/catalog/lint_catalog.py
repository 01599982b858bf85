"""What is wrong in a catalog.json beyond what hinders reading it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from helio_burst.catalog.document import Document
from helio_burst.catalog.entry import FILE_TYPES, OLD_KEYS, today
from helio_burst.catalog.findings import Finding, Severity
from helio_burst.catalog.json_document import NEWEST, parse_json
from helio_burst.catalog.json_lines import Path
from helio_burst.errors import InputError
from helio_burst.timespan import parse_time

STATUS_CODES = (1200, 1400)
_ID = re.compile(r"[A-Za-z0-9_-]+")
_DATE = re.compile(r"\d{4}-(\d\d-\d\d|\d{3})(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?Z")
_EGRESS = {"free", "user-pays", "public", "private", "egress-allowed", "no-egress", "other"}
_Told = tuple[Severity, Path, str | None, str, str]


def lint_document(document: Document, data: bytes) -> Iterator[Finding]:
    """Check a catalog.json that can be read."""
    parsed, lines = parse_json(document.url, data)
    for path, line in lines.repeated:
        problem = f"The key {path[-1]!r} occurs twice; readers take the last."
        yield Finding("warning", document.url, line, None, problem, "Remove one.")
    told = [*_top(document, parsed)]
    for number, raw in enumerate(parsed["catalog"]):
        if isinstance(raw, dict):
            told += _entry(document, raw, ("catalog", number))
    for severity, path, entry, problem, repair in told:
        yield Finding(severity, document.url, lines.of(path), entry, problem, repair)


def _top(document: Document, parsed: Mapping[str, Any]) -> Iterator[_Told]:
    if document.version[:2] > NEWEST:
        newest = ".".join(map(str, NEWEST))
        yield (
            "note",
            ("version",),
            None,
            f"The version is newer than {newest}.",
            "Expect keys that are not read.",
        )
    for key in ("name", "contact"):
        if not parsed.get(key):
            yield "warning", (key,), None, f"There is no {key}.", f'Add "{key}".'
    if document.version >= (1, 0):
        yield from _egress(parsed.get("egress"))
    known = (*STATUS_CODES, 1600) if document.version < (0, 3) else STATUS_CODES
    if document.status is not None and document.status not in known:
        yield "warning", ("status",), None, f"The status code is {document.status}.", f"Write one of {known}."


def _egress(value: object) -> Iterator[_Told]:
    words = {word.strip() for word in re.split(r"[,\s]+", str(value or "")) if word.strip(" []'\"")}
    unknown = sorted(word for word in words if word.strip("[]'\"") not in _EGRESS)
    if not words:
        yield (
            "warning",
            ("egress",),
            None,
            "There is no egress.",
            f"Add some of {', '.join(sorted(_EGRESS))}.",
        )
    elif unknown:
        repair = f"Write some of {', '.join(sorted(_EGRESS))}."
        yield "warning", ("egress",), None, f"egress has {', '.join(unknown)}.", repair


def _entry(document: Document, raw: Mapping[str, Any], path: Path) -> Iterator[_Told]:
    keys = today(raw)
    name = str(keys.get("id", f"entry {path[-1]}"))

    def tell(severity: Severity, key: str, problem: str, repair: str) -> _Told:
        return severity, (*path, key), name, problem, repair

    if keys.get("id") and not _ID.fullmatch(name):
        yield tell("error", "id", f"The id {name!r} has other characters.", "Use only A-Z a-z 0-9 _ and -.")
    if document.version >= (0, 3):
        for key in raw:
            if key.lower() in OLD_KEYS:
                new = OLD_KEYS[key.lower()]
                yield tell(
                    "warning", key, f"{key!r} is a name of versions 0.1 and 0.2.", f"Rename it {new!r}."
                )
    index = str(keys.get("index") or "")
    if index and not index.startswith(("s3://", "https://")) and document.version >= (0, 2):
        severity: Severity = "note" if index.startswith(("file:", "memory:", "http:", "/")) else "warning"
        yield tell(severity, "index", f"The index {index!r} is no s3 or https URL.", "Write the whole URL.")
    if index and not index.endswith("/"):
        yield tell("warning", "index", f"The index {index!r} has no / at its end.", "Add it.")
    yield from _dates(keys, path, name)
    for key in ("indextype", "filetype", "modification"):
        if not keys.get(key):
            yield tell("warning", key, f"There is no {key}.", f'Add "{key}".')
    for kind in filter(None, (part.strip() for part in str(keys.get("filetype") or "").split(","))):
        if kind not in FILE_TYPES:
            yield tell(
                "warning", "filetype", f"The filetype is {kind!r}.", f"Write one of {', '.join(FILE_TYPES)}."
            )
    if not isinstance(keys.get("multiyear", False), bool):
        yield tell("warning", "multiyear", f"multiyear is {keys['multiyear']!r}.", "Write true or false.")


def _dates(keys: Mapping[str, Any], path: Path, name: str) -> Iterator[_Told]:
    times = {}
    for key in ("start", "stop", "modification"):
        try:
            times[key] = parse_time(str(keys.get(key)))
        except InputError:
            continue  # Reading the entry has told of it.
        if not _DATE.fullmatch(str(keys[key])):
            problem = f"{key} is written {keys[key]!r}; not every reader takes that."
            repair = f"Write {times[key].strftime('%Y-%m-%dT%H:%M:%SZ')}."
            yield "note", (*path, key), name, problem, repair
    if {"start", "stop"} <= set(times) and times["start"] > times["stop"]:
        problem = f"The start {keys['start']} is after the stop {keys['stop']}."
        yield "error", (*path, "start"), name, problem, "Exchange or correct them."
