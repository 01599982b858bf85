"""Bytes by URL: s3, https, file, memory and data. The only room that talks to object stores, HTTP and disks.

Whole objects are read with obstore (benchmarks/storage.py has the numbers), which retries, resumes and lists
the same way for every scheme; `filesystem` gives xarray and zarr the fsspec file system that they expect.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote, unquote_to_bytes

import obstore
from obstore import exceptions as obstore_errors
from obstore.store import ObjectStore

from helio_burst.errors import InputError, MissingObjectError, StorageError
from helio_burst.storage import _stores
from helio_burst.storage._failures import LIBRARY_ERRORS, explain, is_elsewhere, is_missing
from helio_burst.storage._options import StorageOptions, default_options, use
from helio_burst.storage._stores import absolute, filesystem, local_path

if TYPE_CHECKING:
    from obstore import ObjectMeta

__all__ = [
    "UNKNOWN",
    "ObjectInfo",
    "StorageOptions",
    "absolute",
    "default_options",
    "delete",
    "exists",
    "filesystem",
    "info",
    "join",
    "list_objects",
    "local_path",
    "read",
    "read_buffer",
    "read_with_info",
    "request",
    "use",
    "write",
]

T = TypeVar("T")
# What the library puts where a server tells no time.
UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ObjectInfo:
    """What the store says of an object: its bytes, ETag, and modification, UTC.

    Web servers may tell neither of the last two: the ETag is None then, and the time `UNKNOWN`.
    """

    url: str
    size: int
    etag: str | None
    modified: datetime


def read(url: str, options: StorageOptions | None = None) -> bytes:
    """Read a whole object.

    Server errors, time-outs and broken connections are retried with growing pauses, and a body that breaks
    off is resumed where it broke; a part of an object is never returned.

    Parameters
    ----------
    url : str
        s3://bucket/key with the key as it is, not percent-encoded; https://, http:// or file:// as in a
        browser; memory:// (of this process); data:; or a path.
    options : StorageOptions, optional
        Those of `use`, or of the environment, if not given.

    Raises
    ------
    MissingObjectError, AccessDeniedError, TransientStorageError, StorageError
        By cause; the message names the URL and what to do.

    Examples
    --------
    >>> read("data:,2015-09-01")
    b'2015-09-01'
    """
    return bytes(read_buffer(url, options))


def read_buffer(url: str, options: StorageOptions | None = None) -> memoryview:
    """Read a whole object as `read` does, and leave it in the memory that it was received in.

    The copy of a large object can cost more than its receipt, since each buffer of that size is new memory
    of the system (benchmarks/storage.py). Readers that take any buffer have the attribute ``takes_buffers``.

    Returns
    -------
    memoryview
        Of bytes, read-only.
    """
    return read_with_info(url, options)[0]


def read_with_info(url: str, options: StorageOptions | None = None) -> tuple[memoryview, ObjectInfo]:
    """Read a whole object as `read_buffer` does, and say what the same answer told of it.

    This is how to know the ETag of exactly these bytes: asking with `info` is one more request, and the
    object may change between the two.
    """
    if url.startswith("data:"):
        data = _read_data_url(url)
        return memoryview(data), ObjectInfo(url, len(data), None, UNKNOWN)

    def receive(store: ObjectStore, path: str) -> tuple[memoryview, ObjectInfo]:
        answer = obstore.get(store, path)
        return memoryview(answer.bytes()), _told(url, answer.meta)

    return _request("read", url, options, receive)


def request(url: str, options: StorageOptions | None = None) -> None:
    """Ask for an object as `read` does, and take none of it: to learn whether it can be had.

    A GET, and no HEAD: signed URLs allow nothing else, and only its answer says why S3 refuses.

    Raises
    ------
    StorageError
        What `read` would raise.
    """
    _request("read", url, options, obstore.get)


def write(url: str, data: bytes, options: StorageOptions | None = None, *, if_absent: bool = False) -> None:
    """Write a whole object; readers see all of it or none, also when the disk is full or the writer dies.

    Raises
    ------
    FileExistsError
        With `if_absent`, when there is an object already.
    StorageError
        By cause, as in `read`.
    """
    mode: Literal["create", "overwrite"] = "create" if if_absent else "overwrite"
    try:
        _request("write", url, options, lambda store, path: obstore.put(store, path, data, mode=mode))
    except StorageError as error:
        if isinstance(error.__cause__, obstore_errors.AlreadyExistsError):
            raise FileExistsError(f"{url} exists already.") from error
        raise


def info(url: str, options: StorageOptions | None = None) -> ObjectInfo:
    """Return size, ETag and modification time of an object."""
    return _told(url, _request("look up", url, options, obstore.head))


def exists(url: str, options: StorageOptions | None = None) -> bool:
    """Say whether there is an object at the URL."""
    try:
        info(url, options)
    except MissingObjectError:
        return False
    return True


def list_objects(prefix: str, options: StorageOptions | None = None) -> Iterator[ObjectInfo]:
    """List the objects below a folder's URL, in no particular order; a folder that is not there has none."""

    def first_page(store: ObjectStore, path: str) -> tuple[list[Any], Iterator[Any], str]:
        root = path.rstrip("/")
        pages = iter(obstore.list(store, root or None))
        return list(next(pages, [])), pages, root

    base = prefix.rstrip("/")
    try:
        page, pages, root = _request("list", prefix, options, first_page)
        while page:
            for meta in page:
                rest = meta["path"][len(root) :].lstrip("/")
                yield _told(f"{base}/{quote(rest) if base.startswith('file:') else rest}", meta)
            page = list(next(pages, []))
    except MissingObjectError:
        return
    except LIBRARY_ERRORS as error:
        raise explain(error, "list", prefix) from error


def _told(url: str, meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(url, meta["size"], meta["e_tag"], meta["last_modified"])


def delete(url: str, options: StorageOptions | None = None) -> None:
    """Remove an object; one that is not there is no error."""

    def remove(store: ObjectStore, path: str) -> None:
        try:
            obstore.delete(store, path)
        except LIBRARY_ERRORS as error:
            if not is_missing(error):
                raise

    _request("delete", url, options, remove)


def join(base: str, *parts: str) -> str:
    """Join a folder's URL and the parts below it with single slashes.

    Examples
    --------
    >>> join("s3://bucket/jobs/", "irradiance", "part-0.parquet")
    's3://bucket/jobs/irradiance/part-0.parquet'
    """
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def _request(verb: str, url: str, options: StorageOptions | None, call: Callable[[ObjectStore, str], T]) -> T:
    """Make a request; where S3 says that the bucket lives in another region, make it again there."""
    options = options or default_options()
    try:
        try:
            return call(*_stores.open_store(url, options))
        except LIBRARY_ERRORS as error:
            if not (is_elsewhere(error) and _stores.moved(url, options)):
                raise
        return call(*_stores.open_store(url, options))
    except InputError:
        raise
    except LIBRARY_ERRORS as error:
        raise explain(error, verb, url) from error


def _read_data_url(url: str) -> bytes:
    header, comma, payload = url[len("data:") :].partition(",")
    try:
        if not comma:
            raise ValueError("it has no comma before its data")
        if header.endswith(";base64"):
            return base64.b64decode(payload, validate=True)
        return unquote_to_bytes(payload)
    except (binascii.Error, ValueError) as error:
        raise StorageError(f"{url[:60]!r} is not a data URL: {error}.") from error
