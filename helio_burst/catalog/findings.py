"""What is wrong in a registry, a catalog or an index file: where, what and how to repair it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

import pandas as pd

from helio_burst.errors import CatalogError, CatalogWarning

Severity = Literal["error", "warning", "note"]
_RANK = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One thing wrong in one place.

    Attributes
    ----------
    severity : {"error", "warning", "note"}
        error: something cannot be used; warning: it is read around; note: allowed, but better otherwise.
    file : str
        URL of the file.
    line : int or None
        Line of the file, from 1; None where the finding is about the whole file.
    entry : str or None
        Id of the catalog's entry.
    problem : str
        What is wrong, with the value.
    repair : str
        What to do about it.
    """

    severity: Severity
    file: str
    line: int | None
    entry: str | None
    problem: str
    repair: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        entry = f" (entry {self.entry})" if self.entry else ""
        return f"{place}{entry}: {self.problem} {self.repair}"


def table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Put findings into a DataFrame, the worst first, then by file and line."""
    names = [field.name for field in fields(Finding)]
    ordered = sorted(
        dict.fromkeys(findings), key=lambda found: (_RANK[found.severity], found.file, found.line or 0)
    )
    frame = pd.DataFrame([[getattr(found, name) for name in names] for found in ordered], columns=names)
    return frame.astype({"line": "Int64"})


def report(findings: Iterable[Finding], *, strict: bool, stacklevel: int = 3) -> None:
    """Warn of each error and warning once, or raise at the first with ``strict``.

    Raises
    ------
    CatalogError
        With ``strict``, if there is an error or a warning.
    """
    for found in dict.fromkeys(findings):
        if found.severity == "note":
            continue
        if strict:
            raise CatalogError(str(found))
        warnings.warn(str(found), CatalogWarning, stacklevel=stacklevel)
