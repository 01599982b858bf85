"""pyproject.toml, requirements.lock, environment.yml, the image and the chart agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import helm_python
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import helio_burst

from .conftest import CHART, ROOT, values

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
# Which JupyterHub the hub of each version of the jupyterhub chart is.
CHARTS_HUB = {"4.4.0": "5.5.0"}


def locked(python: str) -> dict[str, Version]:
    """Return the versions that the lock pins for a Python, as "3.11.9", on Linux."""
    environment = {**default_environment(), "sys_platform": "linux", "os_name": "posix"}
    environment |= {"python_version": python.rpartition(".")[0], "python_full_version": python}
    found: dict[str, Version] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[canonicalize_name(requirement.name)] = Version(pin.version)
    return found


def wanted() -> list[Requirement]:
    """Return all the requirements of the package and of its extras."""
    lines = [
        *PROJECT["dependencies"],
        *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    ]
    found = [Requirement(line) for line in lines]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


@pytest.mark.parametrize("python", ["3.11.2", "3.11.9", "3.12.3", "3.13.1"])
def test_the_lock_meets_every_requirement(python: str) -> None:
    pins = locked(python)
    for requirement in wanted():
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_image_is_made_of_the_lock() -> None:
    assert re.search(r"pip install --constraint requirements\.lock .*\"\.\[image\]\"", DOCKERFILE)
    base = re.search(r"^ARG BASE_IMAGE=\S*/python:(\d+\.\d+)-slim-\w+$", DOCKERFILE, flags=re.MULTILINE)
    assert base is not None
    assert f">={base.group(1)}" == PROJECT["requires-python"]
    assert "image" in PROJECT["optional-dependencies"]


def test_conda_users_get_the_same() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    python = PROJECT["requires-python"].removeprefix(">=")
    assert conda == [f"python={python}", "pip"]
    assert pip == {"pip": ["--constraint requirements.lock", ".[image]"]}


def test_one_version_everywhere() -> None:
    version = PROJECT["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    over = values("values.yaml")
    assert helio_burst.__version__ == chart["appVersion"] == version
    assert over["jupyterhub"]["singleuser"]["image"] == over["dask-gateway"]["gateway"]["backend"]["image"]
    assert over["jupyterhub"]["singleuser"]["image"]["tag"] == version
    # The names of the chart's ConfigMaps end in its version, and the values name them.
    volume = over["jupyterhub"]["hub"]["extraVolumes"][0]
    assert volume["configMap"]["name"] == f"helio-hub-{chart['version']}"
    reference = over["dask-gateway"]["gateway"]["env"][0]["valueFrom"]["configMapKeyRef"]
    assert reference["name"] == f"helio-gateway-{chart['version']}"


def test_the_charts_hub_and_gateway_speak_to_the_image() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    depends = {one["name"]: one["version"] for one in chart["dependencies"]}
    pins = locked("3.11.9")
    assert str(pins["dask-gateway"]) == str(pins["dask-gateway-server"]) == depends["dask-gateway"]
    assert pins["jupyterhub"].major == Version(CHARTS_HUB[depends["jupyterhub"]]).major


def test_the_charts_hub_is_what_we_think(dependencies: Path) -> None:
    for archive in dependencies.glob("jupyterhub-*.tgz"):
        with helm_python.Chart.load(archive) as chart:
            assert CHARTS_HUB[chart.version] == chart.metadata["appVersion"]
