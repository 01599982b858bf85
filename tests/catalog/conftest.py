"""A cache of its own for each test, and catalogs made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helio_burst.catalog import Catalog, open_catalog

ENTRY = {
    "id": "aia",
    "title": "AIA 94",
    "start": "2019-01-01T00:00:00Z",
    "stop": "2021-12-31T23:59:59Z",
    "modification": "2022-01-01T00:00:00Z",
    "indextype": "csv",
    "filetype": "fits",
}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HELIO_BURST_CACHE", str(folder))
    return folder


Publish = Callable[..., Catalog]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Write a catalog of one entry and its index files into a folder, and open it."""

    def make(
        indexes: dict[str, str | bytes],
        *,
        version: str = "1.1",
        top: dict[str, Any] | None = None,
        strict: bool = False,
        **entry: Any,
    ) -> Catalog:
        folder = tmp_path / "bucket"
        folder.mkdir(exist_ok=True)
        one = {
            key: value
            for key, value in {**ENTRY, "index": f"file://{folder}/", **entry}.items()
            if value is not None
        }
        document = {
            "version": version,
            "name": "Test",
            "contact": "Ada",
            "egress": "public",
            "status": {"code": 1200, "message": "OK"},
            "catalog": [one],
            **(top or {}),
        }
        (folder / "catalog.json").write_text(json.dumps(document, indent=1))
        for name, content in indexes.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name).write_bytes(data)
        return open_catalog(str(folder), strict=strict)

    return make
