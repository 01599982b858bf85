"""A cluster of a Dask gateway: on a hub, from a laptop, or from the gateway on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import dask

from helio_burst.cluster import preflight
from helio_burst.cluster.deadline import within
from helio_burst.cluster.gateway_options import choose
from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.request import Request
from helio_burst.cluster.targets import Target
from helio_burst.errors import ClusterError

if TYPE_CHECKING:
    from dask_gateway import Gateway, GatewayCluster
    from dask_gateway.auth import GatewayAuth
    from dask_gateway.client import ClusterReport

logger = logging.getLogger("helio_burst.cluster")

CALL_SECONDS = 30.0
RECONNECT_SECONDS = 180.0
"""How long a client tries to come back when the gateway's proxy is gone, as when a chart is upgraded."""
T = TypeVar("T")


def start_gateway(
    request: Request,
    target: Target,
    *,
    token: str | None = None,
    auth: GatewayAuth | None = None,
    proxy_address: str | None = None,
    name: str | None = None,
) -> Cluster:
    """Have a gateway start a cluster, or connect to a running one by its name.

    Raises
    ------
    ClusterError, InputError
        Each step has its own deadline and its own message: address, token, options, proxy, start.
    """
    gateway = connect_gateway(target, token=token, auth=auth, proxy_address=proxy_address)
    try:
        if name is not None:
            preflight.check_proxy_port(gateway.proxy_address)
            report = ask(gateway, f"show cluster {name}", lambda: gateway.get_cluster(name))
            return _connect(gateway, report, request, target, ours=False)
        offered = ask(gateway, "tell its options", gateway.cluster_options)
        options = choose(offered, request, gateway.address)
        preflight.check_proxy_port(gateway.proxy_address)
        name = ask(gateway, "start a cluster", lambda: gateway.submit(**options))
        try:
            report = _wait_for_scheduler(gateway, name, request)
            return _connect(gateway, report, request, target, ours=True)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to be told
                within(CALL_SECONDS, lambda: gateway.stop_cluster(name))
            raise
    finally:
        close_gateway(gateway)


def close_gateway(gateway: Gateway) -> None:
    """Close Dask's object for a gateway."""
    gateway.close()
    _note_closed(gateway)


def _note_closed(gateway: Gateway) -> None:
    """Keep a closed gateway object from being closed again when Python drops it.

    Its __del__ would complain on the screen that the event loop has stopped; it leaves those alone that it
    takes for asynchronous.
    """
    gateway._asynchronous = True


def connect_gateway(
    target: Target,
    *,
    token: str | None = None,
    auth: GatewayAuth | None = None,
    proxy_address: str | None = None,
) -> Gateway:
    """Return Dask's object for a gateway that answers; nothing is asked of it yet."""
    try:
        from dask_gateway import Gateway
    except ImportError as error:
        raise ClusterError("dask-gateway is not installed: pip install 'helio-burst[gateway]'") from error
    assert target.address is not None
    version = preflight.check_gateway_address(target.address)
    logger.info("The gateway at %s has version %s", target.address, version)
    with _only_if_configured(target.address):
        return Gateway(
            target.address, proxy_address=proxy_address, auth=auth or _authentication(target.address, token)
        )


def _authentication(address: str, token: str | None) -> GatewayAuth | None:
    """Choose how to say who one is; None leaves it to Dask's configuration."""
    from dask_gateway.auth import JupyterHubAuth

    on_hub = address.endswith(preflight.SERVICE_PATH)
    configured = dask.config.get("gateway.auth.type", "basic") != "basic"
    if token is None and (configured or not on_hub):
        return None
    token = token or os.environ.get("JUPYTERHUB_API_TOKEN")
    if not token:
        raise ClusterError(
            f"The gateway at {address} belongs to a JupyterHub and needs a token. Make one on the hub's page "
            "/hub/token, and give it as open_cluster(..., token=...) or set JUPYTERHUB_API_TOKEN."
        )
    return JupyterHubAuth(api_token=token)


@contextlib.contextmanager
def _only_if_configured(address: str) -> Any:
    """Keep the proxy and the public address of the configured gateway from being taken for another's."""
    from helio_burst.cluster.targets import configured_gateway

    if address == configured_gateway():
        yield
    else:
        with dask.config.set({"gateway.proxy-address": None, "gateway.public-address": None}):
            yield


def ask(gateway: Gateway, what: str, action: Callable[[], T]) -> T:
    """Ask the gateway for something, and say in plain words why it refused."""
    from aiohttp import ClientError, ClientResponseError
    from dask_gateway import GatewayClusterError, GatewayServerError

    failed = f"The gateway at {gateway.address} did not {what}"
    try:
        return within(CALL_SECONDS, action)
    except TimeoutError as error:
        raise ClusterError(f"{failed}: {error}.") from error
    except ClientResponseError as error:
        raise ClusterError(f"{failed}: {_refusal(gateway, error.status, error.message)}") from error
    except GatewayServerError as error:
        if "Permission failure" in str(error):  # what the gateway says when the hub does not know the token
            raise ClusterError(
                f"{failed}: the hub does not accept the token; it is wrong, expired or revoked. Make a new "
                "one on the hub's page /hub/token, and give it as token=... or set JUPYTERHUB_API_TOKEN."
            ) from error
        raise ClusterError(f"{failed}: {error}") from error
    except (ValueError, GatewayClusterError, ClientError) as error:
        hint = " list_clusters() shows what runs, stop_all() ends it." if "limit" in str(error) else ""
        raise ClusterError(f"{failed}: {error}{hint}") from error


def _refusal(gateway: Gateway, status: int, message: str) -> str:
    hub = type(gateway.auth).__name__ == "JupyterHubAuth"
    if status == 401 and hub:
        return (
            "the token is valid on the hub but lacks the scope access:services!service=dask-gateway. Ask who "
            "runs the hub to give it to the roles 'user' and 'server', then make a new token."
        )
    if status == 401:
        return "user name or password are wrong (DASK_GATEWAY__AUTH__TYPE and its kwargs)."
    if status == 403:
        return f"{message}: it belongs to somebody else."
    return f"HTTP {status}, {message}."


def _wait_for_scheduler(gateway: Gateway, name: str, request: Request) -> ClusterReport:
    """Wait until the scheduler of a new cluster runs; return the gateway's report on it."""
    begin = time.monotonic()
    status = "PENDING"
    while True:
        left = request.start_timeout - (time.monotonic() - begin)
        with contextlib.suppress(TimeoutError):
            report = within(max(left, 0.1), lambda: gateway.get_cluster(name, wait=True))
            status = report.status.name
        if status == "RUNNING":
            return report
        if status in ("FAILED", "STOPPED", "STOPPING"):
            raise ClusterError(
                f"Cluster {name} of the gateway at {gateway.address} did not start: {status}. "
                f"{_start_hint(request)}"
            )
        if time.monotonic() - begin > request.start_timeout:
            raise ClusterError(
                f"Cluster {name} of the gateway at {gateway.address} has no scheduler after "
                f"{request.start_timeout:g} s: {status}. {_start_hint(request)}"
            )
        time.sleep(0.05)


def _start_hint(request: Request) -> str:
    image = f" Can the image {request.image!r} be pulled?" if request.image else ""
    return (
        f"Either its environment has no dask and helio_burst, or there is no room for it.{image} "
        "Who runs the gateway finds the reason in its log (kubectl get events, kubectl logs); "
        "start_timeout= lets you wait longer."
    )


def _connect(
    gateway: Gateway, report: ClusterReport, request: Request, target: Target, *, ours: bool
) -> Cluster:
    name = report.name
    if report.status.name != "RUNNING" or report.security is None:
        raise ClusterError(f"Cluster {name} is {report.status.name}; list_clusters() shows the running ones.")
    context = report.security.get_connection_args("client")["ssl_context"]
    preflight.check_proxy_route(gateway.proxy_address, name, context)
    dask_cluster = gateway.connect(name)
    try:
        with dask.config.set({"distributed.comm.timeouts.connect": RECONNECT_SECONDS}):
            client = dask_cluster.get_client()
    except BaseException:
        _close_cluster(dask_cluster)
        raise
    cluster = Cluster(
        client=client,
        dask_cluster=dask_cluster,
        close=partial(_stop_cluster if ours and not request.detached else _close_cluster, dask_cluster),
        target=target,
        dashboard=report.dashboard_link,
        detached=not ours or request.detached,
    )
    if ours:
        cluster.scale(request.workers or (1, 50))
    return cluster


def _stop_cluster(dask_cluster: GatewayCluster) -> None:
    """Have the gateway stop a cluster, and close Dask's object for it."""
    gateway, name = dask_cluster.gateway, dask_cluster.name
    try:
        ask(gateway, f"stop cluster {name}", lambda: gateway.stop_cluster(name))
    except ClusterError as error:
        raise ClusterError(f"{error} It ends by itself when it has had no client for a while.") from error
    finally:
        _close_cluster(dask_cluster)


def _close_cluster(dask_cluster: GatewayCluster) -> None:
    """Close Dask's object for a cluster that goes on."""
    dask_cluster.close(shutdown=False)
    _note_closed(dask_cluster.gateway)
