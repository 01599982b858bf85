"""The user's own code runs in a process that has only the installed packages."""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

import helio_burst
from helio_burst.cluster import shipping
from helio_burst.errors import InputError, nearest

ROOT = Path(helio_burst.__file__).resolve().parents[1]
WORKER = """
import pickle, sys, cloudpickle
import os; os.chdir("/")
for blob, args in pickle.load(sys.stdin.buffer):
    pickle.dump(cloudpickle.loads(blob)(*args), sys.stdout.buffer)
"""


def on_worker(*calls: tuple[bytes, tuple[Any, ...]]) -> list[Any]:
    """Load and call each function, one after the other, in one fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=pickle.dumps(list(calls)),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    stream = __import__("io").BytesIO(done.stdout)
    return [pickle.load(stream) for _ in calls]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A local package with relative imports, as a scientist keeps beside the notebook."""
    folder = tmp_path / "sunlab"
    (folder / "instruments").mkdir(parents=True)
    (folder / "__init__.py").write_text("from .analysis import analyse\nNAME = 'sunlab'\n")
    (folder / "analysis.py").write_text(
        "import numpy as np\n"
        "from . import scale\n"
        "from .scale import FACTOR, Gain\n"
        "from .instruments import aia\n"
        "def analyse(x):\n    return float(np.sum(FACTOR * np.asarray(x)))\n"
        "def by_module(x):\n    return scale.twice(x) + aia.offset()\n"
        "def by_class(x):\n    return Gain(3).apply(x)\n"
        "def late(x):\n    from .scale import twice\n    import sunlab.instruments.aia as aia\n"
        "    return twice(x) + aia.offset()\n"
    )
    (folder / "scale.py").write_text(
        "from . import analysis  # the two import each other\n"
        "FACTOR = 10\n"
        "def twice(x):\n    return 2 * x\n"
        "class Gain:\n"
        "    def __init__(self, gain):\n        self.gain = gain\n"
        "    def apply(self, x):\n        return self.gain * x\n"
        "    def __eq__(self, other):\n        return self.gain == other.gain\n"
        "    __hash__ = None\n"
    )
    (folder / "instruments" / "__init__.py").write_text("")
    (folder / "instruments" / "aia.py").write_text("def offset():\n    return 100\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "sunlab"]:
        del sys.modules[name]


def test_a_function_of_the_notebook() -> None:
    main = {"__name__": "__main__", "np": np, "THRESHOLD": 2.5}
    exec("def above(x):\n    return int(np.sum(np.asarray(x) > THRESHOLD))", main)
    assert on_worker((shipping.dumps(main["above"]), ([1, 2, 3, 4],))) == [2]


def test_a_local_package_with_relative_imports(package: Path) -> None:
    analysis = importlib.import_module("sunlab.analysis")
    names = ("analyse", "by_module", "by_class", "late")
    calls = [(shipping.dumps(getattr(analysis, name)), (5,)) for name in names]
    assert on_worker(*calls) == [50.0, 110, 15, 110]


def test_a_bare_function_of_a_local_package(package: Path) -> None:
    """Plain pickle sends such a function by name, which fails on the worker."""
    analyse = importlib.import_module("sunlab").analyse
    assert b"sunlab" in pickle.dumps(analyse)
    assert on_worker((shipping.dumps(analyse), ([1, 2],))) == [30.0]


def test_a_notebook_function_that_uses_a_local_module(package: Path) -> None:
    main: dict[str, Any] = {"__name__": "__main__"}
    exec("import sunlab.scale\ndef f(x):\n    return sunlab.scale.twice(x)", main)
    exec("def late(x):\n    import sunlab\n    return sunlab.NAME * x", main)
    assert on_worker((shipping.dumps(main["f"]), (4,)), (shipping.dumps(main["late"]), (2,))) == [
        8,
        "sunlabsunlab",
    ]


def test_edits_are_picked_up(package: Path) -> None:
    analysis = importlib.import_module("sunlab.analysis")
    calls = [(shipping.dumps(analysis.late), (1,)), (shipping.dumps(analysis.analyse), ([1],))]
    (package / "scale.py").write_text("FACTOR = 7\ndef twice(x):\n    return 2000 * x\nclass Gain: pass\n")
    importlib.invalidate_caches()
    importlib.reload(sys.modules["sunlab.scale"])
    importlib.reload(analysis)
    calls += [(shipping.dumps(analysis.late), (1,)), (shipping.dumps(analysis.analyse), ([1],))]
    assert on_worker(*calls) == [102, 10.0, 2100, 7.0]


def test_state_of_this_process_goes_along(package: Path) -> None:
    analysis = importlib.import_module("sunlab.analysis")
    analysis.FACTOR = 3
    assert on_worker((shipping.dumps(analysis.analyse), ([1, 1],))) == [6.0]


def test_objects_of_local_classes_come_back_as_such(package: Path) -> None:
    gain = importlib.import_module("sunlab.scale").Gain
    made = cloudpickle.loads(shipping.dumps(functools.partial(gain, 4)))()
    assert isinstance(made, gain)
    assert cloudpickle.loads(shipping.dumps(gain(4).apply))(2) == 8


def test_loading_here_keeps_the_local_module(package: Path) -> None:
    analysis = importlib.import_module("sunlab.analysis")
    scale = sys.modules["sunlab.scale"]
    assert cloudpickle.loads(shipping.dumps(analysis.late))(1) == 102
    assert sys.modules["sunlab.scale"] is scale


@pytest.mark.parametrize("function", [np.mean, nearest, Path.exists])
def test_installed_packages_and_this_one_go_by_name(function: Callable[..., Any]) -> None:
    assert len(shipping.dumps(function)) < 200
    assert not cloudpickle.list_registry_pickle_by_value()


def test_names_the_closure_variable() -> None:
    lock = threading.Lock()

    def locked(x: int) -> int:
        with lock:
            return x

    def outer(x: int) -> int:
        return locked(x)

    with pytest.raises(InputError, match=r"closure variable 'lock' of closure variable 'locked', a.*lock"):
        shipping.dumps(outer)


def test_names_the_attribute(tmp_path: Path) -> None:
    class Pipeline:
        def __init__(self) -> None:
            self.settings = {"log": log}

        def run(self, x: int) -> int:
            return x

    with (
        (tmp_path / "log").open("w") as log,
        pytest.raises(InputError, match=r"item 'log' of attribute 'settings' of .*TextIOWrapper"),
    ):
        shipping.dumps(Pipeline().run)


def test_names_the_global_of_a_local_module(package: Path) -> None:
    (package / "broken.py").write_text(
        "import threading\nLOCK = threading.Lock()\ndef f(x):\n    return LOCK, x\n"
    )
    broken = importlib.import_module("sunlab.broken")
    with pytest.raises(InputError, match=r"'f' to the workers: global variable 'LOCK'"):
        shipping.dumps(broken.f)
