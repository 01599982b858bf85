"""How the commands print: results on standard output, what is said beside them on standard error."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    import pandas as pd

# Neither markup nor line breaks: names and addresses hold brackets, and are to be copied whole.
results = Console(highlight=False, markup=False, soft_wrap=True)
notes = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


_UNFOLDED = 100_000


class Format(StrEnum):
    """How a table is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", "-f", help="A table for people, or all rows and columns for programs.")
]


def show(frame: pd.DataFrame, form: Format, columns: list[str] | None = None, most: int = 40) -> None:
    """Print a DataFrame.

    Parameters
    ----------
    frame : DataFrame
        What to print.
    form : Format
        CSV and JSON print every row and column; times are ISO 8601, UTC.
    columns : list of str, optional
        The columns that the table shows, of those that there are.
    most : int
        Rows that the table shows.
    """
    if form is Format.CSV:
        _iso(frame).to_csv(sys.stdout, index=False)
    elif form is Format.JSON:
        _iso(frame).to_json(sys.stdout, orient="records", indent=2, force_ascii=False)
        sys.stdout.write("\n")
    else:
        _table(frame[[name for name in columns or frame.columns if name in frame]], most)


def _iso(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    written = frame.copy()
    for name, column in frame.items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            written[name] = column.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").str.replace(".000000Z", "Z")
    return written


def _table(frame: pd.DataFrame, most: int) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in frame.columns:
        table.add_column(
            str(name),
            justify="right" if frame[name].dtype.kind in "iuf" else "left",
            overflow="fold",
        )
    for values in frame.head(most).itertuples(index=False):
        table.add_row(*map(_cell, values))
    # A program that reads the lines of a table is not helped by folding them.
    console = results if results.is_terminal else Console(highlight=False, markup=False, width=_UNFOLDED)
    console.print(table, soft_wrap=False)
    if len(frame) > most:
        notes.print(f"... and {len(frame) - most:,} more; --format csv prints all of them.", style="dim")


def _cell(value: object) -> str:
    import pandas as pd

    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None or value is pd.NaT or value is pd.NA or value != value else str(value)


def size(number: float) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> size(14_000_000)
    '14.0 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
