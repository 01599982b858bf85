"""When a run stops by itself, and how long one file may take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from numbers import Integral, Real

from helio_burst.burst.progress import Progress
from helio_burst.errors import InputError
from helio_burst.timespan import parse_duration


@dataclass(frozen=True)
class Limits:
    """When a run stops by itself; what is done by then stays in the ledger.

    Attributes
    ----------
    failures : int, optional
        Stop when more items than this have failed.
    seconds, dollars : float, optional
        Stop when the run has taken, or cost, this much.
    """

    failures: int | None = None
    seconds: float | None = None
    dollars: float | None = None

    @classmethod
    def given(cls, max_failures: int | None, max_time: float | str | None, max_cost: float | None) -> Limits:
        """Check the limits that a user gives.

        Raises
        ------
        InputError
            One of them is no number, or less than makes sense.
        """
        if max_failures is not None and not (isinstance(max_failures, Integral) and max_failures >= 0):
            raise InputError(f"max_failures={max_failures!r} must be a whole number, 0 or more.")
        if max_cost is not None and not (isinstance(max_cost, Real) and max_cost > 0):
            raise InputError(f"max_cost={max_cost!r} must be a number of US dollars, more than 0.")
        return cls(
            None if max_failures is None else int(max_failures),
            as_seconds(max_time, "max_time"),
            None if max_cost is None else float(max_cost),
        )

    def reached(self, progress: Progress, failed: int) -> str | None:
        """Say which limit has been reached, if any; `failed` counts this run's failures only."""
        if too_many := self.too_many(progress, failed):
            return too_many
        if self.seconds is not None and progress.seconds >= self.seconds:
            return f"it took {progress.seconds:.0f} s, the limit max_time={self.seconds:.0f} s"
        if self.dollars is not None and progress.cost >= self.dollars:
            return f"it cost ${progress.cost:.2f}, the limit max_cost={self.dollars:.2f}"
        return None

    def too_many(self, progress: Progress, failed: int) -> str | None:
        """Say that too many have failed, if so."""
        if self.failures is None or failed <= self.failures:
            return None
        return f"{failed} {progress.unit} failed, more than max_failures={self.failures}"


def as_seconds(value: float | str | timedelta | None, name: str) -> float | None:
    """Read a stretch of time that a user gives as the argument `name`.

    Examples
    --------
    >>> as_seconds("5 min", "time_limit"), as_seconds(2.5, "time_limit")
    (300.0, 2.5)
    """
    if value is None:
        return None
    try:
        # A number is seconds; all else has a unit.
        seconds = float(value) if isinstance(value, Real) else parse_duration(value).total_seconds()  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}={value!r} is no time; give seconds, or a text such as '5 min'.") from error
    if not seconds > 0:
        raise InputError(f"{name}={value!r} must be more than nothing.")
    return seconds
