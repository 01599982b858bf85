"""A scheduler that somebody else runs; it is used and never shut down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distributed import Client

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
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"What listens at {address} does not answer as a Dask scheduler within {CONNECT_SECONDS} s. "
            "Is the protocol (tcp or tls) right, and are Dask's TLS files configured?"
        ) from error
    return Cluster(client=client, target=target, dashboard=client.dashboard_link)


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
