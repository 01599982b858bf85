"""The exceptions of the package, by whose fault they are.

A message says what failed, the value, what was available and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class HelioBurstError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(HelioBurstError, ValueError):
    """The request is wrong: an argument, a job file, a time range."""


class CatalogError(HelioBurstError):
    """A registry, a catalog or an index file is not what the specification says."""


class StorageError(HelioBurstError, OSError):
    """Bytes could not be read or written at a URL."""


class MissingObjectError(StorageError, FileNotFoundError):
    """There is no object at the URL."""


class AccessDeniedError(StorageError, PermissionError):
    """The storage refused the request: credentials, bucket policy or requester pays."""


class TransientStorageError(StorageError):
    """A time-out, a 5xx answer or a broken connection that outlasted the retries; trying again may help."""


class ReadError(HelioBurstError):
    """The bytes of a file are not what its reader expects."""


class ClusterError(HelioBurstError):
    """A cluster could not be reached, started or used."""


class BurstError(HelioBurstError):
    """A run ended before its work was done."""


class HelioBurstWarning(UserWarning):
    """Base of the package's warnings."""


class CatalogWarning(HelioBurstWarning):
    """Something in a catalog was wrong and has been read around."""


def nearest(value: object, known: Iterable[str], count: int = 5) -> str:
    """Say which known names are nearest to a wrong one, for an error message.

    Examples
    --------
    >>> nearest("aia_94", ["aia_0094", "aia_0131", "hmi"])
    'Nearest: aia_0094, aia_0131.'
    >>> nearest("x", [])
    'There are none.'
    """
    names = [str(name) for name in known]
    if not names:
        return "There are none."
    lowered = {name.lower(): name for name in names}
    close = [lowered[name] for name in get_close_matches(str(value).lower(), lowered, n=count, cutoff=0.4)]
    if close:
        return f"Nearest: {', '.join(close)}."
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return f"There are: {', '.join(names[:count])}{more}."
