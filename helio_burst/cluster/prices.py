"""What a cluster costs, by a table that anyone can edit."""

from __future__ import annotations

import functools
import os
from datetime import date
from pathlib import Path

import yaml
from distributed import Client
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from helio_burst.errors import InputError

_TABLE = Path(__file__).with_name("prices.yaml")


class Prices(BaseModel):
    """A price table, with the day it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: date
    currency: str = "USD"
    per_core_hour: float = Field(ge=0)
    per_thousand_reads: float = Field(0.0, ge=0)
    per_gigabyte_out: float = Field(0.0, ge=0)


def read_prices(path: str | Path | None = None) -> Prices:
    """Read a price table: the given file, else that of ``HELIO_BURST_PRICES``, else the package's own.

    Raises
    ------
    InputError
        The file is not there, or a field is wrong; the message names it.
    """
    return _read(Path(path or os.environ.get("HELIO_BURST_PRICES") or _TABLE))


@functools.lru_cache(maxsize=8)
def _read(path: Path) -> Prices:
    try:
        return Prices.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise InputError(f"The price table {path} cannot be used: {error}") from error


def hourly_price(client: Client, cores: int) -> float:
    """Return what some cores of a client's cluster cost an hour, in dollars.

    A cluster on this machine costs nothing, unless ``HELIO_BURST_PRICES`` names a table.
    """
    if is_here(client) and not os.environ.get("HELIO_BURST_PRICES"):
        return 0.0
    return cores * read_prices().per_core_hour


def is_here(client: Client) -> bool:
    """Say whether the cluster of a client is processes on this machine."""
    address = str(client.scheduler.address if client.scheduler is not None else "")
    return "127.0.0.1" in address or address.startswith("inproc")
