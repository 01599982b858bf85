"""What went wrong in a request: the library's errors, sorted by cause and told in the package's words."""

from __future__ import annotations

import errno
import re

from obstore import exceptions as obstore_errors

from helio_burst.errors import AccessDeniedError, MissingObjectError, StorageError, TransientStorageError

LIBRARY_ERRORS = (obstore_errors.BaseError, OSError, ValueError)

_DENIED = (obstore_errors.PermissionDeniedError, obstore_errors.UnauthenticatedError, PermissionError)

# obstore tells these causes in words only. Its words are matched, not the URL, which may hold any number.
_STATUS = re.compile(r"status code: (\d{3})")
_BROKEN = re.compile(
    r"HTTP error: |error sending request|error decoding response body|timed out|connection (?:reset|closed)"
    # A body broke off, and the server could not resume it.
    r"|Content-Range header not present|Range request not supported",
    re.IGNORECASE,
)
_PERFORMED = re.compile(r"^.*?Error performing [A-Z]+ \S+ in \S+?(?:, after .*?)?\s+- ")
_OS_ERROR = re.compile(r"os error (\d+)")


def is_missing(error: Exception) -> bool:
    """Say whether there is no such object."""
    return isinstance(error, (obstore_errors.NotFoundError, FileNotFoundError))


def is_elsewhere(error: Exception) -> bool:
    """Say whether S3 refused because the bucket lives in another region."""
    text = str(error)
    return "incorrectly configured region" in text or "AuthorizationHeaderMalformed" in text


def explain(error: Exception, verb: str, url: str) -> StorageError:
    """Return the package's error for a library's, by cause."""
    if isinstance(error, StorageError):
        return error
    failed = f"Could not {verb} {url}"
    reason = _reason(error)
    number = _OS_ERROR.search(str(error))
    system = int(number[1]) if number else None
    if is_missing(error):
        return MissingObjectError(f"{failed}: there is no such object.")
    if isinstance(error, _DENIED) or system in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessDeniedError(f"{failed}: access denied. {_permission(url)}")
    if is_elsewhere(error):
        return StorageError(
            f"{failed}: the bucket lives in another region, which it does not tell. "
            "Set it with StorageOptions(region=...) or HELIO_BURST_STORAGE_REGION."
        )
    if system in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(f"{failed}: the disk is full, or its quota. Nothing was written. ({reason})")
    if _passes(str(error), url):
        return TransientStorageError(f"{failed} after the retries: {reason}. Trying again later may help.")
    return StorageError(f"{failed}: {reason}")


def _passes(text: str, url: str) -> bool:
    """Say whether trying again later may help: a server error, too many requests, a broken connection."""
    if status := _STATUS.search(text):
        # 501: the server does not know the request, and will not later.
        return (status[1].startswith("5") and status[1] != "501") or status[1] in ("408", "429")
    return bool(_BROKEN.search(text.replace(url, "").replace(url.rpartition("/")[2], "")))


def _permission(url: str) -> str:
    if url.startswith("s3://"):
        return (
            "Check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID) and what they may do, "
            "or set HELIO_BURST_STORAGE_ANONYMOUS=true for a public bucket, "
            "or HELIO_BURST_STORAGE_REQUESTER_PAYS=true if the reader pays."
        )
    if url.startswith("http"):
        return "The server wants a login, or does not publish this address."
    return "Check the owner and the mode of the file and of its folder."


def _reason(error: Exception) -> str:
    """Return what is for users in a library's message: its first line, without the request's own figures."""
    text = str(error).strip()
    return _PERFORMED.sub("", text.splitlines()[0])[:300].rstrip(". ") if text else type(error).__name__
