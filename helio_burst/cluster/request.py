"""What a user asks of a cluster, checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dask.utils import parse_bytes

from helio_burst.errors import InputError

LEAST_MEMORY = 64 * 2**20  # below this a worker does not even start


@dataclass(frozen=True)
class Request:
    """The checked arguments of `open_cluster`; None leaves the choice to the target."""

    workers: tuple[int, int] | None = None
    cores: int | None = None
    memory: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    idle: float | None = None
    detached: bool = False
    start_timeout: float = 600.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def adaptive(self) -> bool:
        """Whether the number of workers is to follow the work."""
        return self.workers is not None and self.workers[0] != self.workers[1]


def check_request(
    *,
    workers: int | tuple[int, int] | None,
    cores: int | None,
    memory: int | str | None,
    environment: Mapping[str, object] | None,
    image: str | None,
    idle: float | str | None,
    detached: bool,
    start_timeout: float | str,
    options: Mapping[str, Any] | None,
) -> Request:
    """Check every argument; raise InputError that says what would have been accepted."""
    return Request(
        workers=None if workers is None else check_workers(workers),
        cores=_cores(cores),
        memory=_memory(memory),
        environment=_environment(environment),
        image=image,
        idle=None if idle is None else seconds("idle", idle),
        detached=detached,
        start_timeout=seconds("start_timeout", start_timeout),
        options=dict(options or {}),
    )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_workers(workers: int | tuple[int, int]) -> tuple[int, int]:
    """Return the least and the most workers of a number or of a pair of bounds."""
    bounds = (workers, workers) if isinstance(workers, int) else workers
    accepted = "Give a number of workers, as 4, or the bounds of an adaptive cluster, as (1, 50)."
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2 or not all(map(_whole, bounds)):
        raise InputError(f"workers={workers!r} is neither a whole number nor a pair of them. {accepted}")
    low, high = bounds
    if low < 0 or high < 1:
        raise InputError(f"workers={workers!r} leaves no worker to do the work. {accepted}")
    if low > high:
        raise InputError(f"workers={workers!r}: the least is more than the most. {accepted}")
    return low, high


def _cores(cores: int | None) -> int | None:
    if cores is None:
        return None
    if not _whole(cores) or cores < 1:
        raise InputError(f"cores={cores!r}: give the cores of one worker as a whole number from 1.")
    return cores


def _memory(memory: int | str | None) -> int | None:
    if memory is None:
        return None
    accepted = "Give the memory of one worker, as '4 GiB' (or kB, MB, GB, TB, KiB, MiB, TiB)."
    if not isinstance(memory, (int, float, str)):
        raise InputError(f"memory={memory!r} is no amount of memory. {accepted}")
    try:
        number = int(parse_bytes(memory))
    except ValueError as error:
        raise InputError(f"memory={memory!r} is no amount of memory: {error}. {accepted}") from error
    if number < LEAST_MEMORY:
        raise InputError(f"memory={memory!r} is {number} bytes, too little for a worker. {accepted}")
    return number


def _environment(environment: Mapping[str, object] | None) -> dict[str, str]:
    if environment is None:
        return {}
    if not isinstance(environment, Mapping) or not all(isinstance(name, str) for name in environment):
        raise InputError(f"environment={environment!r} is no mapping of variable names to values.")
    return {name: str(value) for name, value in environment.items()}


_UNITS = {"": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0}


def seconds(name: str, value: float | str) -> float:
    """Return the seconds of a duration such as ``"30 min"`` or a number of seconds.

    Examples
    --------
    >>> seconds("idle", "30 min"), seconds("idle", "1.5 hours"), seconds("idle", 20)
    (1800.0, 5400.0, 20.0)
    """
    accepted = "Give seconds, or a number and a unit, as '90 s', '30 min' or '2 h'."
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*", str(value))
    unit = _UNITS.get(match[2].removesuffix("s")) if match else None
    if match is None or unit is None or isinstance(value, bool):
        raise InputError(f"{name}={value!r} is no duration. {accepted}")
    duration = float(match[1]) * unit
    if not duration:
        raise InputError(f"{name}={value!r} is no time at all. {accepted}")
    return duration
