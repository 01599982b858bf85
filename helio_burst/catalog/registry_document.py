"""Registry JSON of every version of the specification."""

from __future__ import annotations

from typing import NamedTuple

from helio_burst.catalog.findings import Finding
from helio_burst.catalog.json_document import Found, parse_json, version_of
from helio_burst.errors import CatalogError


class Listing(NamedTuple):
    """A catalog as a registry lists it."""

    name: str
    endpoint: str
    region: str | None
    provider: str


def read_registry(url: str, data: bytes) -> tuple[tuple[Listing, ...], list[Finding]]:
    """Read registry JSON of any version.

    Raises
    ------
    CatalogError
        It is not JSON, or has no list ``registry``.
    """
    parsed, lines = parse_json(url, data)
    found = Found(url, lines)
    version_of(parsed, found)
    listed = parsed.get("registry")
    if not isinstance(listed, list):
        raise CatalogError(
            f"{url} has no list 'registry'; it has the keys {', '.join(parsed) or 'none'}. Is it a registry?"
        )
    listings: dict[str, Listing] = {}
    for number, raw in enumerate(listed):
        path = ("registry", number)
        if not isinstance(raw, dict) or not raw.get("endpoint"):
            found.add("error", path, None, f"{raw!r} has no endpoint.", "Add it, or remove the line.")
            continue
        endpoint = str(raw["endpoint"])
        if endpoint in listings:
            found.add("warning", path, None, f"The endpoint {endpoint} occurs again.", "Remove one of them.")
            continue
        for key in ("name", "region"):
            if not raw.get(key):
                found.add("warning", path, None, f"{endpoint} has no {key}.", f"Add its {key}.")
        listings[endpoint] = Listing(
            str(raw.get("name") or endpoint), endpoint, raw.get("region"), str(raw.get("provider") or "aws")
        )
    return tuple(listings.values()), found.findings
