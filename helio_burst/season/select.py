"""Which times belong to a season: parts of several years, and conditions on a table such as Kp or F10.7."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from helio_burst.burst import partitions
from helio_burst.errors import InputError
from helio_burst.season.blocks import Selection
from helio_burst.season.orbits import DAY
from helio_burst.timespan import TimeLike, Timespan, naive, parse_duration, parse_timespan


def seasons(start: TimeLike, stop: TimeLike, season: tuple[str, str] | None = None) -> list[Timespan]:
    """Return the parts of a time range that lie in a season of each year.

    Parameters
    ----------
    start, stop : time
        The whole days [start, stop), UTC.
    season : (str, str), optional
        Month and day at which it starts, and at which it stops (not part of it), as "mm-dd"; it may go over
        the year's end. Without it the whole range is one season.

    Raises
    ------
    InputError
        A date is not one, or no day is left.

    Examples
    --------
    >>> parts = seasons("2009", "2011", ("12-21", "03-21"))
    >>> [f"{part.start:%Y-%m-%d}/{part.stop:%Y-%m-%d}" for part in parts]
    ['2009-01-01/2009-03-21', '2009-12-21/2010-03-21', '2010-12-21/2011-01-01']
    """
    span = parse_timespan(start, stop)
    for time in span:
        if time != time.normalize():
            raise InputError(f"A season is made of whole days, UTC; {time.isoformat()} is not a midnight.")
    if season is None:
        return [span]
    if isinstance(season, str) or len(season) != 2:
        raise InputError(f"A season is two dates, such as ('12-21', '03-21'), not {season!r}.")
    found: list[Timespan] = []
    for year in range(span.start.year - 1, span.stop.year + 1):
        begins, ends = (_date(year, text) for text in season)
        if ends <= begins:
            ends = _date(year + 1, season[1])
        part = Timespan(max(begins, span.start), min(ends, span.stop))
        if part.start >= part.stop:
            continue
        if found and found[-1].stop == part.start:  # a season of a whole year
            part = Timespan(found.pop().start, part.stop)
        found.append(part)
    if not found:
        raise InputError(f"No day from {span.start.date()} to {span.stop.date()} is in the season {season}.")
    return found


def _date(year: int, text: str) -> pd.Timestamp:
    try:
        month, day = (int(part) for part in text.split("-"))
        return pd.Timestamp(year, month, day, tz="UTC")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{text!r} is not a month and day of {year}; write as in '12-21'.") from error


def blocks_of(spans: Sequence[Timespan], freq: str) -> pd.DataFrame:
    """Cut seasons into blocks of whole days, with a day more on each side within the season.

    Returns
    -------
    DataFrame
        A partition table: start, stop, padded_start, padded_stop (UTC), datakey.
    """
    tables = [partitions(span.start, span.stop, freq=freq, pad="1D") for span in spans]
    table = pd.concat(tables, ignore_index=True)
    starts = pd.DatetimeIndex(table["start"])
    if (starts != starts.normalize()).any():
        raise InputError(
            f"freq={freq!r} is not a number of whole days; write for instance '1D', '14D' or 'MS'."
        )
    return table


def select(
    table: pd.DataFrame, condition: str, *, column: str = "time", hold: str | None = None
) -> Selection:
    """Choose the times at which a condition on a table holds, for ``where=``.

    A row of the table holds from its time until the next row's. Samples at other times do not count, but
    still take part in finding orbits.

    Parameters
    ----------
    table : DataFrame
        Indices by time, such as Kp every three hours or F10.7 every day. A row without a value of an index
        fulfils no condition on it.
    condition : str
        What must hold, as `DataFrame.query` takes it: ``"Kp < 3 and f107 > 120"``.
    column : str
        The column of times, UTC; the table's index if that holds times and there is no such column.
    hold : str, optional
        How long the last row holds; by default as long as rows usually do.

    Raises
    ------
    InputError
        The condition cannot be evaluated, or the table is empty or has no times.

    Examples
    --------
    >>> kp = pd.DataFrame({"time": pd.date_range("2010-05-09", periods=3, freq="3h"), "Kp": [1.0, 5.0, 2.0]})
    >>> select(kp, "Kp < 3").keep
    array([ True, False,  True, False])
    """
    if table.empty:
        raise InputError("The table to select by is empty.")
    starts = _starts(table, column)
    known = ", ".join(map(str, table.columns))
    try:
        found = table.eval(condition)
    except Exception as error:  # pandas raises nearly everything here, by what the condition says
        raise InputError(
            f"{condition!r} cannot be evaluated on the table, which has: {known}. {error}"
        ) from error
    if not isinstance(found, pd.Series) or not pd.api.types.is_bool_dtype(found.dtype):
        raise InputError(f"{condition!r} must be true or false for each row, such as 'Kp < 3'.")
    keep = found.to_numpy(bool, na_value=False)
    order = np.argsort(starts, kind="stable")
    starts, keep = starts[order], keep[order]
    usual = int(np.median(np.diff(starts))) if len(starts) > 1 else DAY
    lasts = _length(hold) if hold is not None else usual
    return Selection(np.append(starts, starts[-1] + lasts), np.append(keep, False))


def _starts(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return the times of the rows: int64, nanoseconds since 1970."""
    times = table[column] if column in table.columns else table.index
    if pd.api.types.is_numeric_dtype(times.dtype):
        place = f"column {column!r}" if column in table.columns else f"index, without a column {column!r},"
        raise InputError(
            f"The table to select by has no times: its {place} holds numbers. Name one with column=; "
            f"it has: {', '.join(map(str, table.columns))}."
        )
    try:
        index = pd.DatetimeIndex(times)
    except (ValueError, TypeError) as error:
        raise InputError(f"The times of the table to select by cannot be read: {error}") from error
    if index.hasnans:
        missing = np.isnat(naive(index)).sum()
        raise InputError(f"The table to select by has {missing} rows without a time; leave them out.")
    return naive(index).astype(np.int64)


def _length(hold: str) -> int:
    try:
        return int(parse_duration(hold).value)
    except InputError as error:
        raise InputError(f"hold={error}") from error
