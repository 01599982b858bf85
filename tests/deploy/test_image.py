"""The image that `make image` has built starts, holds the versions of the lock, and runs the demo job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from packaging.utils import canonicalize_name

import helio_burst

from .test_versions import locked

IMAGE = os.environ.get("IMAGE", f"localhost/helio-burst:{helio_burst.__version__}")
Run = Callable[..., str]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def succeeds(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None
        and not subprocess.run(command, capture_output=True, timeout=60).returncode
    )


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """A function that runs a command in a fresh container of the image and returns what it prints."""
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
    if succeeds("docker", "image", "inspect", IMAGE):
        yield lambda *command: output("docker", "run", "--rm", IMAGE, *command)
    elif succeeds("podman", "image", "inspect", IMAGE):
        # A container inside a container may not use systemd's cgroups, and crun not the host's limits.
        start = (
            "podman",
            "--cgroup-manager=cgroupfs",
            "--runtime=runc",
            "run",
            "--rm",
            "--network=host",
            *limits,
        )
        yield lambda *command: output(*start, IMAGE, *command)
    elif succeeds("buildah", "inspect", "--type", "image", IMAGE):
        container = output("buildah", "from", "--pull-never", IMAGE).strip()
        isolation = "oci" if shutil.which("runc") else "chroot"
        start = (
            "buildah",
            "run",
            f"--isolation={isolation}",
            "--runtime=runc",
            "--network=host",
            container,
            "--",
        )
        yield lambda *command: output(*start, *command)
        output("buildah", "rm", container)
    else:
        pytest.skip(f"no image {IMAGE} here; `make image` builds it")


def test_it_holds_this_version_and_does_not_run_as_root(run: Run) -> None:
    code = "import os, helio_burst; print(os.getuid(), helio_burst.__version__)"
    assert run("python", "-c", code).split() == ["1000", helio_burst.__version__]


def test_it_holds_the_versions_of_the_lock(run: Run) -> None:
    inside = {
        canonicalize_name(package["name"]): package["version"]
        for package in json.loads(
            run("python", "-m", "pip", "list", "--format=json", "--disable-pip-version-check")
        )
    }
    python = run("python", "-c", "import platform; print(platform.python_version())").strip()
    pins = {name: str(version) for name, version in locked(python).items()}
    unlocked = set(inside) - set(pins)
    assert unlocked <= {"helio-burst", "pip", "setuptools"}
    assert {name: version for name, version in inside.items() if name not in unlocked} == {
        name: pins[name] for name in inside if name not in unlocked
    }


def test_it_runs_the_demo(run: Run) -> None:
    script = "helio-burst demo --images 8 --pixels 1024 --out /tmp/demo && ls /tmp/demo"
    assert {"irradiance.nc", "irradiance.png"} <= set(run("sh", "-c", script).split())
