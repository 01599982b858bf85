"""What is done to each item: the function, the reader, their options and the rules for failures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from helio_burst.burst.combine import Combine
from helio_burst.burst.failures import DEFAULT_RETRIES
from helio_burst.burst.fingerprint import describe, fingerprint
from helio_burst.burst.items import Row
from helio_burst.storage import StorageOptions, read_with_info

Reader = Callable[[Any, Any], Any]


class Content(NamedTuple):
    """The bytes of an item, and the ETag that came with them."""

    data: bytes | memoryview = b""
    etag: str | None = None


@dataclass(frozen=True)
class Job:
    """One function over many items.

    Attributes
    ----------
    function : callable
        Called with what the reader made of the item, and the options.
    read : callable
        ``read(data, row)``; with an attribute ``fetches = False`` no bytes are fetched for it.
    combine : Combine, optional
        How results are merged on the workers.
    time_limit : float, optional
        Seconds for one item, after which it is a failure.
    """

    function: Callable[..., Any]
    read: Reader
    options: Mapping[str, Any] = field(default_factory=dict)
    combine: Combine | None = None
    retries: Mapping[type[BaseException], int] = field(default_factory=lambda: DEFAULT_RETRIES)
    time_limit: float | None = None
    storage: StorageOptions | None = None

    @property
    def fetches(self) -> bool:
        """Whether the bytes of an item are fetched before the reader is called."""
        return bool(self._of_reader("fetches", True))

    def fetch(self, datakey: str) -> Content:
        """Fetch an item's bytes, without copying them where the reader takes any buffer."""
        data, info = read_with_info(datakey, self.storage)
        return Content(data if self._of_reader("takes_buffers", False) else bytes(data), info.etag)

    def _of_reader(self, name: str, otherwise: bool) -> bool:
        target = self.read
        while hasattr(target, "func"):  # a partial
            target = target.func
        return bool(getattr(target, name, otherwise))

    @functools.cached_property
    def key(self) -> str:
        """The hash that tells one job from another: function, reader, options and merge."""
        return fingerprint(self.function, self.read, dict(self.options), self.combine)

    @property
    def name(self) -> str:
        """The function's name, for people."""
        return describe(self.function)

    def apply(self, data: bytes | memoryview, row: Row) -> Any:
        """Read one item and return the function's result."""
        return self.function(self.read(data, row), **self.options)
