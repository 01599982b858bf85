"""Finding entries by id, title, words, time and file type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import pandas as pd

from helio_burst.catalog.entry import Entry
from helio_burst.errors import InputError
from helio_burst.timespan import TimeLike, parse_time


def search_entries(
    entries: Iterable[Entry],
    text: str | None = None,
    *,
    id: str | None = None,
    title: str | None = None,
    keywords: str | Sequence[str] | None = None,
    start: TimeLike | None = None,
    stop: TimeLike | None = None,
    filetype: str | None = None,
) -> list[Entry]:
    """Return the entries that meet all that is given; see `Catalog.search`."""
    tests: list[Callable[[Entry], bool]] = []
    if text is not None:
        words = text.lower().split()
        tests.append(lambda entry: all(word in _words(entry) for word in words))
    if id is not None:
        tests.append(lambda entry: _like(entry.id, id))
    if title is not None:
        tests.append(lambda entry: _like(entry.title, title))
    if start is not None or stop is not None:
        first = None if start is None else parse_time(start)
        last = None if stop is None else parse_time(stop)
        if first is not None and last is not None and first >= last:
            raise InputError(f"The range from {first} to {last} is empty: start must be before stop.")
        tests.append(lambda entry: _overlaps(entry, first, last))
    if filetype is not None:
        wanted = filetype.strip().lower().lstrip(".")
        tests.append(lambda entry: wanted in entry.filetype)
    found = [entry for entry in entries if all(test(entry) for test in tests)]
    if keywords is None:
        return found
    wanted_words = [word.lower() for word in ([keywords] if isinstance(keywords, str) else keywords)]
    counts = [(sum(_words(entry).count(word) for word in wanted_words), entry) for entry in found]
    return [entry for count, entry in sorted(counts, key=lambda pair: -pair[0]) if count]


def _words(entry: Entry) -> str:
    """Everything of an entry that is text, in lower case."""
    return " ".join([entry.id, entry.title, entry.index, *map(str, entry.more.values())]).lower()


def _like(value: str, pattern: str) -> bool:
    value, pattern = value.lower(), pattern.lower()
    if any(mark in pattern for mark in "*?"):
        return fnmatchcase(value, pattern)
    return pattern in value


def _overlaps(entry: Entry, start: pd.Timestamp | None, stop: pd.Timestamp | None) -> bool:
    if entry.static:
        return True
    if entry.start is None or entry.stop is None:
        return False
    return (stop is None or entry.start < stop) and (start is None or entry.stop >= start)
