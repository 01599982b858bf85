"""The "pysat" engine: stock pysat and pysatSeasons on the workers, for any instrument that pysat can read.

It needs the extra ``season-pysat``. pysat keeps its settings in ``~/.pysat`` and cannot be shared by threads;
so each process that imports it here does so with a home of its own, and blocks take turns in a process.
"""

from __future__ import annotations

import atexit
import importlib
import io
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from helio_burst.errors import InputError, nearest
from helio_burst.season.bins import Bins
from helio_burst.season.blocks import Block, Partition, Selection, Unit, block_of
from helio_burst.season.checks import Description
from helio_burst.season.orbits import Orbits
from helio_burst.season.pysat_orbits import watch
from helio_burst.season.tally import Tally, question_of

_KINDS = {"longitude": "longitude", "local time": "local time", "latitude": "polar", "orbit": "orbit"}
_PACKAGES = (
    "pysat.instruments",
    "pysatNASA.instruments",
    "pysatMadrigal.instruments",
    "pysatSpaceWeather.instruments",
)
_TURN = threading.RLock()


class PysatInstrument(Description):
    """An instrument that pysat reads, as a plain description that travels to the workers.

    Parameters
    ----------
    platform, name, tag, inst_id : str
        As in ``pysat.Instrument``.
    module : str, optional
        The module that reads it, if it is not one of pysat's, pysatNASA's, pysatMadrigal's or
        pysatSpaceWeather's.
    data_dir : str
        What pysat calls a data directory; every worker must see it.
    clean_level : {"none", "dirty", "dusty", "clean"}
    orbits : Orbits
        How pysat is to find orbits: every kind but "period".
    custom : tuple of callables
        Each takes the pysat Instrument and changes it in place, as for ``Instrument.custom_attach``.
    options : dict
        Other keyword arguments of ``pysat.Instrument``.

    Raises
    ------
    InputError
        pysat has no orbits of this kind, or no such clean level.
    """

    platform: str
    name: str
    tag: str = ""
    inst_id: str = ""
    module: str | None = None
    data_dir: str = Field(min_length=1)
    clean_level: Literal["none", "dirty", "dusty", "clean"] = "clean"
    orbits: Orbits = Orbits()
    custom: tuple[Callable[[Any], None], ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("orbits")
    @classmethod
    def _known_kind(cls, value: Orbits) -> Orbits:
        if value.kind not in _KINDS:
            raise ValueError(f"pysat knows no orbits of kind {value.kind!r}; known are {', '.join(_KINDS)}")
        return value

    def open(self) -> Any:
        """Make the pysat Instrument; call it inside `pysat_session`."""
        pysat = importlib.import_module("pysat")
        instrument = pysat.Instrument(
            inst_module=self._module(),
            tag=self.tag,
            inst_id=self.inst_id,
            clean_level=self.clean_level,
            orbit_info={
                "kind": _KINDS[self.orbits.kind],
                "index": self.orbits.variable,
                "period": self.orbits.period,
            },
            temporary_file_list=True,
            **self.options,
        )
        for function in self.custom:
            instrument.custom_attach(function)
        return instrument

    def _module(self) -> Any:
        if self.module is not None:
            return importlib.import_module(self.module)
        for package in _PACKAGES:
            try:
                return importlib.import_module(f"{package}.{self.platform}_{self.name}")
            except ModuleNotFoundError:
                continue
        raise InputError(
            f"No module reads the instrument {self.platform}_{self.name}: looked in {', '.join(_PACKAGES)}. "
            "Install the package that has it, or name its module with module=."
        )


def pysat_tally(
    partition: Partition,
    *,
    instrument: PysatInstrument,
    x: Bins,
    y: Bins,
    gates: Mapping[str, Any],
    by: Unit = "orbit",
    where: Selection | None = None,
) -> Tally:
    """Count one block of days with pysatSeasons' own ``by_orbit2D`` or ``daily2D``.

    The orbits are pysat's; only those that belong to the block are handed on to pysatSeasons (see
    `orbit_tally`, whose parameters these are, and whose result it returns).
    """
    question = question_of(x, y, gates, by, instrument.orbits)
    block = block_of(partition)
    with pysat_session(instrument.data_dir):
        occurrence = importlib.import_module("pysatSeasons.occur_prob")
        opened = instrument.open()
        names = [x.variable, y.variable, *gates, *([instrument.orbits.variable] if by == "orbit" else [])]
        opened.custom_attach(_require(instrument, names))
        if where is not None:
            opened.custom_attach(_mask(where, list(gates)))
        axes = [[x.start, x.stop, x.number], x.variable, [y.start, y.stop, y.number], y.variable]
        gate = [list(gates), list(gates.values())]
        if by == "day":
            block, found = _by_day(opened, block, lambda: occurrence.daily2D(opened, *axes, *gate))
        else:
            block, found = _by_orbit(
                opened, instrument, block, lambda: occurrence.by_orbit2D(opened, *axes, *gate)
            )
    total = np.stack([found[label]["count"] for label in gates]).astype(np.int32)
    # prob is hits / total, correctly rounded, so the product is within a rounding error of a whole number.
    hits = np.stack([np.nan_to_num(found[label]["prob"]) * found[label]["count"] for label in gates])
    return Tally(question, total, np.rint(hits).astype(np.int32), (block,))


@contextmanager
def pysat_session(data_dir: str | Path) -> Iterator[Any]:
    """Have pysat to oneself, with a data directory; yields the module ``pysat``.

    Raises
    ------
    InputError
        pysat is not installed, or there is no such directory.
    """
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no pysat data directory {str(folder)!r} on this machine.")
    with _TURN, without_noise(), np.errstate(invalid="ignore"):  # pysatSeasons divides 0 by 0 for empty bins
        pysat = import_pysat()
        before = pysat.params["data_dirs"]
        pysat.params["data_dirs"] = [str(folder)]
        try:
            yield pysat
        finally:
            pysat.params["data_dirs"] = before


@contextmanager
def without_noise() -> Iterator[None]:
    """Drop the one warning that numpy gives for every file that pysat 3.2 loads; pandas turns filters off."""
    with warnings.catch_warnings(record=True) as caught:
        yield
    for warning in {str(warning.message): warning for warning in caught}.values():
        if not str(warning.message).startswith("Data type alias 'a' was deprecated"):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def import_pysat() -> Any:
    """Import pysat with a temporary home of its own, if this process has not imported it yet.

    Raises
    ------
    InputError
        It is not installed.
    """
    if "pysat" in sys.modules:
        return sys.modules["pysat"]
    home = tempfile.mkdtemp(prefix="helio-burst-pysat-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    before = os.environ.get("HOME")
    os.environ["HOME"] = home
    try:
        with redirect_stdout(io.StringIO()):  # it greets who has no settings
            return importlib.import_module("pysat")
    except ModuleNotFoundError as error:
        raise InputError("pysat is not installed: pip install 'helio-burst[season-pysat]'.") from error
    finally:
        if before is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = before


def _by_orbit(
    opened: Any, instrument: PysatInstrument, block: Block, run: Callable[[], Any]
) -> tuple[Block, Any]:
    _set_bounds(opened, block.padded_start, block.padded_stop)
    orbits = watch(opened, (block.start, block.stop))
    found = run()
    return block._replace(**orbits.noted()), found


def _by_day(opened: Any, block: Block, run: Callable[[], Any]) -> tuple[Block, Any]:
    _set_bounds(opened, block.start, block.stop)
    lengths: list[int] = []
    opened.custom_attach(lambda loaded: lengths.append(len(loaded.index)))
    found = run()
    return block._replace(rows=sum(lengths), units=len(lengths)), found


def _set_bounds(opened: Any, start: int, stop: int) -> None:
    first, last = (pd.Timestamp(day, unit="D").to_pydatetime() for day in (start, stop))
    opened.bounds = (first, last - timedelta(days=1))  # pysat's last day is part of it


def _require(instrument: PysatInstrument, names: list[str | None]) -> Callable[[Any], None]:
    """Name a variable that is not there, and those that are; pysat itself says KeyError."""

    def require(loaded: Any) -> None:
        for name in names:
            if not loaded.empty and name not in loaded.variables:
                known = list(map(str, loaded.variables))
                raise InputError(
                    f"{instrument.platform}_{instrument.name} has no variable {name!r}; it has "
                    f"{', '.join(known)}. {nearest(str(name), known)}"
                )

    return require


def _mask(where: Selection, labels: list[str]) -> Callable[[Any], None]:
    def mask(loaded: Any) -> None:
        keep = where(loaded.index.to_numpy().astype("datetime64[ns]").astype(np.int64))
        for label in labels:
            loaded[label] = loaded[label].where(keep)

    return mask
