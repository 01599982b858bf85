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

from helio_burst.cluster.hub import LocalHub

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NAME = "01_sdo_irradiance.ipynb"
ENVIRONMENT = {"PYTHONPATH": str(NOTEBOOKS.parent), "HELIO_BURST_CACHE": "off"}
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


def put_notebook(folder: Path, target: str) -> None:
    """Put the first notebook, with fewer images, into a folder."""
    notebook = json.loads((NOTEBOOKS / "01_sdo_irradiance.ipynb").read_text())
    changes = {"2020-01-02": "2020-01-01T08", 'target = "local"': f'target = "{target}"'}
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            for old, new in changes.items():
                cell["source"] = [line.replace(old, new) for line in cell["source"]]
    (folder / NAME).write_text(json.dumps(notebook))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab server over a copy of the first notebook; its address, with the token."""
    put_notebook(tmp_path, "local")
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / ".jupyter" / kind) for kind in ("CONFIG", "RUNTIME")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"],
        cwd=tmp_path,
        env=os.environ | folders | ENVIRONMENT,
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
                return f"{about['url']}lab/tree/{NAME}?token={about['token']}"
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
    """Run a notebook as a person does: by the menu, when the kernel is there; what comes earlier is lost."""
    expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible(timeout=180_000)
    page.get_by_role("menuitem", name="Run", exact=True).click(timeout=120_000)
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def check_first_notebook(page: Page) -> None:
    """Run the first notebook; see its progress, its figures and what it records."""
    title = page.get_by_role("heading", name="A light curve of the Sun from a year of images")
    expect(title).to_be_visible(timeout=180_000)
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


def take_picture(page: Page, path: Path) -> None:
    """Keep a picture of the page with the notebook's first figure; the documentation has one of them."""
    news = page.get_by_role("button", name="Hide notification")
    if news.count():
        news.first.click()
        expect(news).to_have_count(0)
    page.set_viewport_size({"width": 1400, "height": 1500})
    page.locator(".jp-OutputArea-output img").first.scroll_into_view_if_needed()
    page.mouse.move(900, 700)
    page.mouse.wheel(0, 420)
    expect(page.locator(".helio-burst-progress")).to_be_in_viewport()
    page.screenshot(path=path)


@pytest.mark.timeout(600)
def test_a_person_runs_the_first_notebook(lab: str, page: Page, tmp_path: Path) -> None:
    page.goto(lab, timeout=120_000)
    check_first_notebook(page)
    take_picture(page, tmp_path / "jupyterlab.png")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_person_bursts_from_the_hub_through_the_gateway(page: Page, tmp_path: Path) -> None:
    home = tmp_path / "homes" / "ada"
    home.mkdir(parents=True)
    put_notebook(home, "gateway")
    with LocalHub(users=("ada",), homes=tmp_path / "homes", environment=ENVIRONMENT) as hub:
        page.goto(f"{hub.address}/hub/login?next=/hub/user-redirect/lab/tree/{NAME}", timeout=120_000)
        page.locator("#username_input").fill("ada")
        page.locator("#password_input").fill(hub.password)
        page.locator("#login_submit").click()
        check_first_notebook(page)
        take_picture(page, tmp_path / "hub.png")
