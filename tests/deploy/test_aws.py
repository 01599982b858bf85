"""The cluster that docs/eksctl.yaml makes has the nodes that values-aws.yaml asks for."""

from __future__ import annotations

from typing import Any

import yaml

from .conftest import ROOT, values

EKS = yaml.safe_load((ROOT / "docs" / "eksctl.yaml").read_text(encoding="utf-8"))
NODES = {group["name"]: group for group in EKS["managedNodeGroups"]}


def tolerated(taints: list[dict[str, Any]], tolerations: list[dict[str, Any]]) -> bool:
    """Say whether a pod with these tolerations may be on a node with these taints."""
    return all(
        any(
            toleration["key"] == taint["key"]
            and (toleration["operator"] == "Exists" or toleration["value"] == taint["value"])
            for toleration in tolerations
        )
        for taint in taints
    )


def test_schedulers_and_workers_find_their_nodes() -> None:
    backend = values("values-aws.yaml")["dask-gateway"]["gateway"]["backend"]
    for part, group in (("scheduler", "schedulers"), ("worker", "workers")):
        pod = backend[part]["extraPodConfig"]
        assert pod["nodeSelector"].items() <= NODES[group]["labels"].items()
        assert tolerated(NODES[group]["taints"], pod["tolerations"])
    assert NODES["workers"]["spot"] is True
    assert "spot" not in NODES["schedulers"]


def test_the_core_finds_its_nodes() -> None:
    gateway = values("values-aws.yaml")["dask-gateway"]
    for part in ("gateway", "controller", "traefik"):
        assert gateway[part]["nodeSelector"].items() <= NODES["core"]["labels"].items()
    assert "taints" not in NODES["core"]


def test_the_gpu_profile_finds_its_nodes() -> None:
    profiles = values("values.yaml")["jupyterhub"]["singleuser"]["profileList"]
    (gpu,) = [profile for profile in profiles if profile["slug"] == "gpu"]
    assert tolerated(NODES["gpu"]["taints"], gpu["kubespawner_override"]["tolerations"])
    assert NODES["gpu"]["labels"] == NODES["users"]["labels"] == {"hub.jupyter.org/node-purpose": "user"}


def test_no_pod_reaches_the_metadata_service_and_policies_are_enforced() -> None:
    assert all(group["disablePodIMDS"] is True for group in NODES.values())
    (network,) = [addon for addon in EKS["addons"] if addon["name"] == "vpc-cni"]
    assert "enableNetworkPolicy" in network["configurationValues"]


def test_the_users_role_is_the_one_in_the_values() -> None:
    (account,) = [one for one in EKS["iam"]["serviceAccounts"] if one["metadata"]["name"] == "helio-user"]
    annotations = values("values-aws.yaml")["helio"]["serviceAccount"]["annotations"]
    assert annotations["eks.amazonaws.com/role-arn"].endswith(f":role/{account['roleName']}")
    assert account["roleOnly"] is True
