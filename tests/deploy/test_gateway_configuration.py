"""The gateway's configuration, executed by the real dask-gateway-server, and the pods that it makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
from dask_gateway_server.app import DaskGateway
from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.kubernetes.controller import KubeController
from dask_gateway_server.models import Cluster, ClusterStatus, User

from .conftest import CHART, NAMESPACE, RELEASE, Object, merged, named, values

AWS = "values-aws.yaml"
ADA = User("ada")

# What the dask-gateway chart does with the values that matter here, for machines without the chart.
STAND_IN = """
import json
backend = json.loads({backend!r})
c.DaskGateway.backend_class = "dask_gateway_server.backends.kubernetes.KubeBackend"
c.KubeBackend.gateway_instance = "burst-dask-gateway"
c.KubeClusterConfig.image = backend["image"]["name"] + ":" + backend["image"]["tag"]
for part in ("scheduler", "worker"):
    for kind in ("pod", "container"):
        extra = backend[part]["extra" + kind.title() + "Config"]
        setattr(c.KubeClusterConfig, part + "_extra_" + kind + "_config", extra)
c.KubeClusterConfig.scheduler_memory = backend["scheduler"]["memory"]["request"]
c.KubeClusterConfig.environment = {{"FROM_VALUES": "1"}}
{ours}
"""


def gateway_values() -> Object:
    """Return the gateway's values under values-aws.yaml."""
    over = merged(values("values.yaml"), values(AWS))
    found: Object = over["dask-gateway"]["gateway"]
    return found


def our_files() -> str:
    return "\n".join(path.read_text() for path in sorted((CHART / "files" / "gateway").glob("*.py")))


@pytest.fixture(params=["stand-in", "chart"])
def backend(
    request: pytest.FixtureRequest,
    has_dependencies: bool,
    render: Callable[[Object], list[Object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The gateway's backend under values-aws.yaml, without and with the dask-gateway chart."""
    gateway = gateway_values()
    for entry in gateway["env"]:
        if "value" in entry:
            monkeypatch.setenv(entry["name"], entry["value"])
    config = tmp_path / "dask_gateway_config.py"
    if request.param == "stand-in":
        config.write_text(STAND_IN.format(backend=json.dumps(gateway["backend"]), ours=our_files()))
    elif has_dependencies:
        extra = {"dask-gateway": {"gateway": {"backend": {"environment": {"FROM_VALUES": "1"}}}}}
        objects = render(merged(values(AWS), extra))
        rendered = named(objects, "ConfigMap", f"api-{RELEASE}-dask-gateway")["data"]
        config.write_text(rendered["dask_gateway_config.py"])
        ours = named(objects, "ConfigMap", "helio-gateway-0.1.0")["data"]["config.py"]
        monkeypatch.setenv("HELIO_BURST_GATEWAY_CONFIG", ours)
        monkeypatch.setenv("HUB_SERVICE_HOST", "10.0.0.8")
        monkeypatch.setenv("HUB_SERVICE_PORT", "8081")
    else:
        pytest.skip("no archive of the dask-gateway chart: helm dependency update helm/helio-daskhub")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token")
    app = DaskGateway()
    app.load_config_file(str(config))
    return app.backend_class(parent=app, log=app.log)


def configuration(backend: Any, options: dict[str, Any]) -> Any:
    """Return the settings that the gateway makes of what Ada asks for."""
    return asyncio.run(backend.process_cluster_options(ADA, options))[1]


def test_what_a_user_may_ask_for(backend: Any) -> None:
    options = asyncio.run(backend.get_cluster_options(ADA)).get_specification()
    ranges = {entry["field"]: (entry["spec"].get("min"), entry["spec"].get("max")) for entry in options}
    assert ranges["worker_cores"] == (1, 16)
    assert ranges["worker_memory"] == (0.25, 64.0)
    assert ranges["worker_gpus"] == (0, 1)
    assert {"environment", "idle_minutes", "detached", "image"} <= set(ranges)


def test_good_options(backend: Any) -> None:
    settings = configuration(
        backend,
        {"worker_cores": 4, "worker_memory": 8, "image": "example.org/mine:1", "environment": {"A": "b"}},
    )
    assert settings.worker_threads == 4
    assert settings.worker_cores_limit == 4
    assert settings.worker_cores < 4
    assert settings.worker_memory == settings.worker_memory_limit == 8 * 2**30
    assert settings.image == "example.org/mine:1"
    assert settings.environment["A"] == "b"
    assert settings.environment["FROM_VALUES"] == "1"
    assert settings.cluster_max_workers == 200
    assert settings.scheduler_cmd[:2] == ["dask", "scheduler"]
    assert settings.worker_cmd[:2] == ["dask", "worker"]


def test_without_options_the_chart_decides(backend: Any) -> None:
    settings = configuration(backend, {})
    image = gateway_values()["backend"]["image"]
    assert settings.image == f"{image['name']}:{image['tag']}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worker_cores": 17}, "worker_cores"),
        ({"worker_cores": 0}, "worker_cores"),
        ({"worker_cores": 1.5}, "worker_cores must be an integer"),
        ({"worker_memory": 1000}, "worker_memory"),
        ({"worker_memory": "8 GB"}, "worker_memory must be a float"),
        ({"worker_gpus": 2}, "worker_gpus"),
        ({"environment": "A=b"}, "environment must be a mapping"),
        ({"idle_minutes": 0}, "idle_minutes"),
        ({"workers": 3}, "Unknown fields.*workers"),
    ],
)
def test_bad_options_are_refused_by_name(backend: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PublicException, match=message):
        configuration(backend, options)


@pytest.fixture
def controller() -> KubeController:
    """The controller that makes pods of clusters; it asks Kubernetes nothing here."""
    controller = KubeController()
    controller.gateway_instance = f"{RELEASE}-dask-gateway"
    controller.api_url = f"http://api-{RELEASE}-dask-gateway.{NAMESPACE}:8000/api"
    return controller


@pytest.mark.parametrize("options", [{}, {"worker_cores": 16, "worker_memory": 60}, {"worker_gpus": 1}])
@pytest.mark.parametrize("version", ["1.30", "1.33"])
def test_kubernetes_takes_the_pods(
    backend: Any, controller: KubeController, options: dict[str, Any], version: str
) -> None:
    settings = configuration(backend, options)
    for is_worker in (False, True):
        pod = controller.make_pod(NAMESPACE, "c0ffee", settings, is_worker=is_worker)
        kubernetes_validate.validate(pod, version, strict=True)


def test_schedulers_and_workers_are_harmless(backend: Any, controller: KubeController) -> None:
    settings = configuration(backend, {})
    purposes = []
    for is_worker in (False, True):
        spec = controller.make_pod(NAMESPACE, "c0ffee", settings, is_worker=is_worker)["spec"]
        purposes.append(spec["nodeSelector"]["k8s.dask.org/node-purpose"])
        assert spec["serviceAccountName"] == "helio-user"
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        container = spec["containers"][0]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
        assert mounts == {"/etc/dask-credentials/": True, "/tmp": False}
        environment = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert environment["HOME"] == environment["DASK_TEMPORARY_DIRECTORY"] == "/tmp"
    assert purposes == ["scheduler", "worker"]


def test_a_worker_with_a_gpu_keeps_its_place(backend: Any, controller: KubeController) -> None:
    pod = controller.make_pod(NAMESPACE, "c0ffee", configuration(backend, {"worker_gpus": 1}), is_worker=True)
    container = pod["spec"]["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {one["key"] for one in pod["spec"]["tolerations"]} == {"k8s.dask.org/dedicated", "nvidia.com/gpu"}
    assert pod["spec"]["nodeSelector"] == {"k8s.dask.org/node-purpose": "worker"}


def cluster(backend: Any, name: str, workers: int, user: str = "ada", **options: Any) -> Cluster:
    """Put a running cluster with so many workers into what the backend knows of Kubernetes."""
    one = Cluster(
        name=name,
        username=user,
        token="",
        options=options,
        status=ClusterStatus.RUNNING,
        config=configuration(backend, options).to_dict(),
    )
    backend.clusters[name] = one
    backend.username_to_clusters.setdefault(user, {})[name] = one
    backend.informer.cache[name] = {"spec": {"replicas": workers}}
    return one


@pytest.fixture
def known(backend: Any) -> Any:
    """The backend, with an empty picture of what runs on Kubernetes."""
    backend.clusters, backend.username_to_clusters = {}, {}
    cache: dict[str, Any] = {}
    backend.informer = SimpleNamespace(cache=cache, get=cache.get)
    return backend


def test_a_cluster_too_many_is_refused(known: Any) -> None:
    for number in range(4):
        cluster(known, f"helio.c{number}", 1)
    with pytest.raises(PublicException, match=r"the limit is 4: helio.c0, .*Stop one"):
        asyncio.run(known.start_cluster(ADA, {}))


def test_workers_of_all_clusters_count(known: Any) -> None:
    first = cluster(known, "helio.a", 10, worker_cores=16, worker_memory=16)
    schedulers = first.config["scheduler_cores_limit"]
    assert asyncio.run(known.room(first)) == (400 - schedulers) // 16
    second = cluster(known, "helio.b", 0, worker_cores=4, worker_memory=4)
    assert asyncio.run(known.room(second)) == (400 - 2 * schedulers - 10 * 16) // 4
    cluster(known, "helio.other", 100, user="bob", worker_cores=4)
    assert asyncio.run(known.room(second)) == (400 - 2 * schedulers - 10 * 16) // 4
    heavy = cluster(known, "helio.c", 0, worker_cores=1, worker_memory=64)
    taken = 10 * 16 * 2**30 + sum(one.config["scheduler_memory_limit"] for one in (first, second, heavy))
    assert asyncio.run(known.room(heavy)) == (1600 * 2**30 - taken) // (64 * 2**30)


def test_a_scheduler_that_asks_for_too_much_gets_what_is_left(known: Any) -> None:
    patches: list[Any] = []

    async def patch(*arguments: Any) -> None:
        patches.append(arguments[-1][0]["value"])

    known.custom_client = SimpleNamespace(patch_namespaced_custom_object=patch)
    cluster(known, "helio.a", 90, worker_cores=4, worker_memory=4)
    cluster(known, "helio.b", 0, worker_cores=4, worker_memory=4)
    beat = {"count": 150, "active_workers": [], "closing_workers": [], "closed_workers": []}
    asyncio.run(known.on_cluster_heartbeat("helio.b", beat))
    asyncio.run(known.on_cluster_heartbeat("helio.b", {**beat, "count": 3}))
    assert patches == [asyncio.run(known.room(known.clusters["helio.b"])), 3]
    assert 0 < patches[0] <= 10
