"""Which registry and catalog a command or a job means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helio_burst.catalog import Catalog, Registry


def open_registry(registry: str | None) -> Registry:
    """Open a registry by its address; "demo" is a small synthetic one, in a process beside this one."""
    if registry == "demo":
        from helio_burst import demo

        return demo.open_registry()
    from helio_burst import catalog

    return catalog.open_registry(registry)


def open_catalog(name: str, registry: str | None) -> Catalog:
    """Open a catalog by its endpoint, for which no registry is read, or by its name in a registry."""
    if registry is None and ("://" in name or name.startswith(("/", ".", "~")) or Path(name).exists()):
        from helio_burst import catalog

        return catalog.open_catalog(name)
    return open_registry(registry).open_catalog(name)
