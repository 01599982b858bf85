"""What the chart brings into the cluster, run against a real hub and a real gateway on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

import helio_burst.cluster.hub
from helio_burst.cluster.hub import LocalHub
from helio_burst.cluster.one_machine import platform_files

from .conftest import CHART, values

TEST_TOKEN = "the-token-that-the-chart-would-make"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A hub with the service helio-test and its role, as the chart's values name them."""
    roles = values("values.yaml")["jupyterhub"]["hub"]["loadRoles"]
    files = tmp_path_factory.mktemp("platform") / "files"
    shutil.copytree(platform_files(), files)
    with (files / "one-machine" / "hub.py").open("a", encoding="utf-8") as config:
        config.write(f"c.JupyterHub.services.append({{'name': 'helio-test', 'api_token': {TEST_TOKEN!r}}})\n")
        config.writelines(
            f"c.JupyterHub.load_roles.append({{'name': {name!r}, **{role!r}}})\n"
            for name, role in roles.items()
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helio_burst.cluster.hub, "platform_files", lambda: files)
        server = LocalHub(users=["ada"])
    with server:
        yield server


def test_helm_test_bursts(hub: LocalHub) -> None:
    environment = {
        **os.environ,
        "DASK_GATEWAY__ADDRESS": hub.gateway_address,
        "DASK_GATEWAY__PROXY_ADDRESS": f"gateway://{hub.proxy_address}",
        "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
        "JUPYTERHUB_API_TOKEN": TEST_TOKEN,
    }
    script = CHART / "files" / "test" / "burst.py"
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed: 200 items on 2 workers" in done.stdout


def answer_to(hub: LocalHub, token: str) -> int:
    """Return the gateway's status for one who asks for clusters with this token."""
    request = urllib.request.Request(f"{hub.gateway_address}/api/v1/clusters/")
    request.add_header("Authorization", f"jupyterhub {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_gateway_opens_to_scoped_tokens_only(hub: LocalHub) -> None:
    assert answer_to(hub, TEST_TOKEN) == 200
    assert answer_to(hub, hub.token("ada", scopes=["access:services!service=dask-gateway"])) == 200
    assert answer_to(hub, hub.token("ada", scopes=["read:users!user"])) == 401
    assert answer_to(hub, "not-a-token") >= 400
    assert answer_to(hub, "") >= 400


def test_a_user_logs_in_through_the_api(hub: LocalHub) -> None:
    # The way that test_kubernetes.py takes into a hub in a cluster.
    body = json.dumps({"auth": {"username": "ada", "password": hub.password}}).encode()
    request = urllib.request.Request(f"{hub.address}/hub/api/users/ada/tokens", data=body)
    with urllib.request.urlopen(request, timeout=60) as answer:
        token = json.loads(answer.read())["token"]
    request = urllib.request.Request(f"{hub.address}/hub/api/user")
    request.add_header("Authorization", f"token {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.loads(answer.read())["name"] == "ada"
