"""Burst an analysis over a year of spacecraft files: catalog, file list, map over a cluster, xarray, plot."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helio_burst import (
        burst,
        catalog,
        cluster,
        demo,
        errors,
        plot,
        readers,
        science,
        season,
        storage,
        timespan,
    )
    from helio_burst.burst import (
        attach,
        estimate,
        map_files,
        map_partitions,
        partitions,
    )
    from helio_burst.catalog import open_catalog, open_registry
    from helio_burst.cluster import list_clusters, open_cluster, stop_all
    from helio_burst.sweep import record

__version__ = "0.1.0"

# Each public name and the room it comes from; imported on first use, so that `import helio_burst` is quick.
_NAMES = {
    "attach": "burst",
    "estimate": "burst",
    "list_clusters": "cluster",
    "map_files": "burst",
    "map_partitions": "burst",
    "open_catalog": "catalog",
    "open_cluster": "cluster",
    "open_registry": "catalog",
    "partitions": "burst",
    "record": "sweep",
    "stop_all": "cluster",
}
_ROOMS = (
    "burst",
    "catalog",
    "cluster",
    "demo",
    "errors",
    "plot",
    "readers",
    "science",
    "season",
    "storage",
    "timespan",
)

__all__ = [
    "attach",
    "burst",
    "catalog",
    "cluster",
    "demo",
    "errors",
    "estimate",
    "list_clusters",
    "map_files",
    "map_partitions",
    "open_catalog",
    "open_cluster",
    "open_registry",
    "partitions",
    "plot",
    "readers",
    "record",
    "science",
    "season",
    "stop_all",
    "storage",
    "timespan",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"helio_burst.{_NAMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"helio_burst.{name}")
    raise AttributeError(f"module 'helio_burst' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
