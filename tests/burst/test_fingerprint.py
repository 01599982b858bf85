"""The hash that tells one job from another."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helio_burst import readers
from helio_burst.burst.fingerprint import describe, fingerprint, source_of
from helio_burst.errors import InputError

THRESHOLD = 3


def _helper(x: float) -> float:
    return x * THRESHOLD


def _calls_helper(x: float) -> float:
    return _helper(x) + 1


def _made(constant: float):  # type: ignore[no-untyped-def]
    def function(x: float) -> float:
        return x + constant

    return function


def test_a_constant_changes_it() -> None:
    assert fingerprint(_made(1)) == fingerprint(_made(1))
    assert fingerprint(_made(1)) != fingerprint(_made(2))
    assert fingerprint(lambda x: x + 1) != fingerprint(lambda x: x + 2)
    assert fingerprint(functools.cache(_made(1))) == fingerprint(functools.cache(_made(1)))
    assert fingerprint(functools.cache(_made(1))) != fingerprint(functools.cache(_made(2)))


def test_a_constant_of_a_function_that_it_calls_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(_calls_helper)
    monkeypatch.setattr(sys.modules[__name__], "THRESHOLD", 4)
    assert fingerprint(_calls_helper) != before


def test_a_global_with_the_name_of_an_attribute_does_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook, what a function returns is often named as the method that it calls."""

    def average(image: np.ndarray) -> float:
        return float(image.mean())

    before = fingerprint(average)
    monkeypatch.setitem(globals(), "mean", 94.3)
    assert fingerprint(average) == before


def test_options_and_readers_change_it() -> None:
    job = (_helper, readers.fits)
    assert fingerprint(*job, {"a": 1, "b": 2}) == fingerprint(*job, {"b": 2, "a": 1})
    assert fingerprint(*job, {"a": 1}) != fingerprint(*job, {"a": 2})
    assert fingerprint(_helper, functools.partial(readers.fits, hdu=1)) != fingerprint(*job)
    assert fingerprint(*job, {"m": np.zeros(3)}) != fingerprint(*job, {"m": np.ones(3)})


def test_objects_count_by_class_and_state() -> None:
    class Scale:
        def __init__(self, by: float) -> None:
            self.by = by

        def __call__(self, x: float) -> float:
            return x * self.by

    assert fingerprint(Scale(2)) == fingerprint(Scale(2))
    assert fingerprint(Scale(2)) != fingerprint(Scale(3))
    assert fingerprint(Scale(2).__call__) != fingerprint(Scale(3).__call__)


def test_it_is_the_same_in_another_process(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        "import numpy as np\n"
        "from helio_burst.burst.fingerprint import fingerprint\n"
        "SET = {'one', 'two', 'three'}\n"
        "def inner(x): return [np.mean(x) for _ in range(2)], x in SET\n"
        "def outer(x, *, scale=2.5): return inner(x)[0] * scale\n"
        "print(fingerprint(outer, {'a': [1, 2], 'b': None}))\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for _ in range(3)
    }
    assert len(runs) == 1


def test_what_has_no_stable_hash_is_refused() -> None:
    with pytest.raises(InputError, match="No stable hash can be made of"):
        fingerprint(_helper, {"lock": object()})


def test_functions_are_named_and_shown() -> None:
    assert describe(functools.partial(readers.fits, hdu=1)).endswith("fits")
    assert "return x * THRESHOLD" in source_of(_helper)
    assert source_of(len) == ""
