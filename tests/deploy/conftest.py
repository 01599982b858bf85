"""The chart, rendered by Helm's own SDK; with its dependencies where they have been fetched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "helio-daskhub"
VALUES_FILES = ("values-local.yaml", "values-aws.yaml")
RELEASE, NAMESPACE = "burst", "helio"

Object = dict[str, Any]


def merged(base: Object, over: Object) -> Object:
    """Return two trees of values as Helm merges them: maps key by key, everything else replaced."""
    result = dict(base)
    for key, value in over.items():
        both_maps = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if both_maps else value
    return result


@cache
def values(name: str) -> Object:
    """Return one of the chart's files of values."""
    loaded: Object = yaml.safe_load((CHART / name).read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def has_dependencies() -> bool:
    """Whether the archives of jupyterhub and dask-gateway are in the chart's folder charts/."""
    return len(list((CHART / "charts").glob("*.tgz"))) == 2


@pytest.fixture
def dependencies(has_dependencies: bool) -> Path:
    """The folder with the archives of both dependencies; skips where they have not been fetched."""
    if not has_dependencies:
        pytest.skip(
            "the archives of jupyterhub and dask-gateway are not in helm/helio-daskhub/charts; "
            "`helm dependency update helm/helio-daskhub` brings them"
        )
    return CHART / "charts"


@pytest.fixture(scope="session")
def render() -> Callable[[Object], list[Object]]:
    """A function from values to all the objects that Helm renders from them."""

    def objects(over: Object) -> list[Object]:
        with helm_python.Chart.load(CHART) as chart:
            rendered = chart.render(over, name=RELEASE, namespace=NAMESPACE)
        texts = (text for path, text in rendered.items() if not path.endswith("NOTES.txt"))
        return [found for text in texts for found in yaml.safe_load_all(text) if found]

    return objects


@pytest.fixture(scope="session", params=VALUES_FILES)
def rendered(request: pytest.FixtureRequest, render: Callable[[Object], list[Object]]) -> list[Object]:
    """All objects of the chart under one of its files of values, with redis switched on."""
    return render(merged(values(request.param), {"helio": {"redis": {"enabled": True}}}))


@pytest.fixture(scope="session")
def chart_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart without its dependencies: what is in the repository."""
    copy = tmp_path_factory.mktemp("chart") / CHART.name
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    return copy


def named(objects: list[Object], kind: str, name: str) -> Object:
    """Return the one object of this kind and name."""
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]
