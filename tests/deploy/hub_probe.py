"""Run in a process of its own: load a hub's configuration the way JupyterHub does, and print what it means.

`python hub_probe.py jupyterhub_config.py` prints JSON: the roles as they are in the hub's database, the
services, and for each profile the pod that KubeSpawner would make.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner


async def roles(hub: JupyterHub) -> dict[str, list[str]]:
    """Return the scopes of every role after the hub has checked and stored them."""
    hub.db_url = "sqlite:///:memory:"
    hub.init_db()
    await hub.init_role_creation()
    return {role.name: sorted(role.scopes) for role in hub.db.query(orm.Role)}


class Spawner(KubeSpawner):
    """The spawner without what it takes from a running hub: tokens and addresses."""

    def get_env(self) -> dict[str, Any]:
        """Return what the configuration sets, filled in as KubeSpawner does."""
        return {"JUPYTER_IMAGE_SPEC": self.image, **self._expand_env(self.environment)}


async def pods(hub: JupyterHub) -> dict[str, Any]:
    """Return the pod of each profile as the Kubernetes API would get it."""
    found = {}
    for profile in hub.config.KubeSpawner.get("profile_list", []) or [{}]:
        spawner = Spawner(_mock=True, config=hub.config)
        spawner.user_options = {"profile": profile["slug"]} if profile else {}
        await spawner.load_user_options()
        manifest = await spawner.get_pod_manifest()
        found[profile.get("slug", "none")] = ApiClient().sanitize_for_serialization(manifest)
    return found


async def probe(hub: JupyterHub) -> dict[str, Any]:
    """Return all that the tests ask about."""
    return {
        "roles": await roles(hub),
        "services": {service["name"]: service.get("url") for service in hub.config.JupyterHub.services},
        "pods": await pods(hub),
        "public_url": hub.public_url,
        "post_stop_hook": hub.config.Spawner.post_stop_hook.__name__,
    }


def main() -> None:
    """Load the configuration named on the command line and print what it means."""
    hub = JupyterHub()
    hub.load_config_file(sys.argv[1])
    answer = asyncio.run(probe(hub))
    print("ANSWER " + json.dumps(answer))


if __name__ == "__main__":
    main()
