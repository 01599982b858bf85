"""The readers that decode nothing."""

from __future__ import annotations

from typing import Any


def raw(data: bytes, row: Any = None) -> bytes:
    """Return the file's bytes as they are."""
    return data


def row(data: bytes, row: Any) -> Any:
    """Return the row of the file list; nothing is fetched."""
    return row


row.fetches = False  # type: ignore[attr-defined]
