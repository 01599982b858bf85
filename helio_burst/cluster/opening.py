"""`open_cluster`: one call for every kind of cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.local import start_local
from helio_burst.cluster.request import check_request
from helio_burst.cluster.targets import choose_target

logger = logging.getLogger("helio_burst.cluster")


def open_cluster(
    target: str | os.PathLike[str] | None = None,
    workers: int | tuple[int, int] | None = None,
    *,
    cores: int | None = None,
    memory: int | str | None = None,
    environment: Mapping[str, object] | None = None,
    image: str | None = None,
    idle: float | str | None = None,
    detached: bool = False,
    start_timeout: float | str = "10 min",
    options: Mapping[str, Any] | None = None,
) -> Cluster:
    """Open a cluster and wait until it can work; a context manager that yields a Dask client.

    Examples
    --------
    >>> with open_cluster("local", workers=1) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """
    request = check_request(
        workers=workers,
        cores=cores,
        memory=memory,
        environment=environment,
        image=image,
        idle=idle,
        detached=detached,
        start_timeout=start_timeout,
        options=options,
    )
    chosen = choose_target(target)
    cluster = start_local(request, chosen)
    logger.info("Cluster %s (%s): %s.", cluster.name, chosen.kind, chosen.why)
    return cluster
