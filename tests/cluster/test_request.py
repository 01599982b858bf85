from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import pytest

from helio_burst.cluster import open_cluster
from helio_burst.cluster.local import fit_to_machine
from helio_burst.cluster.request import Request, check_workers, seconds
from helio_burst.cluster.targets import Target, choose_target
from helio_burst.errors import InputError

GIB = 2**30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": (5, 1)}, r"workers=\(5, 1\): the least is more than the most"),
        ({"workers": 0}, "no worker to do the work"),
        ({"workers": (-1, 3)}, "no worker to do the work"),
        ({"workers": 2.5}, r"neither a whole number nor a pair.*\(1, 50\)"),
        ({"workers": True}, "neither a whole number"),
        ({"workers": (1, 2, 3)}, "neither a whole number"),
        ({"memory": "4 potatoes"}, "memory='4 potatoes' is no amount of memory.*'4 GiB'"),
        ({"memory": 4}, "4 bytes, too little.*'4 GiB'"),
        ({"memory": [4]}, "is no amount of memory"),
        ({"cores": 0}, "whole number from 1"),
        ({"cores": 1.5}, "whole number from 1"),
        ({"environment": ["A"]}, "no mapping"),
        ({"idle": "half an hour"}, "idle='half an hour' is no duration.*'30 min'"),
        ({"idle": 0}, "no time at all"),
        ({"start_timeout": "-1 s"}, "no duration"),
        ({"detached": True}, "detached: only for clusters of a gateway, and this is 'local'"),
        ({"token": "x"}, "token: only for clusters of a gateway"),
        ({"image": "x:1"}, "workers on this machine use its Python"),
        ({"target": "cloud"}, "Unknown target 'cloud'. Known are 'local', 'gateway'.*tcp://"),
        ({"target": "gatway"}, "Nearest: gateway"),
        ({"target": "gateway"}, "No gateway is configured.*DASK_GATEWAY__ADDRESS"),
        ({"target": "no-such.json"}, "no scheduler file 'no-such.json'"),
        ({"target": "slurm", "image": "x:1"}, "a batch queue runs no images"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_cluster(**{"target": "local", **arguments})


def test_good_input() -> None:
    assert check_workers(4) == (4, 4)
    assert check_workers((0, 9)) == (0, 9)
    assert seconds("idle", "90 s") == 90
    assert seconds("idle", "2 h") == 7200
    assert seconds("idle", 0.5) == 0.5


def test_a_request_for_the_cloud_fits_a_laptop() -> None:
    asked = Request(workers=(1, 50), cores=4, memory=4 * GIB)
    assert fit_to_machine(asked, processors=16, memory=64 * GIB).high == 4
    assert fit_to_machine(asked, processors=64, memory=8 * GIB).high == 2
    small = fit_to_machine(asked, processors=2, memory=2 * GIB)
    assert (small.low, small.high, small.cores, small.memory) == (1, 1, 2, 2 * GIB)
    assert small.notes == [
        "2 cores a worker instead of 4",
        "2.00 GiB a worker instead of 4.00 GiB",
        "at most 1 workers instead of 50",
    ]
    fixed = fit_to_machine(Request(workers=(4, 4)), processors=2, memory=GIB)
    assert (fixed.low, fixed.high, fixed.notes) == (4, 4, [])
    assert fit_to_machine(Request(), processors=8, memory=GIB).high == 8


def test_the_target_is_chosen_and_the_reason_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert choose_target().kind == "local"
    assert "neither HELIO_BURST_CLUSTER nor a gateway" in choose_target().why
    monkeypatch.setenv("MY_HUB", "hub.example.org")
    with dask.config.set({"gateway.address": "https://{MY_HUB}/services/dask-gateway/"}):
        url = "https://hub.example.org/services/dask-gateway"
        assert choose_target() == Target("gateway", url, "Dask's configuration names a gateway")
        assert choose_target("gateway").address == url
        monkeypatch.setenv("HELIO_BURST_CLUSTER", "slurm")
        assert choose_target() == Target("slurm", None, "HELIO_BURST_CLUSTER is 'slurm'")
        assert choose_target("local").kind == "local"
    assert choose_target("tls://10.0.0.1:8786") == Target(
        "running", "tls://10.0.0.1:8786", "it was asked for"
    )
    (tmp_path / "scheduler.json").write_text("{}")
    assert choose_target(tmp_path / "scheduler.json").kind == "running"
