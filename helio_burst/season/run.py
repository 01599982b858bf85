"""A whole season on a cluster: cut into blocks, counted, merged, certified, and repaired where needed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import xarray as xr

from helio_burst.burst import map_partitions
from helio_burst.errors import BurstError, InputError
from helio_burst.season.bins import Bins
from helio_burst.season.blocks import Block, Selection, Unit
from helio_burst.season.certificate import Doubt, SeasonWarning, certify
from helio_burst.season.instrument import PysatInstrument, pysat_tally
from helio_burst.season.merging import merge
from helio_burst.season.orbits import DAY, Orbits
from helio_burst.season.results import average_of, probability
from helio_burst.season.samples import By, Samples, Statistic, bin_samples
from helio_burst.season.select import blocks_of, seasons
from helio_burst.season.sources import Custom, FileDays, Read
from helio_burst.season.tally import Tally, orbit_tally, without
from helio_burst.timespan import TimeLike

if TYPE_CHECKING:
    from distributed import Client

Source = pd.DataFrame | PysatInstrument
Partial = TypeVar("Partial", Tally, Samples)


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
        How orbits are found; by longitude with a period of 97 minutes by default. With a PysatInstrument only
        the instrument's own `orbits` count.
    season : (str, str), optional
        Month and day at which the season starts and stops in each year, as in ("12-21", "03-21"); each year's
        season is one of its own, whose ends cut orbits.
    where : Selection, optional
        Times at which samples count; see `select`.
    read, custom, cache
        As in `FileDays`; not with a PysatInstrument.
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
        There are no files or no data in the range, or a variable is not in them.
    BurstError
        No block could be counted.

    Warns
    -----
    SeasonWarning
        Some blocks failed, or the period of the orbits does not fit the data.
    """
    orbits = orbits or Orbits()
    table = blocks_of(seasons(start, stop, season), freq)
    asked: dict[str, Any] = {"x": x, "y": y, "gates": dict(gates), "by": by, "where": where}
    if isinstance(source, PysatInstrument):
        _only_fast(read=read, custom=custom, cache=cache)
        function: Callable[..., Tally] = partial(pysat_tally, instrument=source)
    else:
        variables = [x.variable, y.variable, *gates]
        days = _file_days(source, table, variables, by, orbits, read=read, custom=custom, cache=cache)
        function = partial(orbit_tally, days=days, orbits=orbits)
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

    Notes
    -----
    All values come together before the last step, 16 bytes for each: a month at 1 Hz is 43 MB.
    """
    orbits = orbits or Orbits()
    if x is None and by == "sample":
        raise InputError("by='sample' needs bins: give x, or x and y, or take by='orbit' or by='day'.")
    table = blocks_of(seasons(start, stop, season), freq)
    variables = [variable, *(bins.variable for bins in (x, y) if bins is not None)]
    unit: Unit = "orbit" if by == "orbit" else "day"
    days = _file_days(source, table, variables, unit, orbits, read=read, custom=custom, cache=cache)
    function = partial(bin_samples, days=days, orbits=orbits)
    asked = {"variable": variable, "x": x, "y": y, "by": by, "within": within, "where": where}
    samples = _run(function, table, asked, client=client, store=store, progress=progress)
    return average_of(samples, statistic)


def repair(
    merged: Partial,
    again: Callable[[pd.DataFrame], Partial],
) -> Partial:
    """Do blocks again, with more and more padding, until the certificate holds.

    Parameters
    ----------
    merged : Tally or Samples
    again : callable
        Takes a partition table and returns the merged result of its blocks.

    Returns
    -------
    Tally or Samples
        Where blocks are missing it stays uncertain at their bounds.
    """
    while doubts := [doubt for doubt in certify(merged) if doubt.before and doubt.after]:
        table = _with_more_padding(merged, doubts)
        if (
            table.empty
        ):  # padded to the season's start, and still in doubt: the data are not the same each time
            break
        merged = merge(_take_out(merged, table, again), again(table.drop(columns="old_padded_start")))
    return merged


def _run(
    function: Callable[..., Any],
    table: pd.DataFrame,
    asked: dict[str, Any],
    *,
    client: Client | None,
    store: str | None,
    progress: bool | None,
) -> Any:
    outcome = map_partitions(
        function, table, options=asked, client=client, store=store, combine=merge, progress=progress
    )
    failures = outcome.failures
    if outcome.value is None:
        first = (
            f" The first: {failures['error'].iloc[0]}: {failures['message'].iloc[0]}" if len(failures) else ""
        )
        raise BurstError(f"None of the {len(table)} blocks could be done.{first}")
    if len(failures):
        warnings.warn(
            f"{len(failures)} of {len(table)} blocks failed and are missing in the result; the first is "
            f"{failures['datakey'].iloc[0]}: {failures['error'].iloc[0]}: {failures['message'].iloc[0]}",
            SeasonWarning,
            stacklevel=3,
        )

    def again(part: pd.DataFrame) -> Any:
        return map_partitions(
            function, part, options=asked, client=client, combine=merge, progress=False
        ).value

    return repair(outcome.value, again)


def _with_more_padding(merged: Tally | Samples, doubts: list[Doubt]) -> pd.DataFrame:
    """Return the partitions to do again: the padding before the block doubles, up to the season's start."""
    begins: dict[int, int] = {}  # by block, the start of its season
    before: Block | None = None
    for block in merged.blocks:
        follows = before is not None and before.stop == block.start
        begins[block.start] = begins[before.start] if before is not None and follows else block.start
        before = block
    rows = []
    for doubt in doubts:
        assert doubt.after is not None
        block = doubt.after
        pad = max(1, 2 * (block.start - block.padded_start))
        padded_start = max(begins[block.start], block.start - pad)
        if padded_start < block.padded_start:
            rows.append((block.start, block.stop, padded_start, block.padded_stop, block.padded_start))
    names = ["start", "stop", "padded_start", "padded_stop", "old_padded_start"]
    table = pd.DataFrame(rows, columns=names, dtype="int64")
    for name in names:
        table[name] = pd.to_datetime(table[name] * DAY, utc=True)
    table["datakey"] = [
        f"{start.date()}/{stop.date()}" for start, stop in zip(table.start, table.stop, strict=True)
    ]
    return table


def _take_out(merged: Any, table: pd.DataFrame, again: Callable[[pd.DataFrame], Any]) -> Any:
    if isinstance(merged, Samples):
        starts = set(table["start"])
        kept = [part for part in merged.parts if pd.Timestamp(part.block.start * DAY, tz="UTC") not in starts]
        return Samples(merged.question, tuple(kept))
    # Counts are not kept by block, so the old ones are counted once more to be subtracted.
    old = table.assign(padded_start=table["old_padded_start"]).drop(columns="old_padded_start")
    return without(merged, again(old))


def _file_days(
    files: pd.DataFrame,
    table: pd.DataFrame,
    variables: list[str],
    by: Unit,
    orbits: Orbits,
    *,
    read: Read | None,
    custom: Iterable[Custom],
    cache: str | Path | None,
) -> FileDays:
    if by == "orbit" and orbits.variable:
        variables = [*variables, orbits.variable]
    days = FileDays(files, list(dict.fromkeys(variables)), read=read, custom=custom, cache=cache)
    wanted = [
        day
        for start, stop in zip(table["start"], table["stop"], strict=True)
        for day in range(start.value // DAY, stop.value // DAY)
        if day in days.days
    ]
    if not wanted:
        first, last = (
            (pd.Timestamp(edge * DAY).date() for edge in (min(days.days), max(days.days)))
            if days.days
            else ("nothing", "nothing")
        )
        raise InputError(
            f"No file of the list starts from {table['start'].iloc[0].date()} to "
            f"{table['stop'].iloc[-1].date()}; its files cover {first} to {last}."
        )
    days.check(wanted[0])
    return days


def _only_fast(**given: Any) -> None:
    for name, value in given.items():
        if value is not None and value != ():
            raise InputError(
                f"{name}= is of file lists; a PysatInstrument takes pysat's own (see its parameters)."
            )
