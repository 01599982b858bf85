"""Registry -> catalog -> list of files, after the CloudCatalog specification; lint, and a writer."""

from helio_burst.catalog.catalog import Catalog, open_catalog
from helio_burst.catalog.document import Entry
from helio_burst.catalog.registry import Registry, open_registry

__all__ = ["Catalog", "Entry", "Registry", "open_catalog", "open_registry"]
