"""What is checked before a job starts, each with its own deadline and its own message."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from distributed import Client

from helio_burst import storage
from helio_burst.cluster.deadline import within
from helio_burst.errors import (
    ClusterError,
    InputError,
    MissingObjectError,
    StorageError,
    TransientStorageError,
)

HTTP_SECONDS = 10.0
TCP_SECONDS = 5.0
ROUTE_SECONDS = 15.0
PROXY_HINT = (
    "Ask who runs the gateway for the address of its proxy for schedulers, and give it as "
    "open_cluster(..., proxy_address='host:port') or set DASK_GATEWAY__PROXY_ADDRESS."
)
SERVICE_PATH = "/services/dask-gateway"


def check_gateway_address(address: str) -> str:
    """Return the version of the gateway at an address.

    Raises
    ------
    ClusterError
        If nothing answers, or something that is no gateway; the message says which, and what to try.
    """
    seconds = HTTP_SECONDS
    try:
        answer = within(seconds, lambda: _json_answer(f"{address}/api/version", seconds))
    except urllib.error.HTTPError as error:
        if error.code in (502, 503, 504):  # said by the proxy before it; a hub starts it again
            raise ClusterError(
                f"The gateway at {address} is down or just starting (HTTP {error.code}). Try again in a "
                "minute; if that does not help, tell who runs it."
            ) from error
        raise _not_a_gateway(address, f"it answers HTTP {error.code}", seconds) from error
    except (TimeoutError, OSError) as error:
        raise ClusterError(f"No gateway at {address}: {_network_reason(address, error, seconds)}") from error
    except ValueError as error:
        raise _not_a_gateway(address, "it answers something else", seconds) from error
    if not isinstance(answer, dict) or "version" not in answer:
        raise _not_a_gateway(address, "it answers something else", seconds)
    return str(answer["version"])


def check_proxy_port(proxy: str) -> None:
    """Check that something listens where the gateway's proxy passes connections on to schedulers.

    Parameters
    ----------
    proxy : str
        As ``gateway://host:port``.

    Raises
    ------
    ClusterError
        If nothing does; without this check, Dask would be silent for a minute.
    """
    check_port(proxy, "The gateway answers, but not its proxy for schedulers", PROXY_HINT)


def check_port(address: str, what: str, hint: str = "") -> None:
    """Check that something listens at an address such as ``tcp://host:port``."""
    try:
        host, port = urlsplit(address).hostname, urlsplit(address).port
    except ValueError:  # the port is no number
        host = port = None
    if not host or not port:
        raise InputError(f"{address!r} is no address of a server: it needs a host and a port, as host:8786.")
    try:
        socket.create_connection((host, port), timeout=TCP_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"{what}: {_network_reason(address, error, TCP_SECONDS)} {hint}".strip()
        ) from error


def check_proxy_route(proxy: str, name: str, context: ssl.SSLContext) -> None:
    """Check that the proxy leads to the scheduler of a cluster, by its certificate.

    Raises
    ------
    ClusterError
        If another server answers there, or none.
    """
    parts = urlsplit(proxy)
    deadline = time.monotonic() + ROUTE_SECONDS
    while True:
        try:
            with (
                socket.create_connection(
                    (parts.hostname or "", parts.port or 0), timeout=TCP_SECONDS
                ) as plain,
                context.wrap_socket(plain, server_hostname=f"daskgateway-{name}"),
            ):
                return
        except OSError as error:  # the proxy may learn of a new cluster a moment later than we do
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"The gateway started cluster {name}, but {parts.netloc} does not lead to its scheduler "
                    f"({error}). That is the address of some other server. {PROXY_HINT}"
                ) from error
            time.sleep(0.05)


def check_access(
    client: Client,
    urls: Sequence[str],
    options: storage.StorageOptions | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Have a worker ask for files until it gets one, so that credentials and region are known to do.

    That is the first one as a rule, and no bytes are taken. A file that is missing, and a server that is
    busy, are no refusal; they are the job's to deal with.

    Parameters
    ----------
    client : distributed.Client
        A client of the cluster; its first worker is waited for.
    urls : sequence of str
        A few files of the job.
    options : StorageOptions, optional
        As the job has them; else those of the workers count.
    given_up : callable, optional
        Asked every second whether to go on without an answer.

    Raises
    ------
    StorageError, InputError
        As the worker saw it, if files were refused and none was had.
    """

    def refusals(urls: Sequence[str], options: storage.StorageOptions | None) -> list[Exception]:
        found: list[Exception] = []
        once = (options or storage.default_options()).model_copy(update={"retries": 0})
        for url in urls:
            try:
                storage.request(url, once)
            except MissingObjectError:
                continue
            except TransientStorageError:
                return []
            except (StorageError, InputError) as error:
                found.append(error)
            else:
                return []
        return found

    future = client.submit(refusals, list(urls), options, pure=False, priority=100)
    while not future.done() and not given_up():
        with contextlib.suppress(TimeoutError):
            future.exception(timeout=1)  # waits, and raises nothing else
    if future.status == "finished" and (found := future.result()):
        found[0].add_note(
            "A worker said so, not this machine: credentials, region and endpoint must be right "
            "there. open_cluster(environment={...}) sets variables on the workers."
        )
        raise found[0]


def root_cause(error: BaseException) -> BaseException:
    """Return the innermost cause of an error; Dask's outer ones say "Error during deserialization" only."""
    seen = {id(error)}
    while True:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in seen:
            return error
        seen.add(id(cause))
        error = cause


def _json_answer(url: str, seconds: float) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        error.close()  # it is an answer too, and holds its connection
        raise


def _not_a_gateway(address: str, found: str, seconds: float) -> ClusterError:
    """Say that something else answers; a hub's own address is the usual mistake."""
    hint = "The address of a gateway on a hub ends with /services/dask-gateway."
    try:
        if "version" in within(seconds, lambda: _json_answer(f"{address}/hub/api", seconds)):
            hint = f"A JupyterHub is there; its gateway is {address}{SERVICE_PATH}, if it has one."
    except (OSError, ValueError, TypeError):
        pass
    return ClusterError(f"There is no Dask gateway at {address}: {found} at /api/version. {hint}")


def _network_reason(address: str, error: BaseException, seconds: float) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    host = urlsplit(address).netloc
    if isinstance(reason, TimeoutError):
        return f"no answer within {seconds:g} s. A firewall may drop the connection; is a VPN needed?"
    if isinstance(reason, socket.gaierror):
        return f"there is no host {host!r}. Check the spelling, and the network."
    if isinstance(reason, ConnectionRefusedError):
        return f"nothing listens at {host}. Is the port right, and the server up?"
    if isinstance(reason, ssl.SSLError):
        return f"its TLS certificate is not trusted ({reason}). Is it https, and SSL_CERT_FILE right?"
    return f"{reason}."
