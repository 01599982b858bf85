"""Configuration of a JupyterHub on one machine; helio_burst.cluster.hub starts it.

What the Helm chart sets by its values stands here: addresses, the gateway as a service of the hub, how
servers of users are started. The rest is `hub/clusters.py`, the file that the chart mounts. The addresses and
passwords come from the environment. `c` is the configuration so far.
"""
# ruff: noqa: F821

import os
import socket
import sys
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

environ = os.environ
address = environ["HELIO_BURST_HUB_ADDRESS"]
gateway = environ["HELIO_BURST_GATEWAY_ADDRESS"]
files = environ["HELIO_BURST_PLATFORM_FILES"]
START_SECONDS = 180  # of a user's server, on a busy machine

c.JupyterHub.bind_url = address
c.JupyterHub.hub_bind_url = environ["HELIO_BURST_HUB_API_ADDRESS"]
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.ConfigurableHTTPProxy.api_url = environ["HELIO_BURST_PROXY_API_ADDRESS"]
# By default the proxy gives up a request after 20 s, and with it the page that waits for a server to start.
c.ConfigurableHTTPProxy.command = [
    *(sys.executable, "-P", f"{files}/one-machine/proxy.py"),
    *("--proxy-timeout", str(1000 * START_SECONDS)),
]

# One password for all, and users by name only: for this machine's loopback interface and nothing else.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = environ["HELIO_BURST_HUB_PASSWORD"]
c.Authenticator.allowed_users = set(environ["HELIO_BURST_HUB_USERS"].split(","))


class HeldPortSpawner(SimpleLocalProcessSpawner):
    """Starts a user's server at a port that no other program gets while the server starts."""

    async def start(self):
        """Start the server; what is bound here is given to nobody else, and the server may listen at it."""
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind(("127.0.0.1", 0))
        self.port = self.held.getsockname()[1]
        return await super().start()


c.JupyterHub.spawner_class = HeldPortSpawner
c.SimpleLocalProcessSpawner.home_dir_template = environ["HELIO_BURST_HUB_HOMES"] + "/{username}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.getuid() == 0 else []
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = START_SECONDS
c.Spawner.http_timeout = START_SECONDS
c.Spawner.environment = {
    "DASK_GATEWAY__ADDRESS": f"{address}/services/dask-gateway",
    "DASK_GATEWAY__PROXY_ADDRESS": f"gateway://{gateway}",
    # The whole address: JupyterLab's Dask panels take a path for one of the user's server.
    "DASK_GATEWAY__PUBLIC_ADDRESS": f"{address}/services/dask-gateway/",
    "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
    "DASK_LABEXTENSION__FACTORY__MODULE": "dask_gateway",
    "DASK_LABEXTENSION__FACTORY__CLASS": "GatewayCluster",
    **{name: value for name, value in environ.items() if name.startswith(("AWS_", "HELIO_BURST_STORAGE_"))},
}

c.JupyterHub.services = [
    {
        "name": "dask-gateway",
        "url": f"http://{gateway}",
        "display": False,
        "command": [
            *(sys.executable, "-P", environ["HELIO_BURST_CHILD"], str(os.getpid())),
            *("dask_gateway_server", "--config", f"{files}/one-machine/gateway.py"),
        ],
        "environment": {
            **{name: value for name, value in environ.items() if name != "CONFIGPROXY_AUTH_TOKEN"},
            "HELIO_BURST_GATEWAY_PREFIX": "/services/dask-gateway",
        },
    },
    {"name": "operator", "api_token": environ["HELIO_BURST_HUB_OPERATOR_TOKEN"]},
]
c.JupyterHub.load_roles = [
    {"name": "operator", "scopes": ["admin:users", "admin:servers", "tokens"], "services": ["operator"]},
]

shared = Path(files, "hub", "clusters.py")
exec(compile(shared.read_text(encoding="utf-8"), str(shared), "exec"))
