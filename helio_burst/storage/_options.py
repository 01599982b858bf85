"""How to reach object stores: given, of this process, or of the environment."""

from __future__ import annotations

import os
from functools import lru_cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StorageOptions(BaseSettings):
    """How to reach object stores; no secret is held here, so it may travel to the workers.

    Every field can be set in the environment as ``HELIO_BURST_STORAGE_<FIELD>``; endpoint, region, profile
    and credentials also come from the usual AWS variables and files.
    """

    model_config = SettingsConfigDict(env_prefix="HELIO_BURST_STORAGE_", extra="forbid", frozen=True)

    endpoint_url: str | None = Field(None, description="S3 endpoint other than AWS, as http(s)://host[:port]")
    region: str | None = Field(None, description="AWS region of the bucket, to begin with")
    anonymous: bool | None = Field(None, description="None: anonymous where no credentials are found")
    profile: str | None = Field(None, description="profile of the AWS configuration files")
    requester_pays: bool = Field(False, description="accept to pay for requests and egress")
    timeout: float = Field(60.0, gt=0, description="seconds without a byte until a request is repeated")
    connect_timeout: float = Field(10.0, gt=0, description="seconds to connect")
    retries: int = Field(5, ge=0, description="repeats after a 5xx answer, a time-out or a broken connection")
    retry_timeout: float = Field(120.0, gt=0, description="seconds after which no repeat begins")


_default: StorageOptions | None = None


def default_options() -> StorageOptions:
    """Return the options of this process: those of `use`, else of the environment."""
    if _default is not None:
        return _default
    ours = StorageOptions.model_config["env_prefix"]
    return _of_environment(tuple(item for item in os.environ.items() if item[0].startswith(ours)))


@lru_cache(maxsize=8)
def _of_environment(variables: tuple[tuple[str, str], ...]) -> StorageOptions:
    """Read the options anew only where the variables changed; validation is dear beside a small request."""
    return StorageOptions()


def use(options: StorageOptions | None) -> None:
    """Set the options that this process uses where none are given; None returns to the environment's."""
    global _default
    _default = options
