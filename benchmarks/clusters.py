"""Time from opening a cluster to its first result, against plain Dask and dask-gateway in the same run.

Command: ``python benchmarks/clusters.py [--rounds 3] [--kinds local gateway gateway-local hub adaptive]``.
Writes benchmarks/results/clusters.json. The checks before the start and the comparison of versions after it
are in our time: the bound is 10 % over the plain calls, or 0.3 s. "adaptive" is the way from one worker to
four and back, beside the same with ``adapt(1, 4)`` of dask-gateway's and of Dask's own local cluster.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dask_gateway import BasicAuth, Gateway
from dask_gateway.auth import JupyterHubAuth
from distributed import Client, LocalCluster

from helio_burst.cluster import open_cluster
from helio_burst.cluster.hub import LocalHub
from helio_burst.cluster.one_machine import LocalGateway

RESULTS = Path(__file__).parent / "results" / "clusters.json"
Opened = contextlib.AbstractContextManager[Client]


@contextlib.contextmanager
def plain_gateway(
    address: str, auth: Any, proxy_address: str | None = None, workers: tuple[int, int] = (1, 1)
) -> Iterator[Client]:
    gateway = Gateway(address, proxy_address=proxy_address, auth=auth)
    cluster = gateway.new_cluster()
    size(cluster, workers)
    client = cluster.get_client()
    yield client
    client.close()
    cluster.shutdown()
    for closed in (gateway, cluster.gateway):
        closed._asynchronous = True  # else each writes a traceback to the screen when Python drops it


@contextlib.contextmanager
def plain_local(workers: tuple[int, int] = (1, 1)) -> Iterator[Client]:
    with LocalCluster(n_workers=1, threads_per_worker=1) as cluster, Client(cluster) as client:
        if workers != (1, 1):
            size(cluster, workers)
        yield client


def size(cluster: Any, workers: tuple[int, int]) -> None:
    low, high = workers
    if low == high:
        cluster.scale(low)
    else:
        cluster.adapt(minimum=low, maximum=high)


def seconds_to_first_result(opened: Callable[[], Opened]) -> float:
    begin = time.perf_counter()
    with opened() as client:
        assert client.submit(sum, [1, 2, 3]).result() == 6
        return time.perf_counter() - begin


def compare(ours: Callable[[], Opened], plain: Callable[[], Opened], rounds: int) -> dict[str, float]:
    """Take turns, so that both meet the same machine; the first round, which imports, does not count."""
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for number in range(rounds + 1):
        for name, opened in (("plain", plain), ("ours", ours))[:: 1 if number % 2 else -1]:
            taken = seconds_to_first_result(opened)
            if number:
                times[name].append(taken)
    found = {name: statistics.median(taken) for name, taken in times.items()}
    over = found["ours"] - found["plain"]
    found["over_seconds"] = over
    found["over_percent"] = 100 * over / found["plain"]
    found["within_bound"] = over <= max(0.3, 0.1 * found["plain"])
    return found


def local(rounds: int) -> dict[str, float]:
    return compare(lambda: open_cluster("local", workers=1), plain_local, rounds)


def gateway(rounds: int) -> dict[str, float]:
    # The gateway runs already, as on a hub.
    with LocalGateway() as server:
        auth = BasicAuth(server.user, server.password)
        return compare(
            lambda: open_gateway(server),
            lambda: plain_gateway(server.address, auth),
            rounds,
        )


def open_gateway(server: LocalGateway, workers: int | tuple[int, int] = 1) -> Any:
    import dask

    login = {"username": server.user, "password": server.password}
    with dask.config.set({"gateway.auth.kwargs": login}):
        return open_cluster(server.address, workers=workers)


def gateway_local(rounds: int) -> dict[str, float]:
    # The gateway's own start is in both times.
    @contextlib.contextmanager
    def plain() -> Iterator[Client]:
        with (
            LocalGateway() as server,
            plain_gateway(server.address, BasicAuth(server.user, server.password)) as client,
        ):
            yield client

    return compare(lambda: open_cluster("gateway-local", workers=1), plain, rounds)


def hub(rounds: int) -> dict[str, float]:
    with LocalHub() as server:
        token = server.token("scientist")
        where = {"address": server.gateway_address, "proxy_address": server.proxy_address}
        return compare(
            lambda: open_cluster(
                server.gateway_address, workers=1, token=token, proxy_address=server.proxy_address
            ),
            lambda: plain_gateway(**where, auth=JupyterHubAuth(token)),
            rounds,
        )


def adaptive(rounds: int) -> dict[str, float]:
    """Go from one worker to four and back, with 80 tasks of half a second that need no core."""
    times: dict[str, list[float]] = {}
    with LocalGateway() as server:
        auth = BasicAuth(server.user, server.password)
        kinds: dict[str, Callable[[], Opened]] = {
            "ours": lambda: open_gateway(server, (1, 4)),
            "dask_gateway": lambda: plain_gateway(server.address, auth, workers=(1, 4)),
            "dask_local": lambda: plain_local(workers=(1, 4)),
        }
        for _ in range(rounds):
            for kind, opened in kinds.items():
                with opened() as client:
                    for step, seconds in up_and_down(client).items():
                        times.setdefault(f"{kind}_{step}", []).append(seconds)
    return {name: statistics.median(taken) for name, taken in times.items()}


def up_and_down(client: Client) -> dict[str, float]:
    client.wait_for_workers(1)
    begin = time.perf_counter()
    futures = client.map(lambda _: time.sleep(0.5), range(80), pure=False)

    def wait_for(workers: int) -> float:
        while len(client.nthreads()) != workers:
            time.sleep(0.02)
        return time.perf_counter() - begin

    found = {"to_four_workers": wait_for(4)}
    client.gather(futures)
    found["to_all_results"] = time.perf_counter() - begin
    del futures
    begin = time.perf_counter()
    found["back_to_one"] = wait_for(1)
    return found


KINDS = {
    "local": local,
    "gateway": gateway,
    "gateway-local": gateway_local,
    "hub": hub,
    "adaptive": adaptive,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    arguments = parser.parse_args()
    results = {
        **(json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}),
        "title": "Clusters: open_cluster to the first result",
        "command": "python benchmarks/clusters.py",
    }
    for kind in arguments.kinds:
        results[kind] = {"rounds": arguments.rounds, **KINDS[kind](arguments.rounds)}
        figures = "  ".join(
            f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
            for name, value in results[kind].items()
        )
        print(f"{kind:14s} {figures}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
