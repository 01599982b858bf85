"""Registries of catalogs, catalogs of data sets, and the lists of their files (the CloudCatalog specification)."""

from helio_burst.catalog.catalog import Catalog, open_catalog
from helio_burst.catalog.document import Entry
from helio_burst.catalog.registry import Registry, open_registry

__all__ = ["Catalog", "Entry", "Registry", "open_catalog", "open_registry"]
