"""A scheduler that somebody else runs; it is used and never shut down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask
from distributed import Client
from distributed.security import Security

from helio_burst.cluster import preflight
from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.request import Request
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError, InputError

CONNECT_SECONDS = 15


def connect_running(request: Request, target: Target) -> Cluster:
    """Connect to the scheduler at an address or of a scheduler file; TLS is as Dask's configuration says."""
    settings: dict[str, Any] = {
        "workers": request.workers,
        "cores": request.cores,
        "memory": request.memory,
        "environment": request.environment,
        "image": request.image,
        "idle": request.idle,
        **request.options,
    }
    refused = [name for name, value in settings.items() if value]
    if refused:
        raise InputError(
            f"The scheduler at {target.address} runs already; {', '.join(refused)} cannot be chosen here."
        )
    address = scheduler_address(target)
    preflight.check_port(address, f"No Dask scheduler at {address}")
    security = _security(address)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, security=security)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"What listens at {address} does not answer as a Dask scheduler "
            f"(waited at most {CONNECT_SECONDS} s): {preflight.root_cause(error)}. "
            "Is the protocol (tcp or tls) right, and does the certificate belong to this scheduler?"
        ) from error
    return Cluster(client=client, target=target, dashboard=client.dashboard_link)


def _security(address: str) -> Security:
    """Return what Dask's configuration says of TLS, which a ``tls://`` address needs."""
    security = Security()
    try:
        context = security.get_connection_args("client").get("ssl_context")
    except OSError as error:  # no such file, or no certificate in it
        raise ClusterError(
            f"The TLS files of Dask's configuration cannot be used: {error}. {_tls_files()}"
        ) from error
    if context is None and address.startswith(("tls://", "wss://")):
        raise ClusterError(f"{address} needs a certificate, and none is configured. {_tls_files()}")
    return security


def _tls_files() -> str:
    """Say which files Dask's configuration names, and how to name others."""
    names = ("ca-file", "client.cert", "client.key")
    found = {name: dask.config.get(f"distributed.comm.tls.{name}") for name in names}
    return (
        "Set all three of distributed.comm.tls: "
        + ", ".join(f"{name} (now {value})" for name, value in found.items())
        + ", or DASK_DISTRIBUTED__COMM__TLS__CA_FILE and so on."
    )


def scheduler_address(target: Target) -> str:
    """Return the address that a target gives, or that its scheduler file names."""
    assert target.address is not None
    file = Path(target.address)
    if not file.is_file():
        return target.address
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no scheduler file of Dask: it names no address.") from error
