"""The documentation: it builds without a warning, and the code in it names what there is."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import helio_burst

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "howto").glob("*.md"))]
MODULES = {"hb": helio_burst} | {
    name: importlib.import_module(f"helio_burst.{name}")
    for name in ("burst", "plot", "readers", "science", "season", "storage")
}


def code_blocks(path: Path) -> list[str]:
    """Return the Python examples of a page."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def resolve(node: ast.expr) -> Any:
    """Return what an expression such as hb.season.Bins names, or None if it is not of this package."""
    if isinstance(node, ast.Name):
        return MODULES.get(node.id)
    if isinstance(node, ast.Attribute):
        parent = resolve(node.value)
        if inspect.ismodule(parent):
            return getattr(parent, node.attr)
    return None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_name_what_there_is(path: Path) -> None:
    for block in code_blocks(path):
        tree = ast.parse(block)
        # A page may use a word such as `catalog` for something of its own.
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        own = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _root(node) not in own:
                resolve(node)
            if isinstance(node, ast.Call) and _root(node.func) not in own:
                _check_keywords(resolve(node.func), node)


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _check_keywords(function: Any, call: ast.Call) -> None:
    if function is None or inspect.isclass(function) or not callable(function):
        return
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = {word.arg for word in call.keywords if word.arg} - set(parameters)
    assert not unknown, f"{ast.unparse(call.func)} takes no {unknown}; it takes {list(parameters)}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    trees, site = tmp_path / "trees", tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", trees, DOCS, site],
        cwd=ROOT,
        env=os.environ | {"HELIO_BURST_DOCS_NOTEBOOKS": "off", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = {str(path.relative_to(site)) for path in (site).rglob("*.html")}
    assert {
        "index.html",
        "getting-started.html",
        "generated/commands.html",
        "generated/job-file.html",
    } <= pages
    commands = (site / "generated" / "commands.html").read_text(encoding="utf-8")
    assert "helio-burst sweep" in commands


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text):
        link = target[0] or target[1]
        if "://" not in link:
            assert (ROOT / link).exists(), f"README.md links to {link}, which is not there"
