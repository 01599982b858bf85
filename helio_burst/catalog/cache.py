"""Local copies of remote registries, catalogs and index files, used while the remote ones stay the same."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import platformdirs

from helio_burst import storage
from helio_burst.errors import AccessDeniedError, MissingObjectError, StorageError, TransientStorageError
from helio_burst.storage import ObjectInfo, StorageOptions

ENVIRONMENT = "HELIO_BURST_CACHE"
_OFF = ("off", "0", "no", "none", "false", "")
# Seconds after which a copy of an earlier state is taken to be read by nobody any more.
_UNUSED = 3600.0
_REMOTE = ("s3:", "http:", "https:")


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
    path = storage.local_path(url)
    if path is not None:
        if not path.is_file():
            raise MissingObjectError(f"Could not read {path}: there is no such file.")
        return path
    root = folder()
    if root is None or not url.lower().startswith(_REMOTE):
        return storage.read(url, options)
    try:
        known = _place(root, storage.info(url, options))
    except (AccessDeniedError, TransientStorageError):
        raise
    except StorageError:
        if url.lower().startswith("s3:"):
            raise
        # Some web servers answer GET but not HEAD, and say so as if the file were missing.
        return storage.read(url, options)
    if known is not None and _in_use(known):
        return known
    data, info = storage.read_with_info(url, options)
    copy = _place(root, info)
    if copy is None or not _keep(copy, data):
        return bytes(data)
    return copy


def _place(root: Path, info: ObjectInfo) -> Path | None:
    """Return where a copy of this state of the file is: the name says the state, so no copy can be stale.

    None where the server tells neither an ETag nor a time, so that no change could be seen.
    """
    if info.etag is None and info.modified == storage.UNKNOWN:
        return None
    mark = info.etag or f"{info.modified} {info.size}"
    of_url, of_state = (hashlib.sha256(text.encode()).hexdigest()[:32] for text in (info.url, mark))
    return root / of_url / of_state


def _keep(copy: Path, data: memoryview) -> bool:
    """Write a copy whole or not at all, whoever else writes it; copies of earlier states go."""
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=copy.parent, prefix=".new-", delete=False) as opened:
            opened.write(data)
        Path(opened.name).replace(copy)
    except OSError:
        return False  # A full disk or a read-only home is no reason not to answer.
    for old in copy.parent.iterdir():
        with contextlib.suppress(OSError):  # another process may be doing the same
            if old != copy and time.time() - old.stat().st_mtime > _UNUSED:
                old.unlink()
    return True


def _in_use(copy: Path) -> bool:
    """Mark a copy as used now, so that no other process removes it; False if there is none."""
    try:
        os.utime(copy)
    except FileNotFoundError:
        return False
    except OSError:
        return copy.is_file()  # a folder that may only be read
    return True
