"""Which kind of cluster a target names, and which is chosen where none is named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import dask

from helio_burst.errors import InputError, nearest

BATCH_SYSTEMS = ("slurm", "sge", "pbs")
NAMED = ("local", "gateway", "gateway-local", *BATCH_SYSTEMS)
VARIABLE = "HELIO_BURST_CLUSTER"


@dataclass(frozen=True)
class Target:
    """A kind of cluster, its address where it has one, and why it was chosen."""

    kind: str
    address: str | None = None
    why: str = "it was asked for"


def choose_target(target: str | os.PathLike[str] | None = None) -> Target:
    """Choose the kind of cluster.

    Parameters
    ----------
    target : str or path, optional
        As in `open_cluster`. None: the environment variable HELIO_BURST_CLUSTER, else the gateway of Dask's
        configuration (``gateway.address``, which a hub sets), else this machine.

    Raises
    ------
    InputError
        If the target is unknown; the message lists the known ones.
    """
    if target is not None:
        return _parse(os.fspath(target), "it was asked for")
    setting = os.environ.get(VARIABLE)
    if setting:
        return _parse(setting, f"{VARIABLE} is {setting!r}")
    address = configured_gateway()
    if address:
        return Target("gateway", address, "Dask's configuration names a gateway")
    return Target("local", why=f"neither {VARIABLE} nor a gateway is configured")


def configured_gateway() -> str | None:
    """Return the address of the gateway in Dask's configuration (DASK_GATEWAY__ADDRESS), if any."""
    address = dask.config.get("gateway.address", None)
    return str(address).format(**os.environ).rstrip("/") if address else None


def _parse(text: str, why: str) -> Target:
    scheme = urlsplit(text).scheme
    if text == "gateway":
        address = configured_gateway()
        if address is None:
            raise InputError(
                "No gateway is configured. Give its URL, as open_cluster('https://hub.example.org/services/"
                "dask-gateway'), or set DASK_GATEWAY__ADDRESS."
            )
        return Target("gateway", address, why)
    if text in NAMED:
        return Target(text, why=why)
    if scheme in ("http", "https"):
        return Target("gateway", text.rstrip("/"), why)
    if scheme in ("tcp", "tls", "ucx", "ws", "wss"):
        return Target("running", text, why)
    if text.endswith(".json") or Path(text).is_file():
        if not Path(text).is_file():
            raise InputError(f"There is no scheduler file {text!r}.")
        return Target("running", str(Path(text).absolute()), why)
    raise InputError(
        f"Unknown target {text!r}. Known are {', '.join(map(repr, NAMED))}, the URL of a gateway "
        "(https://...), the address of a running scheduler (tcp://..., tls://...) and a scheduler file "
        f"(*.json). {nearest(text, NAMED)}"
    )
