"""A catalog: its entries, a search among them, and the list of an entry's files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from html import escape

import pandas as pd

from helio_burst import storage
from helio_burst.catalog import cache
from helio_burst.catalog.document import Document, locate, read_document
from helio_burst.catalog.entry import Entry
from helio_burst.catalog.files import list_files
from helio_burst.catalog.findings import report
from helio_burst.catalog.lint import lint
from helio_burst.catalog.search import search_entries
from helio_burst.errors import CatalogError, CatalogWarning, InputError, nearest
from helio_burst.storage import StorageOptions
from helio_burst.timespan import TimeLike

_UNAVAILABLE, _USER_PAYS, _OK = 1400, 1600, 1200


def open_catalog(endpoint: str, *, options: StorageOptions | None = None, strict: bool = False) -> Catalog:
    """Open the catalog at an endpoint.

    Parameters
    ----------
    endpoint : str
        Folder that holds ``catalog.json``, usually a bucket: s3, https or file URL, or a path. The URL of the
        JSON file itself, if it has another name, may be given too.
    options : StorageOptions, optional
        How to reach it, and later its index files.
    strict : bool
        Raise where the catalog or an index is not as the specification says, instead of warning.

    Raises
    ------
    CatalogError
        It is no catalog, or says that it is unavailable.
    StorageError
        It cannot be read.
    """
    url, folder = locate(endpoint)
    document = read_document(url, folder, cache.read(url, options))
    if document.status == _UNAVAILABLE:
        raise CatalogError(
            f"The catalog {document.name} at {folder} says that it is temporarily unavailable "
            f"(status {document.status}: {document.message or 'no message'}). Try again later, "
            f"or ask its contact: {document.more.get('contact', 'none is given')}."
        )
    if document.status == _USER_PAYS and not (options or storage.default_options()).requester_pays:
        warnings.warn(
            f"In the catalog {document.name} the reader pays for requests and egress (status 1600). "
            "Set requester_pays in the storage options to accept.",
            CatalogWarning,
            stacklevel=2,
        )
    report(document.findings, strict=strict)
    return Catalog(document, options=options, strict=strict)


class Catalog:
    """The data sets of one bucket, made by `open_catalog` or `Registry.open_catalog`.

    Attributes
    ----------
    endpoint, url, name : str
        Where it is, where its JSON is, and what it calls itself.
    version : str
        Version of the specification that it follows.
    """

    def __init__(
        self, document: Document, *, options: StorageOptions | None = None, strict: bool = False
    ) -> None:
        self._document = document
        self._options = options
        self._strict = strict
        self.endpoint = document.endpoint
        self.name = document.name
        self.url = document.url
        self.version = ".".join(map(str, document.version))

    @property
    def entries(self) -> pd.DataFrame:
        """The data sets, one a row: id, title, start, stop (UTC), filetype, indextype, index, and more."""
        return entries_table(self._document.entries)

    def entry(self, id: str) -> Entry:
        """Return one data set.

        Raises
        ------
        InputError
            There is none of this id; the message says the nearest ones.
        """
        found = [entry for entry in self._document.entries if entry.id == id]
        if not found:
            known = [entry.id for entry in self._document.entries]
            raise InputError(f"The catalog {self.name} has no entry {id!r}. {nearest(id, known)}")
        if len({entry.index for entry in found}) > 1:
            raise CatalogError(
                f"{self._document.url} has {len(found)} entries {id!r}, with the indexes "
                f"{', '.join(entry.index for entry in found)}. Each id must occur once."
            )
        return found[0]

    def search(
        self,
        text: str | None = None,
        *,
        id: str | None = None,
        title: str | None = None,
        keywords: str | Sequence[str] | None = None,
        start: TimeLike | None = None,
        stop: TimeLike | None = None,
        filetype: str | None = None,
    ) -> pd.DataFrame:
        """Find data sets; all that is given must be met.

        Parameters
        ----------
        text : str
            Words that all occur somewhere in the entry, in any order and case.
        id, title : str
            A part of it, or a pattern with ``*`` and ``?``.
        keywords : str or sequence of str
            Words of which at least one occurs; those with most hits come first.
        start, stop : time
            Range that the data overlap, [start, stop); either may be left out.
        filetype : str
            Such as "fits" or "cdf".

        Returns
        -------
        DataFrame
            Rows of `entries`.
        """
        found = search_entries(
            self._document.entries, text, id=id, title=title, keywords=keywords, start=start, stop=stop,
            filetype=filetype,
        )  # fmt: skip
        return entries_table(found)

    def file_list(self, id: str, start: TimeLike | None = None, stop: TimeLike | None = None) -> pd.DataFrame:
        """List the files of a data set that overlap [start, stop).

        Parameters
        ----------
        id : str
            Of the entry.
        start, stop : time, optional
            UTC. Without them, from the beginning or to the end of the data.

        Returns
        -------
        DataFrame
            Sorted by start, without duplicates; columns start, stop (datetime64[ns, UTC]; stop is NaT where
            the index has none, as before version 0.5), datakey (str, a URL), filesize (Int64, bytes), then
            the columns that the index has beside. ``attrs`` holds catalog, endpoint, id, title, start, stop,
            and citation, contact, about where the entry has them; a run takes them on into its results.

        Raises
        ------
        InputError
            There is no such entry, the range is empty, or it lies outside the data.
        CatalogError
            The entry or all its index files are not as the specification says.
        MissingObjectError, AccessDeniedError
            No index file of the range is there, or none may be read.
        """
        return list_files(
            self._document, self.entry(id), start, stop, options=self._options, strict=self._strict
        )

    def lint(self, *, indexes: bool = True) -> pd.DataFrame:
        """Check the catalog and its index files; see `lint`."""
        return lint(self._document.url, indexes=indexes, options=self._options)

    def __len__(self) -> int:
        return len(self._document.entries)

    def __repr__(self) -> str:
        return f"<Catalog {self.name!r} at {self.endpoint}: {len(self)} entries, version {self.version}>"

    def _repr_html_(self) -> str:
        shown = self.entries[["id", "title", "start", "stop", "filetype"]]
        return (
            f"<p><strong>{escape(self.name)}</strong><br>{escape(self.endpoint)}, {len(self)} entries, "
            f"version {escape(self.version)}</p>{shown.to_html(index=False, max_rows=20, border=0)}"
        )


def entries_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Put entries into a DataFrame."""
    rows = [
        {
            "id": entry.id,
            "title": entry.title,
            "start": entry.start,
            "stop": entry.stop,
            "filetype": ", ".join(entry.filetype),
            "indextype": entry.indextype,
            "index": entry.index,
            **entry.more,
        }
        for entry in entries
    ]
    first = ["id", "title", "start", "stop", "filetype", "indextype", "index"]
    table = pd.DataFrame(rows, columns=None if rows else first)
    for name in ("start", "stop"):
        table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[ns, UTC]")
    return table
