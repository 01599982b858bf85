"""`open_cluster`: one call for every kind of cluster."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from helio_burst.cluster import batch, ending, gateway, local, one_machine, running, versions, view
from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.request import Request, check_request
from helio_burst.cluster.targets import Target, choose_target
from helio_burst.errors import ClusterError, InputError

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
    name: str | None = None,
    token: str | None = None,
    proxy_address: str | None = None,
    start_timeout: float | str = "10 min",
    options: Mapping[str, Any] | None = None,
) -> Cluster:
    """Open a cluster and wait until it can work; a context manager that yields a Dask client.

    The cluster ends with the ``with`` block, with `Cluster.close`, or with the process, also on an exception,
    Ctrl-C, SIGTERM and SIGHUP.

    Parameters
    ----------
    target : str or path, optional
        ``"local"``: processes on this machine. ``"gateway"`` or the URL of a Dask gateway.
        ``"gateway-local"``: a gateway on this machine, the same code path as in the cloud. ``"slurm"``,
        ``"sge"``, ``"pbs"``: jobs of a batch queue. ``"tcp://..."``, ``"tls://..."`` or a scheduler file: a
        running scheduler, which is never shut down. None: what the environment variable HELIO_BURST_CLUSTER
        says, else the gateway that Dask's configuration names (as on a hub), else this machine.
    workers : int or (int, int), optional
        A fixed number, or the bounds between which the number follows the work. None: all of this machine, or
        (1, 50) elsewhere.
    cores : int, optional
        Cores, and so threads, of a worker.
    memory : str or int, optional
        Memory of a worker, as ``"4 GiB"``.
    environment : mapping, optional
        Environment variables of the workers.
    image : str, optional
        Container image, where the gateway lets one choose it.
    idle : str or float, optional
        How long a cluster without work lives, as ``"30 min"`` or in seconds.
    detached : bool, optional
        Leave the cluster alive when it is closed, for a job that goes on without this session. It ends when
        it has been idle for a while, or by `stop_all`. Gateways only.
    name : str, optional
        Connect to this running cluster of the gateway (see `list_clusters`) instead of starting one; it is
        left alive.
    token : str, optional
        Token of the hub that the gateway belongs to; else JUPYTERHUB_API_TOKEN.
    proxy_address : str, optional
        Where the gateway's proxy for schedulers listens, as ``"host:port"``, if not at the gateway's address.
    start_timeout : str or float, optional
        How long to wait for the scheduler, and then for the first worker.
    options : mapping, optional
        Further options of the gateway, of dask-jobqueue (``queue``, ``account``, ``walltime``, ``interface``)
        or of `distributed.LocalCluster`.

    Returns
    -------
    Cluster
        Already open: use it in a ``with`` statement, or keep it in a notebook and call its ``close``.

    Raises
    ------
    InputError
        If an argument is wrong, or the gateway does not offer what is asked for.
    ClusterError
        If the cluster cannot be reached or does not start; the message says what to do.

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
    _check_combination(chosen, request, name=name, token=token, proxy_address=proxy_address)
    ending.heed_signals()  # from now on there is something to end
    cluster = _start(chosen, request, name=name, token=token, proxy_address=proxy_address)
    try:
        check_first_worker(cluster, request)
    except BaseException:
        cluster.close()
        raise
    _announce(cluster)
    return cluster


def _check_combination(chosen: Target, request: Request, **only_for_gateways: str | None) -> None:
    """Refuse arguments that a kind of cluster has no use for."""
    given = [argument for argument, value in only_for_gateways.items() if value is not None]
    if request.detached:
        given.append("detached")
    if given and chosen.kind != "gateway":
        raise InputError(f"{', '.join(given)}: only for clusters of a gateway, and this is {chosen.kind!r}.")
    if request.image is not None and chosen.kind == "local":
        raise InputError(f"image={request.image!r}: workers on this machine use its Python, no image.")


def _start(
    chosen: Target, request: Request, *, name: str | None, token: str | None, proxy_address: str | None
) -> Cluster:
    if chosen.kind == "local":
        return local.start_local(request, chosen)
    if chosen.kind == "running":
        return running.connect_running(request, chosen)
    if chosen.kind in batch.CLASSES:
        return batch.start_batch(request, chosen)
    if chosen.kind == "gateway-local":
        return _start_with_own_gateway(chosen, request)
    return gateway.start_gateway(request, chosen, token=token, proxy_address=proxy_address, name=name)


def _start_with_own_gateway(chosen: Target, request: Request) -> Cluster:
    """Start a gateway on this machine for one cluster; it ends with it."""
    from dask_gateway.auth import BasicAuth

    server = one_machine.LocalGateway()
    server.start()
    try:
        here = Target(chosen.kind, server.address, chosen.why)
        cluster = gateway.start_gateway(request, here, auth=BasicAuth(server.user, server.password))
    except BaseException:
        server.stop()
        raise
    cluster.finally_(server.stop)
    return cluster


def check_first_worker(cluster: Cluster, request: Request) -> None:
    """Wait for the first worker, where there is to be one, and compare its packages with ours."""
    if cluster.target.kind == "local":
        return
    if cluster.bounds is not None and cluster.bounds[0] > 0:
        try:
            cluster.client.wait_for_workers(1, timeout=request.start_timeout)
        except TimeoutError as error:
            raise ClusterError(
                f"The scheduler of {cluster.name} runs, but no worker came within "
                f"{request.start_timeout:g} s. Is there room for workers of this size, and can "
                "their image be pulled? start_timeout= lets you wait longer."
            ) from error
        except OSError as error:
            raise ClusterError(
                f"Cluster {cluster.name} ended before its first worker came: {error}"
            ) from error
    versions.check_versions(cluster.client)
    if cluster.target.kind in ("gateway", "gateway-local"):
        cluster.count_use()


def _announce(cluster: Cluster) -> None:
    """Say what was opened and why; on the screen only where a person sits at a prompt."""
    words = [f"Cluster {cluster.name} ({cluster.target.kind}, since {cluster.target.why})", *cluster.notes]
    text = "; ".join([*words, f"dashboard: {cluster.dashboard}"] if cluster.dashboard else words)
    logger.info("%s", text)
    if view.in_notebook():
        print(text)  # a notebook shows what goes to stderr as if it were an error
    elif hasattr(sys, "ps1"):
        print(text, file=sys.stderr)
