"""A file that failed is a row: what it was, why, how often it was tried and where."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from helio_burst.errors import AccessDeniedError, TransientStorageError

COLUMNS = ("datakey", "error", "message", "traceback", "attempts", "worker")

#: How often an exception is tried again, by its class; what is not listed is permanent.
DEFAULT_RETRIES: Mapping[type[BaseException], int] = {
    TransientStorageError: 3,
    ConnectionError: 3,
    TimeoutError: 3,
}

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Failure:
    """Why one item has no result.

    Attributes
    ----------
    error, message, traceback : str
        The exception's class, its text and its traceback from the user's side on.
    attempts : int
        How often it was tried.
    passing : bool
        The cause lies outside the file (network, credentials): a rerun tries it again by itself.
    """

    error: str
    message: str
    traceback: str = ""
    attempts: int = 1
    passing: bool = False


def retries_for(error: BaseException, retries: Mapping[type[BaseException], int]) -> int:
    """Return how often this exception may be tried again: the nearest listed class counts."""
    for kind in type(error).__mro__:
        if kind in retries:
            return retries[kind]
    return 0


def failure_of(error: BaseException, attempts: int) -> Failure:
    """Describe an exception that was caught while one item was worked on."""
    trace = error.__traceback__
    # The engine's own frames say nothing to the user; what follows them is the reader or the function.
    while trace is not None and trace.tb_next is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    passing = isinstance(error, (TransientStorageError, AccessDeniedError, ConnectionError, TimeoutError))
    return Failure(_name(type(error)), str(error)[:2000], text[-20000:], attempts, passing)


def _is_ours(filename: str) -> bool:
    return filename.startswith(_HERE)


def _name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def by_cause(failures: pd.DataFrame) -> pd.DataFrame:
    """Group failures by exception and message: how many, and one example of each.

    Returns
    -------
    DataFrame
        Columns error, message (numbers and names that vary are cut off), count, example; most frequent first.
    """
    if failures.empty:
        return pd.DataFrame({"error": [], "message": [], "count": [], "example": []})
    keys = failures["datakey"].astype(str)
    message = pd.Series(
        [
            text.replace(key, "<datakey>").splitlines()[0][:120] if text else ""
            for text, key in zip(failures["message"].astype(str), keys, strict=True)
        ],
        index=failures.index,
    ).str.replace(r"(?<!\bS)\d+", "#", regex=True)  # S3 is no number
    grouped = failures.assign(message=message, example=keys).groupby(["error", "message"], sort=False)
    table = grouped["example"].agg(["size", "first"]).reset_index()
    table.columns = pd.Index(["error", "message", "count", "example"])
    return table.sort_values("count", ascending=False, kind="stable").reset_index(drop=True)
