"""Local copies of remote registries, catalogs and index files, used while the remote ones stay the same."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import platformdirs

from helio_burst import storage
from helio_burst.errors import AccessDeniedError, MissingObjectError, StorageError, TransientStorageError
from helio_burst.storage import ObjectInfo, StorageOptions

ENVIRONMENT = "HELIO_BURST_CACHE"
_OFF = ("off", "0", "no", "none", "false", "")
# Seconds after which a copy of an earlier state is taken to be read by nobody any more.
_UNUSED = 3600.0
_REMOTE = ("s3", "http", "https")


def folder() -> Path | None:
    """Return the folder of the copies: HELIO_BURST_CACHE or the user's cache folder; None if it is "off"."""
    given = os.environ.get(ENVIRONMENT)
    if given is None:
        return platformdirs.user_cache_path("helio_burst") / "catalog"
    return None if given.strip().lower() in _OFF else Path(given).expanduser()


def clear() -> None:
    """Remove all copies."""
    root = folder()
    if root is not None:
        shutil.rmtree(root, ignore_errors=True)


def read(url: str, options: StorageOptions | None = None) -> bytes:
    """Read a file, from its copy if the remote one has not changed."""
    source = local(url, options)
    return source if isinstance(source, bytes) else source.read_bytes()


def local(url: str, options: StorageOptions | None = None) -> Path | bytes:
    """Return a local file of the same content, or the content where there is no such file.

    A remote file is looked up (ETag, else time of modification and size) each time, and read only if it has
    changed since it was copied.

    Raises
    ------
    MissingObjectError, AccessDeniedError, StorageError
        As `storage.read` raises them.
    """
    scheme = urlsplit(url).scheme if "://" in url else "file"
    if scheme == "file":
        return _path(url)
    root = folder()
    if scheme not in _REMOTE or root is None:
        return storage.read(url, options)
    try:
        info = storage.info(url, options)
    except (AccessDeniedError, TransientStorageError):
        raise
    except StorageError:
        if scheme == "s3":
            raise
        # Some web servers answer GET but not HEAD, and say so as if the file were missing.
        return storage.read(url, options)
    copy = _place(root, info)
    if _in_use(copy):
        return copy
    data = storage.read(url, options)
    if len(data) != info.size or _mark(storage.info(url, options)) != _mark(info):
        return data  # It changed meanwhile; the next reader copies it.
    _keep(copy, data)
    return copy if copy.is_file() else data


def _path(url: str) -> Path:
    path = Path(unquote(urlsplit(url).path) if url.startswith("file://") else url).expanduser()
    if not path.is_file():
        raise MissingObjectError(f"Could not read {path}: there is no such file.")
    return path


def _mark(info: ObjectInfo) -> str:
    return info.etag or f"{info.modified.isoformat()} {info.size}"


def _place(root: Path, info: ObjectInfo) -> Path:
    """Return where a copy of this state of the file is: the name says the state, so no copy can be stale."""
    of_url = hashlib.sha256(info.url.encode()).hexdigest()[:32]
    of_state = hashlib.sha256(_mark(info).encode()).hexdigest()[:32]
    return root / of_url / of_state


def _keep(copy: Path, data: bytes) -> None:
    """Write a copy whole or not at all, whoever else writes it; copies of earlier states go."""
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=copy.parent, prefix=".new-", delete=False) as opened:
            opened.write(data)
        Path(opened.name).replace(copy)
    except OSError:
        return  # A full disk or a read-only home is no reason not to answer.
    for old in copy.parent.iterdir():
        with contextlib.suppress(OSError):  # another process may be doing the same
            if old != copy and time.time() - old.stat().st_mtime > _UNUSED:
                old.unlink()


def _in_use(copy: Path) -> bool:
    """Mark a copy as used now, so that no other process removes it; False if there is none."""
    try:
        os.utime(copy)
    except FileNotFoundError:
        return False
    except OSError:
        return copy.is_file()  # a folder that may only be read
    return True
