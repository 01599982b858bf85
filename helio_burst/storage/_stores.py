"""From a URL to the process's one client for its host or bucket."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from obstore.store import HTTPStore, LocalStore, MemoryStore, ObjectStore, S3Store

from helio_burst.errors import InputError, StorageError
from helio_burst.storage import _aws
from helio_burst.storage._options import StorageOptions, default_options

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

SCHEMES = ("s3", "https", "http", "file", "memory", "data")

# The region of each bucket that was found in another one than its options say, by endpoint and bucket.
_regions: dict[tuple[str | None, str], str] = {}


def open_store(url: str, options: StorageOptions) -> tuple[ObjectStore, str]:
    """Return the store of the URL's host or bucket, and the path in it."""
    scheme, host, path = _split(url)
    if scheme == "file":
        return _local(), path
    if scheme == "memory":
        return _memory(host), path
    _refuse_after_fork(url)
    if scheme == "s3":
        region = _regions.get((_aws.endpoint(options), host))
        return _s3(host, options, region, _aws.environment()), path
    if urlsplit(url).query:
        # The query is part of the address (a signed URL), which a path in a host's store cannot hold.
        return _http(url, options), ""
    return _http(f"{scheme}://{host}", options), path


def _split(url: str) -> tuple[str, str, str]:
    """Return scheme, host or bucket, and path of a URL."""
    if not url:
        raise InputError("The address is empty; write a URL or a path.")
    if "://" not in url:
        return "file", "", os.path.abspath(Path(url).expanduser()).lstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise InputError(f"{url!r} has the scheme {parts.scheme!r}; known are {', '.join(SCHEMES)}.")
    if parts.scheme in ("s3", "memory"):
        # Keys are taken as they are written; urlsplit would cut one at "?" or "#".
        bucket, _, key = url.partition("://")[2].partition("/")
        if not bucket:
            raise InputError(f"{url!r} names no bucket; write {parts.scheme}://bucket/key.")
        return parts.scheme, bucket, key.lstrip("/")
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise InputError(
            f"{url!r} is a file of the machine {parts.netloc!r}; write file:///folder/file, "
            "with three slashes, or the path alone."
        )
    return parts.scheme, parts.netloc, unquote(parts.path).lstrip("/")


def local_path(url: str) -> Path | None:
    """Return the absolute path that a path or a file URL names; None for what lies elsewhere.

    Examples
    --------
    >>> local_path("file:///data/a%20b.nc").as_posix()
    '/data/a b.nc'
    """
    scheme, _, path = _split(url)
    return Path("/", path) if scheme == "file" else None


def absolute(url: str | os.PathLike[str]) -> str:
    """Return an address that is right in any folder: a URL as it is, a path absolute."""
    text = os.fspath(url)
    return text if "://" in text or text.startswith("data:") else str(local_path(text))


@cache
def _local() -> ObjectStore:
    return LocalStore("/")


@lru_cache(maxsize=256)
def _memory(host: str) -> ObjectStore:
    return MemoryStore()


@lru_cache(maxsize=256)
def _http(base: str, options: StorageOptions) -> ObjectStore:
    client, retry = _client(options), _retry(options)
    client["allow_http"] = base.startswith("http://")
    return HTTPStore.from_url(base, client_options=client, retry_config=retry)


@lru_cache(maxsize=256)
def _s3(bucket: str, options: StorageOptions, region: str | None, environment: object) -> ObjectStore:
    """Make the store of a bucket; `environment` is there so that a changed one makes another store."""
    client, config = _client(options), _aws.credentials(options)
    endpoint = _aws.endpoint(options)
    if endpoint:
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        client["allow_http"] = endpoint.startswith("http://")
    if options.requester_pays:
        config["request_payer"] = True
    config["region"] = region or _aws.region(options)
    return S3Store(bucket, client_options=client, retry_config=_retry(options), **config)


def _client(options: StorageOptions) -> ClientConfig:
    return {
        # A time-out for the whole request would fail a large file on a slow line.
        "timeout": timedelta(hours=24),
        "read_timeout": timedelta(seconds=options.timeout),
        "connect_timeout": timedelta(seconds=options.connect_timeout),
    }


def _retry(options: StorageOptions) -> RetryConfig:
    return {"max_retries": options.retries, "retry_timeout": timedelta(seconds=options.retry_timeout)}


def moved(url: str, options: StorageOptions) -> bool:
    """Find out a bucket's region from S3, and say whether that is news."""
    scheme, bucket, _ = _split(url)
    if scheme != "s3":
        return False
    endpoint = _aws.endpoint(options)
    region = _aws.ask_region(endpoint, bucket, options)
    if region is None or region == _regions.get((endpoint, bucket), _aws.region(options)):
        return False
    _regions[endpoint, bucket] = region
    return True


def filesystem(url: str, options: StorageOptions | None = None) -> Any:
    """Return the fsspec file system for a URL, with the same options, as xarray and zarr take it.

    Parameters
    ----------
    url : str
        As for `read`; its scheme and bucket matter.
    options : StorageOptions, optional
        Those of `use`, or of the environment, if not given.

    Returns
    -------
    fsspec.AbstractFileSystem
        ``s3fs.S3FileSystem`` for s3.

    Raises
    ------
    InputError
        The scheme is unknown.

    Examples
    --------
    >>> filesystem("/tmp/cube.zarr").protocol[0]
    'file'
    """
    import fsspec

    options = options or default_options()
    scheme, _, _ = _split(url)
    if scheme != "s3":
        return fsspec.filesystem(scheme)
    signing = _aws.credentials(options)
    where = {"profile": options.profile, "endpoint_url": _aws.endpoint(options)}
    return fsspec.filesystem(
        "s3",
        anon=bool(signing.get("skip_signature")),
        **{name: value for name, value in where.items() if value},
        requester_pays=options.requester_pays,
        client_kwargs={"region_name": _aws.region(options)},
        config_kwargs={
            "connect_timeout": options.connect_timeout,
            "read_timeout": options.timeout,
            "retries": {"max_attempts": options.retries, "mode": "standard"},
        },
    )


_forked = False


def _after_fork() -> None:
    global _forked
    _forked = _forked or bool(_s3.cache_info().currsize or _http.cache_info().currsize)


os.register_at_fork(after_in_child=_after_fork)


def _refuse_after_fork(url: str) -> None:
    """Refuse what would wait for ever: the threads of the clients are not there in a forked process."""
    if _forked:
        raise StorageError(
            f"Could not open {url}: this process was forked from one that had used storage. "
            'Start processes with multiprocessing.get_context("spawn") or "forkserver", as Dask does.'
        )
