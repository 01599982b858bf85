"""pysat with a home of its own, and instruments made of arrays, as the oracle for seasons."""

from __future__ import annotations

import importlib
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from helio_burst.season import Rows
from helio_burst.season.instrument import import_pysat, without_noise

PysatMaker = Callable[..., Any]


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks of pysat's own test classes, which are imported with pysat."""
    for mark in ("all_inst", "download", "first", "load_options", "new_tests", "no_download", "second"):
        config.addinivalue_line("markers", f"{mark}: of pysat's test classes; unused here")


@pytest.fixture(autouse=True)
def _no_noise() -> Iterator[None]:
    """Tests that call pysat by themselves are as quiet as the pysat engine."""
    with without_noise():
        yield


@pytest.fixture(scope="session")
def pysat(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module pysat, with a temporary home and data directory."""
    module = import_pysat()
    module.params["data_dirs"] = [str(tmp_path_factory.mktemp("pysat"))]
    with without_noise(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*has been deprecated and will be removed", DeprecationWarning)
        importlib.import_module("pysatNASA")
    module.logger.setLevel("ERROR")
    return module


@pytest.fixture
def pysat_of(pysat: Any) -> PysatMaker:
    """Make a pysat Instrument of days of rows; its orbits and averages are pysat's own."""

    def make(days: Mapping[int, Rows], first: int, number: int, **orbit_info: Any) -> Any:
        instrument = pysat.Instrument(
            inst_module=_module(pysat, days, first, number),
            orbit_info=orbit_info or {"kind": "longitude", "index": "longitude"},
            clean_level="none",
            temporary_file_list=True,
        )
        start = pd.Timestamp(first, unit="D").to_pydatetime()
        instrument.bounds = (start, start + timedelta(days=number - 1))
        return instrument

    return make


def _module(pysat: Any, days: Mapping[int, Rows], first: int, number: int) -> Any:
    def load(names: list[str], tag: str, inst_id: str) -> tuple[pd.DataFrame, Any]:
        frames = []
        for name in names:
            rows = days.get(first + int(Path(name).name))
            if rows is not None:
                index = pd.DatetimeIndex(rows.time.astype("datetime64[ns]"), name="Epoch")
                frames.append(pd.DataFrame(dict(rows.values), index=index))
        return (pd.concat(frames) if frames else pd.DataFrame()), pysat.Meta()

    def list_files(**_: Any) -> pd.Series:
        dates = pd.date_range(pd.Timestamp(first, unit="D"), periods=number)
        return pd.Series([str(day) for day in range(number)], index=dates)

    def init(self: Any) -> None:
        self.acknowledgements = self.references = ""

    module = types.ModuleType("made_up_instrument")
    module.__dict__.update(
        platform="made",
        name="up",
        tags={"": ""},
        inst_ids={"": [""]},
        pandas_format=True,
        load=load,
        list_files=list_files,
        init=init,
        clean=lambda self: None,
        download=lambda *args, **kwargs: None,
    )
    return module
