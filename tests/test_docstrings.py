"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from helio_burst import storage

PACKAGE = Path(__file__).resolve().parents[1] / "helio_burst"
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.fixture(autouse=True)
def _own_storage() -> Iterator[None]:
    """An example may lead s3:// addresses to a server of its own."""
    yield
    storage.use(None)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module, said = importlib.import_module(name), io.StringIO()
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(example, out=said.write)
    assert runner.tries, f"{name} has examples that are not found"
    assert not runner.failures, said.getvalue()
