"""Files as bytes: fetched once, from a cache where there is one, and ahead of their use."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from helio_burst import storage
from helio_burst.burst.clients import shippable_options
from helio_burst.errors import InputError, MissingObjectError

_THREADS = 8


class Fetcher:
    """Fetches files by their datakeys, with the storage options of the process that made it.

    Parameters
    ----------
    datakeys : sequence of str
        All that may be fetched.
    cache : path or URL, optional
        A folder where files are kept by their names.

    Raises
    ------
    InputError
        With a cache, when two files have one name.
    """

    def __init__(self, datakeys: Sequence[str], cache: str | Path | None = None) -> None:
        self._cache = None if cache is None else storage.absolute(cache)
        if cache is not None:
            _check_names(datakeys)
        self._options = shippable_options()
        self._coming: dict[str, Future[memoryview]] = {}

    def __call__(self, datakey: str) -> memoryview:
        """Return a file's bytes.

        Raises
        ------
        StorageError
            By cause.
        """
        coming = self._coming.pop(datakey, None)
        return coming.result() if coming is not None else self._fetch(datakey)

    def ahead(self, datakeys: Iterable[str]) -> None:
        """Begin to fetch files that will be asked for soon."""
        for datakey in datakeys:
            if datakey not in self._coming:
                self._coming[datakey] = _fetchers().submit(self._fetch, datakey)

    def __getstate__(self) -> dict[str, Any]:
        """Leave what is on its way in this process."""
        return {**self.__dict__, "_coming": {}}

    def _fetch(self, datakey: str) -> memoryview:
        if self._cache is None:
            return storage.read_buffer(datakey, self._options)
        kept = storage.join(self._cache, file_name(datakey))
        try:
            return storage.read_buffer(kept, self._options)
        except MissingObjectError:
            data = storage.read(datakey, self._options)
            storage.write(kept, data, self._options)
            return memoryview(data)


def file_name(datakey: str) -> str:
    """Return the last part of a URL's path, or of a path."""
    return datakey.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]


@functools.cache
def _fetchers() -> ThreadPoolExecutor:
    """Return the process's threads for fetching ahead; they wait on the network and need no core."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="helio-burst-season")


def _check_names(datakeys: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for datakey in datakeys:
        other = first.setdefault(file_name(datakey), datakey)
        if other != datakey:
            raise InputError(
                f"A cache keeps files by their names, and {other} and {datakey} have the same. "
                "Leave cache= out, or give each part of the list a cache of its own."
            )
