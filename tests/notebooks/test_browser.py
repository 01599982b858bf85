"""JupyterLab in a real browser: a person opens the first notebook and runs all its cells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CHROMIUM = shutil.which("chromium")
# The closed networks of test machines refuse what Chromium asks of the outside, many times over.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab server over a copy of the first notebook; its address, with the token."""
    notebook = json.loads((NOTEBOOKS / "01_sdo_irradiance.ipynb").read_text())
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = [line.replace("2020-01-02", "2020-01-01T08") for line in cell["source"]]
    (tmp_path / "01_sdo_irradiance.ipynb").write_text(json.dumps(notebook))
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / ".jupyter" / kind) for kind in ("CONFIG", "RUNTIME")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"],
        cwd=tmp_path,
        env=os.environ | folders | {"PYTHONPATH": str(NOTEBOOKS.parent), "HELIO_BURST_CACHE": "off"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _address(server, Path(folders["JUPYTER_RUNTIME_DIR"]))
    finally:
        server.terminate()
        server.wait(30)


def _address(server: subprocess.Popen[bytes], runtime: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert server.poll() is None, "JupyterLab did not start"
        for path in runtime.glob("jpserver-*.json"):
            about = json.loads(path.read_text() or "{}")
            if about:
                return f"{about['url']}lab/tree/01_sdo_irradiance.ipynb?token={about['token']}"
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not say where it listens within 90 s")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A tab of a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        yield page
        browser.close()


def run_all_cells(page: Page) -> None:
    """Run a notebook as a person does, by the menu."""
    page.get_by_role("menuitem", name="Run", exact=True).click(timeout=120_000)
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


@pytest.mark.timeout(400)
def test_a_person_runs_the_first_notebook(lab: str, page: Page, tmp_path: Path) -> None:
    page.goto(lab, timeout=120_000)
    title = page.get_by_role("heading", name="A light curve of the Sun from a year of images")
    expect(title).to_be_visible(timeout=120_000)
    run_all_cells(page)
    progress = page.locator(".helio-burst-progress")
    expect(progress).to_have_attribute("data-total", "8", timeout=300_000)
    expect(progress).to_have_attribute("data-done", "8", timeout=120_000)
    expect(progress).to_contain_text("no failures")
    figures = page.locator(".jp-OutputArea-output img")
    expect(figures).to_have_count(2, timeout=120_000)
    expect(page.get_by_text("files: 8, failures: 0")).to_be_visible(timeout=60_000)
    figures.last.scroll_into_view_if_needed()
    assert figures.last.evaluate("image => image.naturalWidth") > 400
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    page.screenshot(path=tmp_path / "jupyterlab.png")
