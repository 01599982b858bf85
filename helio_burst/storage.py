"""Bytes by URL: s3, https, file and memory. The only module that talks to object stores, HTTP and disks."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import obstore
from obstore import exceptions as obstore_errors
from obstore.store import HTTPStore, LocalStore, MemoryStore, ObjectStore, S3Store
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from helio_burst.errors import (
    AccessDeniedError,
    InputError,
    MissingObjectError,
    StorageError,
    TransientStorageError,
)

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

SCHEMES = ("s3", "https", "http", "file", "memory", "data")


class StorageOptions(BaseSettings):
    """How to reach object stores; no secret is held here, so it may travel to the workers.

    Every field can be set in the environment as ``HELIO_BURST_STORAGE_<FIELD>``; endpoint, region, profile
    and credentials also come from the usual AWS variables and files.
    """

    model_config = SettingsConfigDict(env_prefix="HELIO_BURST_STORAGE_", extra="forbid", frozen=True)

    endpoint_url: str | None = Field(None, description="S3 endpoint other than AWS, as http(s)://host[:port]")
    region: str | None = Field(None, description="AWS region of the bucket")
    anonymous: bool | None = Field(None, description="None: anonymous where no credentials are found")
    profile: str | None = Field(None, description="profile of the AWS configuration files")
    requester_pays: bool = Field(False, description="accept to pay for requests and egress")
    timeout: float = Field(60.0, gt=0, description="seconds for one request")
    connect_timeout: float = Field(10.0, gt=0, description="seconds to connect")
    retries: int = Field(5, ge=0, description="repeats after a 5xx answer, a time-out or a broken connection")
    retry_timeout: float = Field(120.0, gt=0, description="seconds after which no repeat begins")


@dataclass(frozen=True)
class ObjectInfo:
    """What the store says of an object."""

    url: str
    size: int
    etag: str | None
    modified: datetime


_default: StorageOptions | None = None


def default_options() -> StorageOptions:
    """Return the options of this process: those of `use`, else of the environment."""
    return _default if _default is not None else StorageOptions()


def use(options: StorageOptions | None) -> None:
    """Set the options that this process uses where none are given; None returns to the environment's."""
    global _default
    _default = options


def read(url: str, options: StorageOptions | None = None) -> bytes:
    """Read a whole object.

    Raises
    ------
    MissingObjectError, AccessDeniedError, TransientStorageError, StorageError
        By cause; the message names the URL and what to do.
    """
    if url.startswith("data:"):
        return _read_data_url(url)
    store, path = _open(url, options)
    try:
        return obstore.get(store, path).bytes().to_bytes()
    except (obstore_errors.BaseError, OSError, ValueError) as error:
        raise _explain(error, "read", url) from error


def write(url: str, data: bytes, options: StorageOptions | None = None, *, if_absent: bool = False) -> None:
    """Write a whole object; readers see all of it or none.

    Raises
    ------
    FileExistsError
        With ``if_absent``, when there is an object already.
    StorageError
        By cause, as in `read`.
    """
    store, path = _open(url, options)
    mode: Literal["create", "overwrite"] = "create" if if_absent else "overwrite"
    try:
        obstore.put(store, path, data, mode=mode)
    except obstore_errors.AlreadyExistsError as error:
        raise FileExistsError(f"{url} exists already.") from error
    except (obstore_errors.BaseError, OSError, ValueError) as error:
        raise _explain(error, "write", url) from error


def info(url: str, options: StorageOptions | None = None) -> ObjectInfo:
    """Return size, ETag and modification time of an object."""
    store, path = _open(url, options)
    try:
        meta = obstore.head(store, path)
    except (obstore_errors.BaseError, OSError, ValueError) as error:
        raise _explain(error, "look up", url) from error
    return ObjectInfo(url, meta["size"], meta["e_tag"], meta["last_modified"])


def exists(url: str, options: StorageOptions | None = None) -> bool:
    """Say whether there is an object at the URL."""
    try:
        info(url, options)
    except MissingObjectError:
        return False
    return True


def list_objects(prefix: str, options: StorageOptions | None = None) -> Iterator[ObjectInfo]:
    """List the objects below a URL that ends at a folder, in no particular order."""
    store, path = _open(prefix, options)
    base = prefix.rstrip("/")
    root = path.rstrip("/")
    try:
        for chunk in obstore.list(store, root or None):
            for meta in chunk:
                rest = meta["path"][len(root) :].lstrip("/")
                yield ObjectInfo(f"{base}/{rest}", meta["size"], meta["e_tag"], meta["last_modified"])
    except (obstore_errors.BaseError, OSError, ValueError) as error:
        if isinstance(error, (obstore_errors.NotFoundError, FileNotFoundError)):
            return
        raise _explain(error, "list", prefix) from error


def delete(url: str, options: StorageOptions | None = None) -> None:
    """Remove an object; one that is not there is no error."""
    store, path = _open(url, options)
    try:
        obstore.delete(store, path)
    except (obstore_errors.NotFoundError, FileNotFoundError):
        return
    except (obstore_errors.BaseError, OSError, ValueError) as error:
        raise _explain(error, "delete", url) from error


def join(base: str, *parts: str) -> str:
    """Join a folder's URL and the parts below it with single slashes."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def _open(url: str, options: StorageOptions | None) -> tuple[ObjectStore, str]:
    """Return the process's one store for the URL's host or bucket, and the path in it."""
    if "://" not in url:
        return _store("file", "", default_options()), str(Path(url).expanduser().absolute()).lstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise InputError(f"{url!r} has the scheme {parts.scheme!r}; known are {', '.join(SCHEMES)}.")
    if parts.scheme == "file":
        return _store("file", "", default_options()), unquote(parts.path).lstrip("/")
    # S3 keys are taken as they are written; urlsplit would cut a key at "?" or "#".
    path = url.split("://", 1)[1].partition("/")[2] if parts.scheme in ("s3", "memory") else parts.path
    return _store(parts.scheme, parts.netloc, options or default_options()), path.lstrip("/")


@lru_cache(maxsize=256)
def _store(scheme: str, host: str, options: StorageOptions) -> ObjectStore:
    client: ClientConfig = {
        "timeout": timedelta(seconds=options.timeout),
        "connect_timeout": timedelta(seconds=options.connect_timeout),
    }
    retry: RetryConfig = {
        "max_retries": options.retries,
        "retry_timeout": timedelta(seconds=options.retry_timeout),
    }
    if scheme == "file":
        return LocalStore("/")
    if scheme == "memory":
        return MemoryStore()
    if scheme in ("http", "https"):
        client["allow_http"] = scheme == "http"
        return HTTPStore.from_url(f"{scheme}://{host}", client_options=client, retry_config=retry)
    return _s3_store(host, options, client, retry)


def _s3_store(bucket: str, options: StorageOptions, client: ClientConfig, retry: RetryConfig) -> S3Store:
    environ = os.environ
    endpoint = options.endpoint_url or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    config: dict[str, Any] = {
        "region": options.region
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or "us-east-1",
    }
    if endpoint:
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        client["allow_http"] = endpoint.startswith("http://")
    anonymous = options.anonymous
    if anonymous is None:
        anonymous = not any(
            environ.get(name)
            for name in (
                "AWS_ACCESS_KEY_ID",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            )
        )
    if anonymous:
        config["skip_signature"] = True
    if options.requester_pays:
        config["request_payer"] = True
    return S3Store(bucket, client_options=client, retry_config=retry, **config)


def _read_data_url(url: str) -> bytes:
    header, _, payload = url[len("data:") :].partition(",")
    try:
        return (
            base64.b64decode(payload, validate=True)
            if header.endswith(";base64")
            else unquote_to_bytes(payload)
        )
    except binascii.Error as error:
        raise StorageError(f"{url[:60]!r} is not a data URL: {error}.") from error


_TRANSIENT = ("timed out", "timeout", "connection", "500", "502", "503", "504", "reset")


def _explain(error: Exception, verb: str, url: str) -> StorageError:
    """Turn a library's error into ours, by cause."""
    text = str(error)
    reason = text.splitlines()[0][:300] if text else type(error).__name__
    if isinstance(error, (obstore_errors.NotFoundError, FileNotFoundError)):
        return MissingObjectError(f"Could not {verb} {url}: there is no such object.")
    if isinstance(
        error, (obstore_errors.PermissionDeniedError, obstore_errors.UnauthenticatedError, PermissionError)
    ):
        return AccessDeniedError(
            f"Could not {verb} {url}: access denied. Check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID), "
            "or set HELIO_BURST_STORAGE_ANONYMOUS=true for a public bucket, "
            "or HELIO_BURST_STORAGE_REQUESTER_PAYS=true if the reader pays."
        )
    lowered = text.lower()
    if any(
        sign in lowered
        for sign in ("timed out", "timeout", "connection", "500", "502", "503", "504", "reset")
    ):
        return TransientStorageError(f"Could not {verb} {url} after the retries: {reason}")
    return StorageError(f"Could not {verb} {url}: {reason}")
