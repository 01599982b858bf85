"""The files that build the image are well-formed; the image itself is tested in test_image.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert hadolint is not None
    done = run(hadolint, "docker/Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_script_is_well_formed() -> None:
    done = run("bash", "-n", "docker/make-image")
    assert done.returncode == 0, done.stderr


def test_the_image_does_not_run_as_root() -> None:
    last_stage = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert "\nUSER 1000:100\n" in last_stage
    assert last_stage.index("\nUSER ") < last_stage.index("smoke_test.py\nCMD")


def test_everything_that_is_copied_reaches_the_build() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for line in (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert any(source == one or source.startswith(f"{one}/") for one in allowed), source


@pytest.mark.parametrize("builder", ["podman", "kaniko"])
def test_an_unknown_builder_is_refused(builder: str) -> None:
    done = subprocess.run(
        ["bash", "docker/make-image"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "BUILDER": builder},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert f"BUILDER is '{builder}'; it must be docker or buildah" in done.stderr
