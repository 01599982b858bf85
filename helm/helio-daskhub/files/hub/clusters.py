"""Configuration of JupyterHub: users and their servers may use the gateway; clusters end with the server.

Runs after the configuration that names the services; one of them is "dask-gateway", with a url.
`c` is the configuration so far.
"""
# ruff: noqa: F821

import json

from jupyterhub.app import JupyterHub
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

SERVICE = "dask-gateway"
USE_GATEWAY = f"access:services!service={SERVICE}"

# Both are needed: the token in a user's server has the role "server", one from the hub's token page "user".
c.JupyterHub.load_roles.extend(
    [
        {"name": "user", "scopes": ["self", USE_GATEWAY]},
        {"name": "server", "scopes": ["users:activity!user", "access:servers!server", USE_GATEWAY]},
    ]
)


async def stop_clusters(spawner):
    """Stop the clusters of the user whose server has stopped, but for those of detached jobs."""
    services = {service["name"]: service for service in JupyterHub.instance().services}
    if SERVICE not in services:
        return
    clusters = f"{services[SERVICE]['url']}/services/{SERVICE}/api/v1/clusters/"
    token = spawner.user.new_api_token(expires_in=60, note="stop clusters", scopes=[USE_GATEWAY])
    headers = {"Authorization": f"jupyterhub {token}"}
    client = AsyncHTTPClient()
    try:
        answer = await client.fetch(HTTPRequest(clusters, headers=headers, request_timeout=10))
        for name, report in json.loads(answer.body).items():
            if not (report.get("options") or {}).get("detached"):
                spawner.log.info("Stopping cluster %s of %s", name, spawner.user.name)
                url = f"{clusters}{name}"
                await client.fetch(HTTPRequest(url, method="DELETE", headers=headers, request_timeout=10))
    except Exception:
        # The server is gone all the same; the clusters will go by the rule "no client for a while".
        spawner.log.exception("Could not stop the clusters of %s", spawner.user.name)


c.Spawner.post_stop_hook = stop_clusters
