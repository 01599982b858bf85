"""The hub's configuration, executed by the real JupyterHub, and the pods that KubeSpawner makes of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from .conftest import CHART, NAMESPACE, RELEASE, Object, merged, named, values

AWS = "values-aws.yaml"
PROBE = Path(__file__).with_name("hub_probe.py")
HOME = "/usr/local/etc/jupyterhub"  # where the jupyterhub chart puts its files

# What the jupyterhub chart does with the values that matter here, for machines without the chart.
STAND_IN = """
import glob, json

values = json.loads(open("{folder}/values.json").read())
user = values["singleuser"]
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.public_url = "https://hub.example.org/"
c.JupyterHub.services = [{{"name": name}} for name in values["hub"]["services"]]
c.JupyterHub.load_roles = [{{"name": name, **role}} for name, role in values["hub"]["loadRoles"].items()]
c.KubeSpawner.image = user["image"]["name"] + ":" + user["image"]["tag"]
c.KubeSpawner.service_account = user["serviceAccountName"]
c.KubeSpawner.environment = user["extraEnv"]
c.KubeSpawner.profile_list = user["profileList"]
c.KubeSpawner.lifecycle_hooks = user["lifecycleHooks"]
c.KubeSpawner.mem_limit, c.KubeSpawner.mem_guarantee = user["memory"]["limit"], user["memory"]["guarantee"]
c.KubeSpawner.uid, c.KubeSpawner.cmd = 1000, "jupyterhub-singleuser"
for section, settings in values["hub"]["config"].items():
    c[section].update(settings)

def get_config(key, default=None):  # the chart's own, which hides the one of traitlets
    raise NotImplementedError

for path in sorted(glob.glob("{folder}/jupyterhub_config.d/*.py")):
    exec(compile(open(path).read(), path, "exec"))
"""


def stand_in(folder: Path) -> None:
    """Write a configuration that does what the chart's does, without the chart."""
    over = merged(values("values.yaml"), values(AWS))["jupyterhub"]
    (folder / "values.json").write_text(json.dumps(over))
    (folder / "jupyterhub_config.py").write_text(STAND_IN.format(folder=folder))
    for path in (CHART / "files" / "hub").glob("*.py"):
        (folder / "jupyterhub_config.d" / path.name).write_text(path.read_text())


def from_chart(folder: Path, objects: list[Object]) -> None:
    """Write the files that the hub's pod would see, with their folder changed to this one."""
    hub = named(objects, "ConfigMap", "hub")["data"]
    for name in ("config", "secret"):
        (folder / name).mkdir()
    for name, text in hub.items():
        (folder / "config" / name).write_text(text)
    for name, text in named(objects, "Secret", "hub")["data"].items():
        (folder / "secret" / name).write_bytes(base64.b64decode(text))
    for name in ("jupyterhub_config.py", "z2jh.py"):
        # The hub's image has curl; what is tested here asks nobody over HTTP.
        lines = [line for line in hub[name].splitlines() if "CurlAsyncHTTPClient" not in line]
        (folder / name).write_text("\n".join(lines).replace(HOME, str(folder)))
    volumes = named(objects, "Deployment", "hub")["spec"]["template"]["spec"]["volumes"]
    ours = next(volume["configMap"]["name"] for volume in volumes if volume["name"] == "helio")
    for name, text in named(objects, "ConfigMap", ours)["data"].items():
        (folder / "jupyterhub_config.d" / name).write_text(text)


@pytest.fixture(scope="module", params=["stand-in", "chart"])
def answer(
    request: pytest.FixtureRequest,
    has_dependencies: bool,
    render: Callable[[Object], list[Object]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """What the probe finds under values-aws.yaml, without and with the jupyterhub chart."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "jupyterhub_config.d").mkdir()
    if request.param == "stand-in":
        stand_in(folder)
    elif has_dependencies:
        from_chart(folder, render(values(AWS)))
    else:
        pytest.skip("no archive of the jupyterhub chart: helm dependency update helm/helio-daskhub")
    # The spawner wants to know a Kubernetes before it makes pods; it asks it nothing.
    (folder / "kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: none\n"
        "clusters: [{name: none, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "users: [{name: none, user: {}}]\ncontexts: [{name: none, context: {cluster: none, user: none}}]\n"
    )
    environment = {
        **os.environ,
        "HELM_RELEASE_NAME": RELEASE,
        "POD_NAMESPACE": NAMESPACE,
        "PROXY_API_SERVICE_PORT": "8001",
        "HUB_SERVICE_PORT": "8081",
        "PROXY_HTTP_SERVICE_HOST": "10.0.0.9",
        "PROXY_HTTP_SERVICE_PORT": "8000",
        "KUBECONFIG": str(folder / "kubeconfig"),
    }
    command = [sys.executable, str(PROBE), str(folder / "jupyterhub_config.py")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    lines = [line for line in run.stdout.splitlines() if line.startswith("ANSWER ")]
    assert lines, run.stdout + run.stderr
    return json.loads(lines[0].removeprefix("ANSWER "))


def test_tokens_are_scoped_to_the_gateway(answer: Any) -> None:
    use_gateway = "access:services!service=dask-gateway"
    assert answer["roles"]["helio-test"] == [use_gateway]
    assert answer["roles"]["user"] == [use_gateway, "self"]
    assert answer["roles"]["server"] == ["access:servers!server", use_gateway, "users:activity!user"]


def test_the_hub_knows_the_gateway(answer: Any) -> None:
    assert answer["services"]["dask-gateway"] == f"http://traefik-{RELEASE}-dask-gateway.{NAMESPACE}"
    assert answer["post_stop_hook"] == "stop_clusters"


def test_the_users_server_finds_the_gateway(answer: Any) -> None:
    container = answer["pods"]["small"]["spec"]["containers"][0]
    names = [entry["name"] for entry in container["env"]]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert environment["DASK_GATEWAY__ADDRESS"] == "http://10.0.0.9:8000/services/dask-gateway"
    assert (
        environment["DASK_GATEWAY__PROXY_ADDRESS"]
        == f"gateway://traefik-{RELEASE}-dask-gateway.{NAMESPACE}:80"
    )
    public = answer["public_url"].rstrip("/")
    assert environment["DASK_GATEWAY__PUBLIC_ADDRESS"] == f"{public}/services/dask-gateway/"
    # Kubernetes fills in a variable only from those before it.
    assert environment["DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE"] == "$(JUPYTER_IMAGE_SPEC)"
    assert names.index("JUPYTER_IMAGE_SPEC") < names.index("DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE")
    assert environment["JUPYTER_IMAGE_SPEC"] == container["image"]


def test_profiles(answer: Any) -> None:
    assert list(answer["pods"]) == ["small", "large", "gpu"]
    containers = {name: pod["spec"]["containers"][0] for name, pod in answer["pods"].items()}
    limits = {name: container["resources"]["limits"] for name, container in containers.items()}
    assert limits["small"]["memory"] < limits["large"]["memory"]
    assert limits["gpu"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" in {one["key"] for one in answer["pods"]["gpu"]["spec"]["tolerations"]}


def test_users_servers_are_harmless(answer: Any) -> None:
    for pod in answer["pods"].values():
        assert pod["spec"]["serviceAccountName"] == "helio-user"
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["containers"][0]["securityContext"] == {
            "runAsUser": 1000,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }


@pytest.mark.parametrize("version", ["1.30", "1.33"])
def test_kubernetes_takes_the_pods(answer: Any, version: str) -> None:
    for pod in answer["pods"].values():
        kubernetes_validate.validate(pod, version, strict=True)
