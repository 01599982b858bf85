"""Registry -> catalog -> list of files, after the CloudCatalog specification; lint, and a writer."""

from helio_burst.catalog.catalog import Catalog, open_catalog
from helio_burst.catalog.entry import Entry
from helio_burst.catalog.lint import lint
from helio_burst.catalog.listing import list_bucket
from helio_burst.catalog.registry import Registry, open_registry
from helio_burst.catalog.writer import write_catalog

__all__ = [
    "Catalog",
    "Entry",
    "Registry",
    "lint",
    "list_bucket",
    "open_catalog",
    "open_registry",
    "write_catalog",
]
