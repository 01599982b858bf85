"""A whole season on a cluster: cut into blocks, counted, merged, certified, and repaired where needed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from helio_burst.burst import map_partitions
from helio_burst.errors import BurstError, InputError
from helio_burst.season.bins import Bins
from helio_burst.season.blocks import Selection, Unit
from helio_burst.season.certificate import SeasonWarning
from helio_burst.season.checks import check_choice, check_kind
from helio_burst.season.instrument import PysatInstrument, pysat_tally
from helio_burst.season.merging import merge
from helio_burst.season.orbits import DAY, Orbits
from helio_burst.season.repairing import repair
from helio_burst.season.results import average_of, probability
from helio_burst.season.samples import By, SampleQuestion, Statistic, bin_samples
from helio_burst.season.select import blocks_of, seasons
from helio_burst.season.sources import Custom, FileDays, Read
from helio_burst.season.tally import Question, Tally, orbit_tally, question_of
from helio_burst.timespan import TimeLike

if TYPE_CHECKING:
    from distributed import Client

Source = pd.DataFrame | PysatInstrument


def occurrence(
    source: Source,
    start: TimeLike,
    stop: TimeLike,
    *,
    x: Bins,
    y: Bins,
    gates: Mapping[str, Any],
    by: Unit = "orbit",
    orbits: Orbits | None = None,
    season: tuple[str, str] | None = None,
    where: Selection | None = None,
    read: Read | None = None,
    custom: Iterable[Custom] = (),
    cache: str | Path | None = None,
    freq: str = "14D",
    client: Client | None = None,
    store: str | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Compute the probability that something exceeds a gate, by bin, over a season.

    The probability of a bin is the number of orbits with a sample above the gate in it, divided by the number
    of orbits with any sample in it. The season is cut into blocks of days that are counted on a cluster; the
    result is, bit for bit, that of pysatSeasons' ``by_orbit2D`` over the whole season, whatever the blocks.

    Parameters
    ----------
    source : DataFrame or PysatInstrument
        A file list (from a catalog, `pysat_files` or `remote_files`), read by the fast engine; or an
        instrument that pysat reads and cuts into orbits itself.
    start, stop : time
        The days [start, stop), UTC.
    x, y : Bins
        For instance of longitude and of latitude, in degrees.
    gates : mapping of str to float
        By variable the value to exceed, in the variable's units.
    by : {"orbit", "day"}
        Whether an occurrence counts once an orbit or once a day.
    orbits : Orbits, optional
        How orbits are found; by longitude with a period of 97 minutes by default.
    season : (str, str), optional
        Month and day at which the season starts and stops in each year, as in ("12-21", "03-21"); each year's
        season is one of its own, whose ends cut orbits.
    where : Selection, optional
        Times at which samples count; see `select`.
    read, custom, cache
        As in `FileDays`. Like `orbits` not with a PysatInstrument, which has its own.
    freq : str
        Length of the blocks, whole days.
    client : Client, optional
        Of Dask; a local cluster by default.
    store : str, optional
        Folder or URL where partial results are kept, so that a run that was stopped can go on.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    Dataset, dims (y variable, x variable)
        As `probability` returns it.

    Raises
    ------
    InputError
        There are no files or no data in the range, a variable is not in them, or what is asked cannot be
        counted.
    BurstError
        No block could be counted.

    Warns
    -----
    SeasonWarning
        Some blocks failed, or the period of the orbits does not fit the data.
    """
    if isinstance(source, PysatInstrument):
        _only_fast(orbits=orbits, read=read, custom=custom, cache=cache)
        orbits = source.orbits
    question = question_of(x, y, gates, by, orbits)
    table = blocks_of(seasons(start, stop, season), freq)
    asked: dict[str, Any] = {"x": x, "y": y, "gates": dict(gates), "by": by, "where": where}
    if isinstance(source, PysatInstrument):
        function: Callable[..., Tally] = partial(pysat_tally, instrument=source)
    else:
        variables = [x.variable, y.variable, *gates]
        days = _file_days(source, table, variables, question, read=read, custom=custom, cache=cache)
        function = partial(orbit_tally, days=days, orbits=question.orbits)
    tally = _run(function, table, asked, client=client, store=store, progress=progress)
    return probability(tally)


def average(
    source: pd.DataFrame,
    start: TimeLike,
    stop: TimeLike,
    variable: str,
    *,
    x: Bins | None = None,
    y: Bins | None = None,
    statistic: Statistic = "median",
    by: By = "sample",
    within: Statistic = "mean",
    orbits: Orbits | None = None,
    season: tuple[str, str] | None = None,
    where: Selection | None = None,
    read: Read | None = None,
    custom: Iterable[Custom] = (),
    cache: str | Path | None = None,
    freq: str = "14D",
    client: Client | None = None,
    store: str | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Compute the exact mean or median of a variable over a season, by bin or by orbit or day.

    Parameters
    ----------
    source : DataFrame
        A file list.
    variable : str
        What is averaged.
    x, y : Bins, optional
        Bins in one or two dimensions; with neither there is one value an orbit or day.
    statistic : {"median", "mean"}
        What is taken of all values in a bin.
    by : {"sample", "orbit", "day"}
        Whether each sample is a value, or what `within` makes of an orbit's or day's samples in the bin.
    within : {"mean", "median"}
        What is taken of an orbit or day.
    start, stop, orbits, season, where, read, custom, cache, freq, client, store, progress
        As in `occurrence`.

    Returns
    -------
    Dataset
        With bins, dims (x variable,) or (y variable, x variable): the statistic, ``count``, and for the
        median ``avg_abs_dev``, the median distance from it. Without bins, dims (time,), UTC: the variable,
        one value an orbit (at its first sample) or day.

    Raises
    ------
    InputError, BurstError
        As in `occurrence`; also where values of single samples are asked for without bins.

    Notes
    -----
    All values come together before the last step, 16 bytes for each: a month at 1 Hz is 43 MB.
    """
    check_choice("statistic", statistic, Statistic)
    question = SampleQuestion(variable, x, y, by, within, orbits if orbits is not None else Orbits())
    table = blocks_of(seasons(start, stop, season), freq)
    variables = [variable, *(bins.variable for bins in (x, y) if bins is not None)]
    days = _file_days(source, table, variables, question, read=read, custom=custom, cache=cache)
    function = partial(bin_samples, days=days, orbits=question.orbits)
    asked = {"variable": variable, "x": x, "y": y, "by": by, "within": within, "where": where}
    samples = _run(function, table, asked, client=client, store=store, progress=progress)
    return average_of(samples, statistic)


def _run(
    function: Callable[..., Any],
    table: pd.DataFrame,
    asked: dict[str, Any],
    *,
    client: Client | None,
    store: str | None,
    progress: bool | None,
) -> Any:
    if asked["where"] is not None:
        check_kind("where", asked["where"], Selection)
    outcome = map_partitions(
        function, table, options=asked, client=client, store=store, combine=merge, progress=progress
    )
    failures = outcome.failures
    if outcome.value is None:
        raise BurstError(f"None of the {len(table)} blocks could be done. {_first_failure(failures)}")
    if len(failures):
        warnings.warn(
            f"{len(failures)} of {len(table)} blocks failed and are missing in the result. "
            f"{_first_failure(failures)}",
            SeasonWarning,
            stacklevel=3,
        )

    def again(part: pd.DataFrame) -> Any:
        done = map_partitions(function, part, options=asked, client=client, combine=merge, progress=False)
        if len(done.failures):
            raise BurstError(f"Blocks that had to be done again failed. {_first_failure(done.failures)}")
        return done.value

    return repair(outcome.value, again)


def _first_failure(failures: pd.DataFrame) -> str:
    if failures.empty:
        return ""
    first = failures.iloc[0]
    return f"The first, {first['datakey']}: {first['error']}: {first['message']}"


def _file_days(
    files: pd.DataFrame,
    table: pd.DataFrame,
    variables: list[str],
    question: Question | SampleQuestion,
    *,
    read: Read | None,
    custom: Iterable[Custom],
    cache: str | Path | None,
) -> FileDays:
    """Look at the files before the work: their days, their variables, and what each block reads."""
    if question.by == "orbit" and question.orbits.variable:
        variables = [*variables, question.orbits.variable]
    days = FileDays(files, list(dict.fromkeys(variables)), read=read, custom=custom, cache=cache)
    days.check(_first_day(days, table))
    # By this the store tells whether a block's files are those of an earlier run.
    bounds = zip(table["padded_start"], table["padded_stop"], strict=True)
    table["etag"] = [days.content(start.value // DAY, stop.value // DAY) for start, stop in bounds]
    return days


def _first_day(days: FileDays, table: pd.DataFrame) -> int:
    """Return the first day of a season that a file starts on."""
    if not days.days:
        raise InputError("The file list is empty.")
    for start, stop in zip(table["start"], table["stop"], strict=True):
        for day in range(start.value // DAY, stop.value // DAY):
            if day in days.days:
                return day
    first, last = (pd.Timestamp(day * DAY).date() for day in (min(days.days), max(days.days)))
    raise InputError(
        f"No file of the list starts from {table['start'].iloc[0].date()} to "
        f"{table['stop'].iloc[-1].date()}; its files cover {first} to {last}."
    )


def _only_fast(**given: Any) -> None:
    for name, value in given.items():
        if value:
            raise InputError(
                f"{name}= is of file lists; a PysatInstrument takes pysat's own (see its parameters)."
            )
