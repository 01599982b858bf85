"""The chart on a real cluster: log in, burst, lose a worker, stop the server, and leave nothing behind.

`make test-kubernetes` runs this against the cluster of KUBECONFIG, with the commands helm and kubectl. It
works in a namespace of its own and takes back all that it brought, the custom resource definitions too.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import CHART

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow, pytest.mark.timeout(2700)]

USER = "ada"
DASKCLUSTERS = "customresourcedefinition.apiextensions.k8s.io/daskclusters.gateway.dask.org"
# The operator of this test: it makes a user, and reads what is there.
OPERATOR = {
    "jupyterhub": {
        "hub": {
            "services": {"test-operator": {"display": False}},
            "loadRoles": {
                "test-operator": {"scopes": ["admin:users", "admin:servers"], "services": ["test-operator"]}
            },
        }
    }
}


def output(*command: str, timeout: float = 120) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def until(condition: Callable[[], Any], what: str, seconds: float = 300) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"after {seconds:g} s still waiting for: {what}"
        time.sleep(1)
    return answer


class Release:
    """The chart, installed in a namespace of its own."""

    def __init__(self) -> None:
        name = secrets.token_hex(4)
        self.name, self.namespace = f"hb-{name}", f"helio-test-{name}"
        self.address = ""

    def kubectl(self, *arguments: str, timeout: float = 120) -> str:
        """Run kubectl in the namespace."""
        return output("kubectl", "--namespace", self.namespace, *arguments, timeout=timeout)

    def names(self, kind: str, selector: str = "") -> list[str]:
        """Return the names of the objects of a kind that are not on their way out."""
        found = json.loads(self.kubectl("get", kind, "--output=json", f"--selector={selector}"))
        ended = {"Stopped", "Failed"}  # the gateway keeps a record of its clusters for a day
        return [
            one["metadata"]["name"]
            for one in found["items"]
            if "deletionTimestamp" not in one["metadata"] and one.get("status", {}).get("phase") not in ended
        ]

    def secret(self, key: str) -> str:
        """Return an entry of the hub's secret."""
        data = json.loads(self.kubectl("get", "secret", "hub", "--output=json"))["data"]
        return base64.b64decode(data[key]).decode()

    def hub(self, method: str, path: str, token: str | None = None, body: object = None) -> Any:
        """Call the hub's REST API and return its answer."""
        request = urllib.request.Request(f"{self.address}/hub/api{path}", method=method)
        request.add_header("Content-Type", "application/json")
        if token is not None:
            request.add_header("Authorization", f"token {token}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data=data, timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content else None


def definitions() -> set[str]:
    """Return the custom resource definitions in the cluster of the kinds that the chart brings."""
    names = output("kubectl", "get", "customresourcedefinitions", "--output=name").split()
    return {name for name in names if name.endswith((".gateway.dask.org", ".traefik.io"))}


def cluster_wide(release: Release) -> list[str]:
    """Return the objects outside of any namespace that bear the release's name."""
    names = output("kubectl", "get", "clusterroles,clusterrolebindings,priorityclasses", "--output=name")
    return [name for name in names.split() if release.name in name]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart in a namespace of its own, taken away at the end with everything that came with it."""
    if not os.environ.get("HELIO_BURST_TEST_KUBERNETES"):
        pytest.skip("installs into a cluster, so only `make test-kubernetes` runs it")
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    missing = [command for command in ("helm", "kubectl") if shutil.which(command) is None]
    if missing:
        pytest.skip(f"not on the PATH: {', '.join(missing)}")
    release = Release()
    before = definitions()
    values = tmp_path_factory.mktemp("values") / "operator.json"
    values.write_text(json.dumps(OPERATOR))
    output("helm", "dependency", "update", str(CHART), timeout=300)
    output("kubectl", "create", "namespace", release.namespace)
    try:
        files = ("--values", str(CHART / "values-local.yaml"), "--values", str(values))
        where = ("--namespace", release.namespace, "--wait", "--timeout", "15m")
        output("helm", "install", release.name, str(CHART), *files, *where, timeout=1000)
        yield release
    finally:
        # Clusters first, while the controller that ends them is there.
        if DASKCLUSTERS in definitions():
            release.kubectl("delete", "daskclusters", "--all", "--timeout=120s", timeout=150)
        where = ("--namespace", release.namespace, "--ignore-not-found", "--wait")
        output("helm", "uninstall", release.name, *where, timeout=600)
        output("kubectl", "delete", "namespace", release.namespace, "--timeout=300s", timeout=330)
        for definition in definitions() - before:
            output("kubectl", "delete", definition, "--timeout=120s", timeout=150)
        assert definitions() == before
        assert cluster_wide(release) == []


@pytest.fixture(scope="module")
def release(installed: Release) -> Iterator[Release]:
    """The installed chart, with a way in to its proxy from here."""
    command = ["kubectl", "--namespace", installed.namespace, "port-forward", "service/proxy-public", ":80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        line = forward.stdout.readline()
        port = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", line)
        assert port is not None, line
        installed.address = f"http://127.0.0.1:{port.group(1)}"
        yield installed
        forward.terminate()


@pytest.fixture(scope="module")
def token(release: Release) -> str:
    """The token that the user gets by logging in through the hub's API."""
    release.hub("POST", f"/users/{USER}", release.secret("hub.services.test-operator.apiToken"))
    login = {"auth": {"username": USER, "password": "anything will do"}}
    return str(release.hub("POST", f"/users/{USER}/tokens", body=login)["token"])


@pytest.fixture(scope="module")
def server(release: Release, token: str) -> str:
    """The name of the pod of the user's running server."""
    release.hub("POST", f"/users/{USER}/server", token)

    def ready() -> bool:
        servers = release.hub("GET", f"/users/{USER}", token)["servers"]
        return bool(servers.get("", {}).get("ready"))

    until(ready, "the user's server", 600)
    (pod,) = release.names("pods", "component=singleuser-server")
    return pod


def workers(release: Release) -> list[str]:
    selector = "--selector=app.kubernetes.io/component=dask-worker"
    found = json.loads(release.kubectl("get", "pods", "--output=json", selector))
    return [pod["metadata"]["name"] for pod in found["items"] if pod["status"]["phase"] == "Running"]


def test_helm_test_passes(release: Release) -> None:
    output("helm", "test", release.name, "--namespace", release.namespace, "--timeout", "15m", timeout=1000)


def test_a_user_cannot_reach_what_is_not_theirs(release: Release, server: str) -> None:
    code = (
        "import socket, sys\n"
        "for host, port in [('169.254.169.254', 80), ('api-' + sys.argv[1] + '-dask-gateway', 8000)]:\n"
        "    try:\n"
        "        socket.create_connection((host, port), timeout=5)\n"
        "    except OSError:\n"
        "        continue\n"
        "    print('reached', host)\n"
    )
    reached = release.kubectl(
        "exec", server, "--container=notebook", "--", "python", "-c", code, release.name
    )
    if "reached api" in reached:
        pytest.skip("this cluster's network plug-in does not enforce network policies")
    assert reached == ""


def test_the_users_account_may_not_read_secrets(release: Release) -> None:
    account = f"--as=system:serviceaccount:{release.namespace}:helio-user"
    command = ["kubectl", "--namespace", release.namespace, "get", "secrets", account]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "forbidden" in done.stderr.lower()


def test_a_burst_survives_the_loss_of_a_worker(release: Release, server: str) -> None:
    script = Path(__file__).with_name("pod_burst.py").read_text(encoding="utf-8")
    command = ["kubectl", "--namespace", release.namespace, "exec", server, "--container=notebook", "--"]
    with subprocess.Popen([*command, "python", "-c", script], stdout=subprocess.PIPE, text=True) as burst:
        assert burst.stdout is not None
        assert burst.stdout.readline().strip() == "STARTED"
        running = until(lambda: len(found := workers(release)) == 2 and found, "two worker pods")
        release.kubectl("delete", "pod", running[0], "--grace-period=0", "--force")
        rest, _ = burst.communicate(timeout=900)
    answers = [line.split() for line in rest.splitlines() if line.startswith("ANSWER ")]
    assert answers, rest
    size, total, failures = answers[0][1:]
    assert (int(size), int(failures)) == (240, 0)
    assert float(total) == sum(number**2 for number in range(240))


def test_clusters_end_with_the_server(release: Release, server: str, token: str) -> None:
    # A cluster that nobody will close: only the hub can end it before its time.
    code = (
        "import dask_gateway, os\n"
        "cluster = dask_gateway.Gateway().new_cluster(shutdown_on_close=False)\n"
        "cluster.scale(1)\n"
        "print(cluster.name, flush=True)\n"
        "os._exit(0)\n"
    )
    release.kubectl("exec", server, "--container=notebook", "--", "python", "-c", code, timeout=600)
    assert len(release.names("daskclusters")) == 1
    release.hub("DELETE", f"/users/{USER}/server", token)
    until(lambda: not release.names("daskclusters"), "the hub to stop the user's cluster", 120)
    for component in ("dask-worker", "dask-scheduler", "singleuser-server"):
        selector = f"app.kubernetes.io/component={component}"
        until(lambda selector=selector: not release.names("pods", selector), f"the end of every {component}")
