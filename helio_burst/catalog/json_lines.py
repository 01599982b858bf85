"""On which line of a JSON text each of its parts stands."""

from __future__ import annotations

import json
import re
from bisect import bisect_right

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = json.JSONDecoder()
Path = tuple[str | int, ...]


class Lines:
    r"""Lines of the parts of a valid JSON text; the standard parser tells values, but not where they stand.

    Examples
    --------
    >>> Lines('{"catalog": [\n{"id": "aia"}]}').of(("catalog", 0, "id"))
    2
    """

    def __init__(self, text: str) -> None:
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._at: dict[Path, int] = {}
        self.repeated: list[tuple[Path, int]] = []
        self._value(text, _skip(text, 0), ())

    def of(self, path: Path) -> int | None:
        """Return the line, from 1, of the part at a path; of what holds it where there is no such part."""
        while path and path not in self._at:
            path = path[:-1]
        return self._line(self._at[path]) if path else None

    def _line(self, position: int) -> int:
        return bisect_right(self._breaks, position) + 1

    def _value(self, text: str, at: int, path: Path) -> int:
        self._at.setdefault(path, at)
        if text[at] == "{":
            return self._object(text, at, path)
        if text[at] == "[":
            return self._array(text, at, path)
        return _SCALAR.raw_decode(text, at)[1]

    def _object(self, text: str, at: int, path: Path) -> int:
        at = _skip(text, at + 1)
        while text[at] != "}":
            key_at = at
            key, at = _SCALAR.raw_decode(text, at)
            part = (*path, key)
            if part in self._at:
                self.repeated.append((part, self._line(key_at)))
            self._at[part] = key_at
            at = _skip(text, self._value(text, _skip(text, _skip(text, at) + 1), part))
            if text[at] == ",":
                at = _skip(text, at + 1)
        return at + 1

    def _array(self, text: str, at: int, path: Path) -> int:
        at = _skip(text, at + 1)
        number = 0
        while text[at] != "]":
            at = _skip(text, self._value(text, at, (*path, number)))
            if text[at] == ",":
                at = _skip(text, at + 1)
            number += 1
        return at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()
