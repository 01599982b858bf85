"""A scheduler that somebody else runs; it is used and never shut down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distributed import Client

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
    assert target.address is not None
    where = (
        {"scheduler_file": target.address} if Path(target.address).is_file() else {"address": target.address}
    )
    try:
        client = Client(**where, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {target.address} within {CONNECT_SECONDS} s. Is it running, "
            "and is its protocol (tcp or tls) right?"
        ) from error
    return Cluster(client=client, target=target, dashboard=client.dashboard_link)
