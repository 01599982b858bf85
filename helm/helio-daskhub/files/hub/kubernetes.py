"""Configuration of JupyterHub on Kubernetes: where the gateway is, for the hub and for the users' servers.

Runs after clusters.py; `c` is the configuration so far.
"""
# ruff: noqa: F821

import os

# The names that the dask-gateway chart gives its services.
release, namespace = os.environ["HELM_RELEASE_NAME"], os.environ["POD_NAMESPACE"]
gateway = release if "dask-gateway" in release else f"{release}-dask-gateway"
traefik = f"traefik-{gateway}"[:63].rstrip("-") + f".{namespace}"

for service in c.JupyterHub.services:
    if service["name"] == "dask-gateway":
        service["url"] = f"http://{traefik}"

# With HTTPS on, proxy-public redirects from port 80 to the outside; proxy-http is the plain one behind it.
if "PROXY_HTTP_SERVICE_HOST" in os.environ:
    hub = "http://{PROXY_HTTP_SERVICE_HOST}:{PROXY_HTTP_SERVICE_PORT}".format(**os.environ)
else:
    hub = "http://proxy-public"

# JupyterLab's Dask panels take a mere path for one of the user's server; they need the whole address.
public = str(c.JupyterHub.get("public_url", "")).rstrip("/")

c.KubeSpawner.environment.update(
    {
        "DASK_GATEWAY__ADDRESS": f"{hub}/services/dask-gateway",
        "DASK_GATEWAY__PROXY_ADDRESS": f"gateway://{traefik}:80",
        "DASK_GATEWAY__PUBLIC_ADDRESS": f"{public}/services/dask-gateway/",
        "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
        # Kubernetes fills in the image of the user's server, so that the workers have the server's versions.
        "DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE": "$(JUPYTER_IMAGE_SPEC)",
    }
)
