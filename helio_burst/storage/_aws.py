"""What the usual AWS variables and files say: endpoint, region, credentials."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Any

from helio_burst.errors import AccessDeniedError, InputError
from helio_burst.storage._options import StorageOptions

DEFAULT_REGION = "us-east-1"


def environment() -> tuple[tuple[str, str], ...]:
    """Return the AWS variables that are set."""
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


def endpoint(options: StorageOptions) -> str | None:
    """Return the endpoint other than AWS, if there is one."""
    return (
        options.endpoint_url
        or os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
        or None
    )


def region(options: StorageOptions) -> str:
    """Return the region of the options, the environment or the profile."""
    named = options.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if named:
        return named
    if options.profile or os.environ.get("AWS_PROFILE"):
        session = _session(options.profile)
        return (session.region_name if session else None) or DEFAULT_REGION
    return DEFAULT_REGION


def credentials(options: StorageOptions) -> dict[str, Any]:
    """Return obstore's settings for signing: its own variables, boto3's chain of files and roles, or none."""
    if options.anonymous:
        return {"skip_signature": True}
    own = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if options.profile is None and any(os.environ.get(name) for name in own):
        return {}
    session = _session(options.profile)
    if session is not None and session.get_credentials() is not None:
        from obstore.auth.boto3 import Boto3CredentialProvider

        return {"credential_provider": Boto3CredentialProvider(session)}
    if options.anonymous is None and options.profile is None:
        return {"skip_signature": True}
    if session is None and options.profile is None:
        return {}  # obstore asks the machine for its role
    raise AccessDeniedError(
        f"No AWS credentials were found{f' in the profile {options.profile!r}' if options.profile else ''}. "
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials, "
        "or HELIO_BURST_STORAGE_ANONYMOUS=true for a public bucket."
    )


def _session(profile: str | None) -> Any | None:
    """Return a boto3 session, or None where boto3 is not installed and nobody asked for a profile."""
    wanted = profile or os.environ.get("AWS_PROFILE")
    try:
        import boto3
        from botocore.exceptions import ProfileNotFound
    except ImportError as error:
        if wanted:
            raise InputError(f"AWS profile {wanted!r} needs boto3: pip install 'helio-burst[s3]'.") from error
        return None
    try:
        return boto3.Session(profile_name=profile)
    except ProfileNotFound as error:
        files = "AWS_CONFIG_FILE or ~/.aws/config, AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials"
        raise InputError(f"There is no AWS profile {wanted!r} in {files}.") from error


def ask_region(endpoint: str | None, bucket: str, options: StorageOptions) -> str | None:
    """Return a bucket's region, which S3 tells anyone who asks, be it allowed to read or not."""
    server = endpoint or f"https://s3.{DEFAULT_REGION}.amazonaws.com"
    request = urllib.request.Request(f"{server}/{bucket}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=options.connect_timeout) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError:
        return None
    region: str | None = headers.get("x-amz-bucket-region")
    return region
