"""The registry: which catalogs there are."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from html import escape

import pandas as pd

from helio_burst.catalog import cache
from helio_burst.catalog.catalog import Catalog, open_catalog
from helio_burst.catalog.findings import report
from helio_burst.catalog.registry_document import Listing, read_registry
from helio_burst.errors import CatalogError, CatalogWarning, InputError, StorageError, nearest
from helio_burst.storage import StorageOptions

DEFAULT_URL = "http://heliocloud.org/catalog/HelioDataRegistry.json"
ENVIRONMENT = "ROOT_CATALOG_REGISTRY_URL"


def open_registry(
    url: str | None = None, *, options: StorageOptions | None = None, strict: bool = False
) -> Registry:
    """Open the registry of catalogs.

    Parameters
    ----------
    url : str, optional
        https, s3 or file URL, or a path. Default: ROOT_CATALOG_REGISTRY_URL of the environment, else that
        of HelioCloud.
    options : StorageOptions, optional
        How to reach it and its catalogs.
    strict : bool
        Raise where something is not as the specification says, instead of warning.

    Raises
    ------
    CatalogError
        It is no registry.
    StorageError
        It cannot be read.
    """
    url = url or os.environ.get(ENVIRONMENT) or DEFAULT_URL
    try:
        data = cache.read(url, options)
    except StorageError as error:
        raise type(error)(
            f"The registry cannot be reached. {error} Give another url, set {ENVIRONMENT}, "
            "or open a catalog by its endpoint with open_catalog."
        ) from error
    listings, findings = read_registry(url, data)
    report(findings, strict=strict)
    return Registry(url, listings, options=options, strict=strict)


class Registry:
    """The catalogs of a registry, made by `open_registry`; iterating opens them one by one.

    Attributes
    ----------
    url : str
    """

    def __init__(
        self,
        url: str,
        listings: tuple[Listing, ...],
        *,
        options: StorageOptions | None = None,
        strict: bool = False,
    ) -> None:
        self.url = url
        self._listings = listings
        self._options = options
        self._strict = strict

    @property
    def table(self) -> pd.DataFrame:
        """The catalogs, one a row: name, endpoint, region, provider."""
        return pd.DataFrame(self._listings, columns=list(Listing._fields))

    def open_catalog(self, name: str) -> Catalog:
        """Open a catalog by its name or its endpoint.

        Raises
        ------
        InputError
            There is none, or there are several of this name; the message says which.
        """
        at = [listing for listing in self._listings if listing.endpoint.rstrip("/") == name.rstrip("/")]
        named = at or [listing for listing in self._listings if listing.name == name]
        if not named:
            known = [listing.name for listing in self._listings]
            raise InputError(
                f"The registry {self.url} has no catalog of name or endpoint {name!r}. "
                f"{nearest(name, known)} Any other catalog is opened with open_catalog(endpoint)."
            )
        if len(named) > 1:
            raise InputError(
                f"The registry {self.url} has {len(named)} catalogs of the name {name!r}; open one by its "
                f"endpoint: {', '.join(listing.endpoint for listing in named)}."
            )
        return open_catalog(named[0].endpoint, options=self._options, strict=self._strict)

    def __iter__(self) -> Iterator[Catalog]:
        """Open one catalog after the other; one that cannot be opened is left out with a warning."""
        for listing in self._listings:
            try:
                yield open_catalog(listing.endpoint, options=self._options, strict=self._strict)
            except (StorageError, CatalogError) as error:
                if self._strict:
                    raise
                warnings.warn(f"Left out {listing.name}: {error}", CatalogWarning, stacklevel=2)

    def __len__(self) -> int:
        return len(self._listings)

    def __repr__(self) -> str:
        return f"<Registry {self.url}: {len(self)} catalogs>"

    def _repr_html_(self) -> str:
        shown = self.table.to_html(index=False, border=0)
        return f"<p><strong>Registry</strong> {escape(self.url)}, {len(self)} catalogs</p>{shown}"
