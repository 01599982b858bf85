"""A real JupyterHub with the gateway as its service: from a notebook in it, and from outside with a token."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from helio_burst.cluster import Cluster, list_clusters, open_cluster
from helio_burst.cluster.hub import LocalHub
from helio_burst.errors import ClusterError
from tests.cluster.conftest import until

pytestmark = pytest.mark.slow

NOTEBOOK = [
    "import json, helio_burst as hb\n"
    "from helio_burst.cluster import open_cluster\n"
    "cluster = open_cluster()\n"
    "client = cluster.client",
    "FACTOR = 2\ndef double(number):\n    return FACTOR * number\n"
    "total = sum(client.gather(client.map(double, range(10))))",
    "print(json.dumps([total, cluster.target.why, cluster.dashboard, cluster.name]))",
    "cluster",
]


@pytest.fixture(scope="module")
def token(hub: LocalHub) -> str:
    return hub.token("ada")


@pytest.fixture(scope="module")
def laptop(hub: LocalHub, token: str) -> Iterator[Cluster]:
    """A cluster that ada has opened from outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTERHUB_API_TOKEN", token)
        cluster = open_cluster(hub.gateway_address, workers=1, proxy_address=hub.proxy_address)
    with cluster:
        yield cluster


def test_from_a_laptop_with_a_token(hub: LocalHub, token: str, laptop: Cluster) -> None:
    assert laptop.client.submit(sum, [1, 2, 3]).result() == 6
    assert laptop.name in set(list_clusters(hub.gateway_address, token=token)["name"])


def test_who_may_not_is_told_why(hub: LocalHub, laptop: Cluster) -> None:
    def refused(token: str | None, message: str, **arguments: Any) -> None:
        with pytest.raises(ClusterError, match=message):
            open_cluster(
                hub.gateway_address, token=token, proxy_address=hub.proxy_address, **arguments
            ).close()

    refused("0123456789abcdef", r"does not accept the token; it is wrong, expired or revoked.*/hub/token")
    short = hub.token("bob", scopes=["read:users:name!user=bob"])
    refused(short, r"lacks the scope access:services!service=dask-gateway")
    refused(None, r"belongs to a JupyterHub and needs a token.*JUPYTERHUB_API_TOKEN")
    refused(hub.token("bob"), f"did not show cluster {laptop.name}.*somebody else", name=laptop.name)
    with pytest.raises(ClusterError, match=f"A JupyterHub is there; its gateway is {hub.gateway_address}"):
        open_cluster(hub.address)


def test_a_notebook_on_the_hub_bursts(hub: LocalHub, token: str, laptop: Cluster) -> None:
    hub.request("POST", "/users/ada/server")
    until(lambda: hub.request("GET", "/users/ada")["servers"].get("", {}).get("ready"), 120)
    outputs = asyncio.run(run_notebook(f"{hub.address}/user/ada", token, NOTEBOOK))

    total, why, dashboard, name = json.loads(outputs[2]["text"])
    assert total == 90
    assert why == "Dask's configuration names a gateway"
    assert outputs[0]["name"] == "stdout"
    assert outputs[0]["text"].startswith(f"Cluster {name} (gateway, since {why}); dashboard: ")
    assert dashboard == f"{hub.gateway_address}/clusters/{name}/status"
    assert asyncio.run(first_word_of_dashboard(dashboard)) == "ACK"
    assert f'<a href="{dashboard}"' in outputs[3]["data"]["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in outputs[3]["data"]

    # When the server stops, so do the user's clusters: the notebook's, and the one from the laptop.
    clusters = set(list_clusters(hub.gateway_address, token=token)["name"])
    assert {name, laptop.name} <= clusters
    hub.request("DELETE", "/users/ada/server")
    until(lambda: list_clusters(hub.gateway_address, token=token).query("not here").empty)
    until(lambda: "Stopping cluster" in hub.log.read_text())


def test_the_proxy_waits_for_a_server_that_starts_slowly(hub: LocalHub) -> None:
    """By default it ends a request after 20 s, and the page that waits for the server stays as it is."""
    assert hub._process is not None
    commands = [process.cmdline() for process in psutil.Process(hub._process.pid).children()]
    (proxy,) = [command for command in commands if "--proxy-timeout" in command]
    assert int(proxy[proxy.index("--proxy-timeout") + 1]) >= 120_000


async def first_word_of_dashboard(address: str) -> str:
    """Open the page as a browser does, which insists on the subprotocol of its WebSocket."""
    with urllib.request.urlopen(address, timeout=30) as page:
        token = re.search(r'"token":"([^"]+)"', page.read().decode())
    assert token is not None
    socket = await websocket_connect(
        f"{address.replace('http', 'ws', 1)}/ws", subprotocols=["bokeh", token[1]], connect_timeout=30
    )
    assert socket.selected_subprotocol == "bokeh"
    message = await asyncio.wait_for(socket.read_message(), 60)
    socket.close()
    while await socket.read_message() is not None:
        pass
    return str(json.loads(message or "{}")["msgtype"])


async def run_notebook(server: str, token: str, cells: list[str]) -> list[dict[str, Any]]:
    """Run cells in one kernel of a user's server, as JupyterLab does; return the last output of each."""
    request = urllib.request.Request(
        f"{server}/api/kernels", data=b"{}", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        kernel = json.load(answer)["id"]
    channels = f"{server.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
    socket = await websocket_connect(HTTPRequest(channels, headers={"Authorization": f"token {token}"}))
    outputs = [await run_cell(socket, cell) for cell in cells]
    socket.close()
    while await socket.read_message() is not None:
        pass
    return outputs


async def run_cell(socket: Any, code: str) -> dict[str, Any]:
    number = uuid.uuid4().hex
    header = {
        "msg_id": number,
        "msg_type": "execute_request",
        "username": "",
        "session": "s",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    await socket.write_message(json.dumps(message))
    output: dict[str, Any] = {}
    while True:
        answer = json.loads(await asyncio.wait_for(socket.read_message(), 120))
        if answer["parent_header"].get("msg_id") != number:
            continue
        kind = answer["header"]["msg_type"]
        assert kind != "error", "\n".join(answer["content"]["traceback"])
        if kind in ("execute_result", "display_data") or (kind, answer["content"].get("name")) == (
            "stream",
            "stdout",
        ):
            output = answer["content"]
        if kind == "status" and answer["content"]["execution_state"] == "idle":
            return output
