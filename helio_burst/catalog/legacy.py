"""The names of the older clients ``scregistry`` and ``cloudcatalog``, so that their notebooks run.

Change the import, ``from cloudcatalog import CloudCatalog`` to
``from helio_burst.catalog.legacy import CloudCatalog``, and later the calls:

====================================================  ====================================================
old                                                   new
====================================================  ====================================================
``CatalogRegistry(url).get_registry()``               ``open_registry(url).table``
``CatalogRegistry(url).get_endpoint(name)``           ``open_registry(url).open_catalog(name)``
``CloudCatalog(endpoint).get_entries_dict()``         ``open_catalog(endpoint).entries``
``CloudCatalog(endpoint).get_entry(id)``              ``open_catalog(endpoint).entry(id)``
``fr.request_cloud_catalog(id, start, stop)``         ``open_catalog(endpoint).file_list(id, start, stop)``
====================================================  ====================================================

What differs: no row is lost and no stop invented before version 0.5; quotes are taken off datakeys; files
that cross New Year are in; an unknown id, a missing catalog or one that is unavailable is an error that says
so. Times are UTC without a zone here, as old notebooks expect, and UTC with a zone in `Catalog.file_list`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from helio_burst.catalog import cache
from helio_burst.catalog.catalog import open_catalog
from helio_burst.catalog.entry import today
from helio_burst.catalog.json_document import parse_json
from helio_burst.catalog.registry import open_registry
from helio_burst.errors import InputError
from helio_burst.storage import StorageOptions
from helio_burst.timespan import TimeLike


class CatalogRegistry:
    """The registry under its old names; see `helio_burst.catalog.open_registry`."""

    def __init__(self, catalog_url: str | None = None) -> None:
        self._registry = open_registry(catalog_url)
        self.catalog_url = self._registry.url

    def get_catalog(self) -> dict[str, Any]:
        """Return the registry's JSON."""
        return parse_json(self.catalog_url, cache.read(self.catalog_url))[0]

    def get_registry(self) -> list[dict[str, Any]]:
        """Return the registry's lines."""
        registry: list[dict[str, Any]] = self.get_catalog()["registry"]
        return registry

    def get_entries(self) -> list[tuple[str, str]]:
        """Return name and region of each catalog."""
        return list(self._registry.table[["name", "region"]].itertuples(index=False, name=None))

    def get_endpoint(self, name: str, region_prefix: str = "", force_first: bool = False) -> str:
        """Return the endpoint of a catalog.

        Raises
        ------
        InputError
            There is none, or there are several.
        """
        table = self._registry.table
        found = table[(table["name"] == name) & table["region"].fillna("").str.startswith(region_prefix)]
        if found.empty or (len(found) > 1 and not force_first):
            known = ", ".join(found["endpoint"] if len(found) else table["name"].unique())
            raise InputError(f"There are {len(found)} catalogs of the name {name!r}. Known: {known}.")
        return str(found["endpoint"].iloc[0])


class CloudCatalog:
    """A catalog under its old names; see `helio_burst.catalog.open_catalog`.

    Parameters
    ----------
    bucket_name : str
        The endpoint; a bare bucket name is one of S3.
    cache, cache_folder
        Taken and not needed: copies are always kept, and checked before they are used.
    client_kwargs
        Of boto3's client: region_name and endpoint_url are used. Credentials come from the usual AWS
        environment and profiles.
    """

    def __init__(
        self, bucket_name: str, cache_folder: str | None = None, cache: bool = False, **client_kwargs: Any
    ) -> None:
        known = {"region_name": "region", "endpoint_url": "endpoint_url"}
        unknown = set(client_kwargs) - set(known)
        if unknown:
            raise InputError(
                f"{', '.join(sorted(unknown))} cannot be given here. Set AWS_PROFILE, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the environment."
            )
        options = StorageOptions(**{known[key]: value for key, value in client_kwargs.items()})
        local = "://" in bucket_name or bucket_name.startswith(("/", "."))
        self._options = options if client_kwargs else None
        self._catalog = open_catalog(bucket_name if local else f"s3://{bucket_name}", options=self._options)

    def get_entries_dict(self) -> list[dict[str, Any]]:
        """Return the entries as the JSON has them, in today's names."""
        url = self._catalog.url
        parsed, _ = parse_json(url, cache.read(url, self._options))
        return [today(raw) for raw in parsed["catalog"]]

    def get_entry(self, entry_id: str) -> dict[str, Any]:
        """Return one entry.

        Raises
        ------
        InputError
            There is none of this id.
        """
        entry = self._catalog.entry(entry_id)
        return next(raw for raw in self.get_entries_dict() if raw["id"] == entry.id)

    def request_cloud_catalog(
        self,
        catalog_id: str,
        start_date: TimeLike | None = None,
        stop_date: TimeLike | None = None,
        overwrite: bool = False,
    ) -> pd.DataFrame:
        """Return the file list: start, stop (UTC without zone), datakey, filesize."""
        files = self._catalog.file_list(catalog_id, start_date, stop_date)
        return files.assign(**{name: files[name].dt.tz_localize(None) for name in ("start", "stop")})

    request_file_registry = request_cloud_catalog


FileRegistry = CloudCatalog
