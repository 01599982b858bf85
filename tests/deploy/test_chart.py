"""The chart renders, refuses what it must refuse, and gives Kubernetes objects that Kubernetes would take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from .conftest import CHART, NAMESPACE, RELEASE, VALUES_FILES, Object, merged, named, values

Render = Callable[[Object], list[Object]]
LOCAL = "values-local.yaml"


def check_lint(chart: Path, name: str, *, with_subcharts: bool) -> None:
    report = helm_python.lint(chart, values(name), with_subcharts=with_subcharts, kube_version="v1.33.0")
    worst = [message for message in report["messages"] if message["severity"] >= 2]
    allowed = "chart directory is missing these dependencies: jupyterhub,dask-gateway"
    assert [message for message in worst if with_subcharts or message["error"] != allowed] == []
    assert report["errors"] == []


@pytest.mark.parametrize("name", VALUES_FILES)
def test_lint(chart_copy: Path, name: str) -> None:
    check_lint(chart_copy, name, with_subcharts=False)


@pytest.mark.parametrize("name", VALUES_FILES)
def test_lint_with_dependencies(dependencies: Path, name: str) -> None:
    check_lint(dependencies.parent, name, with_subcharts=True)


@pytest.mark.parametrize("version", ["1.30", "1.33"])
def test_kubernetes_takes_every_object(rendered: list[Object], version: str) -> None:
    checked = 0
    for one in rendered:
        if "." in one["apiVersion"].split("/")[0] and not one["apiVersion"].split("/")[0].endswith(".k8s.io"):
            continue  # custom resources: test_custom_resources_fit_their_definitions
        kubernetes_validate.validate(one, version, strict=True)
        checked += 1
    assert checked >= 15


def test_custom_resources_fit_their_definitions(dependencies: Path, rendered: list[Object]) -> None:
    with helm_python.Chart.load(dependencies.parent) as chart:
        texts = [crd["data"] for crd in chart.crds]
    schemas: dict[tuple[str, str], Any] = {}
    for definition in (found for text in texts for found in yaml.safe_load_all(text) if found):
        for version in definition["spec"]["versions"]:
            api = f"{definition['spec']['group']}/{version['name']}"
            schemas[api, definition["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    custom = [one for one in rendered if (one["apiVersion"], one["kind"]) in schemas]
    for one in custom:
        Draft202012Validator(schemas[one["apiVersion"], one["kind"]]).validate(one)
    assert {one["kind"] for one in custom} == {"IngressRoute", "Middleware"}


def test_both_dependencies_are_rendered(dependencies: Path, rendered: list[Object]) -> None:
    deployments = {one["metadata"]["name"] for one in rendered if one["kind"] == "Deployment"}
    gateway = f"{RELEASE}-dask-gateway"
    assert {"hub", "proxy", "helio-redis"} <= deployments
    assert {f"api-{gateway}", f"controller-{gateway}", f"traefik-{gateway}"} <= deployments
    # What the dependencies' pods take from this chart exists under the names that they use.
    hub = named(rendered, "Deployment", "hub")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in hub["volumes"]}
    named(rendered, "ConfigMap", volumes["helio"]["configMap"]["name"])
    api = named(rendered, "Deployment", f"api-{gateway}")["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry for entry in api["env"]}
    reference = environment["HELIO_BURST_GATEWAY_CONFIG"]["valueFrom"]["configMapKeyRef"]
    assert reference["key"] in named(rendered, "ConfigMap", reference["name"])["data"]
    services = [one for one in rendered if one["kind"] == "Service"]
    outside = {one["metadata"]["name"] for one in services if one["spec"].get("type") == "LoadBalancer"}
    assert outside <= {"proxy-public"}


def test_a_part_can_be_switched_off(dependencies: Path, render: Render) -> None:
    objects = render(merged(values(LOCAL), {"dask-gateway": {"enabled": False}}))
    assert not [one for one in objects if one["metadata"]["name"].startswith("api-")]


def gateway_env(*names: str) -> Object:
    return {"dask-gateway": {"gateway": {"env": [{"name": name, "value": "9"} for name in names]}}}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"heliio": {}}, "heliio"),
        ({"helio": {"allowDummyAuthenticater": True}}, "allowDummyAuthenticater"),
        ({"helio": {"allowDummyAuthenticator": "yes"}}, "allowDummyAuthenticator"),
        ({"helio": {"quota": {"hard": {"pods": "many"}}}}, "pods"),
        ({"helio": {"redis": {"maxMemory": "1 GB"}}}, "maxMemory"),
        ({"helio": {"serviceAccount": {"annotations": {"role": 1}}}}, "annotations"),
        ({"helio": {"networkPolicy": {"dataEgress": [{"form": []}]}}}, "form"),
        ({"jupyterhub": {"enabled": "no"}}, "enabled"),
        (gateway_env("HELIO_BURST_GATEWAY_CONFIG", "HELIO_BURST_MAX_WOKERS"), "HELIO_BURST_MAX_WORKERS"),
        (gateway_env("HELIO_BURST_MAX_WORKERS"), "contain"),
    ],
)
def test_the_schema_names_what_it_refuses(render: Render, over: Object, message: str) -> None:
    with pytest.raises(helm_python.HelmError, match=message):
        render(merged(values(LOCAL), over))


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"helio": {"allowDummyAuthenticator": False}}, "Choose how users log in"),
        (
            {"jupyterhub": {"hub": {"config": {"GitHubOAuthenticator": {"client_secret": "x"}}}}},
            "GitHubOAuthenticator.client_secret holds a secret",
        ),
        ({"jupyterhub": {"hub": {"config": {"DummyAuthenticator": {"password": "x"}}}}}, "holds a secret"),
        ({"jupyterhub": {"singleuser": {"image": {"tag": "0.2.0"}}}}, "Servers and workers would differ"),
    ],
)
def test_an_open_or_broken_hub_is_refused(render: Render, over: Object, message: str) -> None:
    with pytest.raises(helm_python.HelmError, match=message):
        render(merged(values(LOCAL), over))


def test_the_authenticator_must_be_chosen(render: Render) -> None:
    with pytest.raises(helm_python.HelmError, match="Choose how users log in"):
        render({})


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for one in objects:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one["spec"]
        elif one["kind"] in {"Deployment", "DaemonSet", "Job", "StatefulSet"}:
            yield name, one["spec"]["template"]["spec"]


def test_our_pods_run_as_nobody_with_nothing(chart_copy: Path) -> None:
    with helm_python.Chart.load(chart_copy) as chart:
        over = merged(values(LOCAL), {"helio": {"redis": {"enabled": True}}})
        texts = chart.render(over, name=RELEASE, namespace=NAMESPACE)
    objects = [
        found
        for path, text in texts.items()
        if path.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found
    ]
    pods = dict(pod_specs(objects))
    assert set(pods) == {"Pod/helio-test", "Deployment/helio-redis"}
    for spec in pods.values():
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]) == {"requests", "limits"}


def test_secrets_are_generated_or_referred_to(rendered: list[Object]) -> None:
    passwords = {named(rendered, "Secret", "helio-redis")["data"]["password"] for _ in range(2)}
    assert len(passwords.pop()) > 40
    for name in VALUES_FILES:
        text = (CHART / name).read_text(encoding="utf-8")
        assert "password:" not in text
        assert "client_secret:" not in text


def peers(rules: list[Object]) -> set[str]:
    """Return the components that rules of a network policy name, and the blocks of addresses."""
    found = set()
    for rule in rules:
        for peer in rule.get("from", rule.get("to", [{}])):
            if "podSelector" in peer:
                found.add(peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"])
            elif "ipBlock" in peer:
                found.add(peer["ipBlock"]["cidr"])
            else:
                found.add(f"ports {sorted(port['port'] for port in rule['ports'])}")
    return found


DNS, API = "ports [53, 53]", "ports [443, 6443]"


@pytest.mark.parametrize(
    ("policy", "ingress", "egress"),
    [
        ("helio-default-deny", set(), None),
        (
            "helio-traefik",
            {"singleuser-server", "proxy", "hub", "test"},
            {DNS, API, "gateway", "dask-scheduler"},
        ),
        ("helio-gateway", {"traefik", "dask-scheduler"}, {DNS, API, "hub", "dask-scheduler"}),
        ("helio-controller", set(), {DNS, API}),
        (
            "helio-dask-scheduler",
            {"traefik", "gateway", "dask-worker"},
            {DNS, "gateway", "dask-worker", "0.0.0.0/0"},
        ),
        (
            "helio-dask-worker",
            {"dask-scheduler", "dask-worker"},
            {DNS, "dask-scheduler", "dask-worker", "redis", "0.0.0.0/0"},
        ),
        ("helio-test", set(), {DNS, "traefik"}),
        ("helio-redis", {"singleuser-server", "dask-worker"}, set()),
    ],
)
def test_who_reaches_whom(
    rendered: list[Object], policy: str, ingress: set[str], egress: set[str] | None
) -> None:
    spec = named(rendered, "NetworkPolicy", policy)["spec"]
    assert peers(spec.get("ingress", [])) == ingress
    assert ("Egress" in spec["policyTypes"]) == (egress is not None)
    assert peers(spec.get("egress", [])) == (egress or set())
    for rule in spec.get("egress", []):
        for peer in rule.get("to", []):
            if "ipBlock" in peer:
                assert "169.254.0.0/16" in peer["ipBlock"]["except"]


def test_users_servers_reach_traefik_and_nothing_else_inside(
    dependencies: Path, rendered: list[Object]
) -> None:
    spec = named(rendered, "NetworkPolicy", "singleuser")["spec"]
    assert spec["podSelector"]["matchLabels"]["component"] == "singleuser-server"
    traefik = [rule for rule in spec["egress"] if "component: traefik" in yaml.dump(rule)]
    assert [[port["port"] for port in rule["ports"]] for rule in traefik] == [[8000]]
    text = yaml.dump(spec["egress"])
    assert "dask-scheduler" not in text
    assert "dask-worker" not in text
    for rule in spec["egress"]:
        blocks = [peer["ipBlock"]["cidr"] for peer in rule.get("to", []) if "ipBlock" in peer]
        if {port["port"] for port in rule.get("ports", [])} != {53}:
            assert not set(blocks) & {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32"}


def test_the_users_account_may_do_nothing(rendered: list[Object]) -> None:
    assert named(rendered, "ServiceAccount", "helio-user")["automountServiceAccountToken"] is False
    bindings = [one for one in rendered if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}]
    subjects = [subject["name"] for binding in bindings for subject in binding["subjects"]]
    assert "helio-user" not in subjects


def test_a_quota_covers_containers_that_ask_for_nothing(render: Render) -> None:
    objects = render(values("values-aws.yaml"))
    assert named(objects, "ResourceQuota", "helio-quota")["spec"]["hard"]["requests.cpu"] == "1000"
    limits = named(objects, "LimitRange", "helio-defaults")["spec"]["limits"]
    assert set(limits[0]["defaultRequest"]) == {"cpu", "memory"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (LOCAL, ["port-forward", "anybody who reaches the hub"]),
        ("values-aws.yaml", ["https://HUB.EXAMPLE.ORG"]),
    ],
)
def test_the_notes_tell_the_next_steps(name: str, words: list[str]) -> None:
    with helm_python.Chart.load(CHART) as chart:
        texts = chart.render(values(name), name=RELEASE, namespace=NAMESPACE)
    notes = texts["helio-daskhub/templates/NOTES.txt"]
    for word in ["helm test burst --namespace helio", *words]:
        assert word in notes
