"""Functions by name, from packages and from files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from helio_burst.cli import code
from helio_burst.errors import InputError


@pytest.fixture(autouse=True)
def _own_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_a_function_of_a_package() -> None:
    assert code.load("os.path:join", Path())("a", "b") == "a/b"


def test_a_function_of_a_file_that_imports_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_it.py").write_text("FACTOR = 3\n")
    (tmp_path / "analysis.py").write_text(
        "import neighbour_of_it\ndef triple(x): return neighbour_of_it.FACTOR * x\n"
    )
    assert code.load("analysis.py:triple", tmp_path)(2) == 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mean", "names no function"),
        ("math:", "names no function"),
        ("maths:sin", "no module 'maths'"),
        ("xml.nothing:f", "no module 'xml.nothing'"),
        ("math:sinus", "math has no 'sinus'. Nearest: sin"),
        ("math:pi", "is a float, not a function"),
        ("absent.py:f", "no file .*absent.py"),
        ("broken.py:f", "Importing .*broken.py failed: ZeroDivisionError"),
        ("needy.py:f", "Importing .*needy.py failed: ModuleNotFoundError: No module named 'not_there'"),
        ("old.py:func", "old.py has no 'func'. Nearest: fun"),
    ],
)
def test_a_wrong_name_says_what_there_is(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "needy.py").write_text("import not_there\n")
    (tmp_path / "old.py").write_text("def fun(): pass\n")
    with pytest.raises(InputError, match=words):
        code.load(name, tmp_path)


def test_options_are_held_against_the_signature() -> None:
    def total(image, *, weight=1.0): ...

    code.check_options(total, {"weight": 2.0})
    with pytest.raises(InputError, match=r"keyword argument 'wait'; .*total\(image, \*, weight=1.0\)"):
        code.check_options(total, {"wait": 2.0})
