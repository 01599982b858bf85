"""Burst an analysis over a year of spacecraft files: catalog, file list, map over a cluster, xarray, plot."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Each public name and the module it comes from; imported on first use, so that `import helio_burst` is quick.
_NAMES: dict[str, str] = {
    "attach": "burst",
    "map_files": "burst",
    "map_partitions": "burst",
    "open_catalog": "catalog",
    "open_cluster": "cluster",
    "open_registry": "catalog",
    "partitions": "burst",
    "record": "sweep",
}
_MODULES = ("demo", "errors", "plot", "readers", "science", "season", "storage", "timespan")

__all__ = [*_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"helio_burst.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"helio_burst.{name}")
    raise AttributeError(f"module 'helio_burst' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
