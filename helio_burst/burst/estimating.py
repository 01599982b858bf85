"""What a run will take and cost, before it is begun: a pilot of a few files, carried on to all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from distributed import Client

from helio_burst import readers
from helio_burst.burst import failures as failure_rows
from helio_burst.burst.account import Account
from helio_burst.burst.clients import choose_client, use_client
from helio_burst.burst.job import Job, Reader
from helio_burst.burst.mapping import make_job, open_account
from helio_burst.burst.pilot import Pilot, run_pilot
from helio_burst.burst.progress import duration
from helio_burst.cluster.prices import Prices, hourly_price, is_here, read_prices
from helio_burst.errors import BurstError, InputError

COLUMNS = ("workers", "threads", "seconds", "seconds_low", "seconds_high", "cost", "cost_low", "cost_high")
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """What a run will take, by a pilot.

    Attributes
    ----------
    files, bytes : int
        What is to be done; with a store, what is left of it.
    sampled : int
        Files of the pilot.
    seconds_per_file : float
        Of one worker thread.
    uncertainty : float
        Half the width of the 95 % interval of `seconds_per_file`, relative to it; NaN if one file only was
        measured. It comes from the spread among the files, and knows nothing of a network or of disks that
        many workers share.
    threads_per_worker : int
        Of the workers that did the pilot.
    table : DataFrame
        One row a number of workers: workers, threads, seconds, seconds_low, seconds_high, cost, cost_low,
        cost_high (in the currency of `prices`). Waiting for the workers is not in it.
    failures : DataFrame
        The files of the pilot that failed: datakey, error, message, traceback, attempts, worker.
    prices : Prices
        The price table, with its date.
    costs : dict of str to float
        What does not depend on the number of workers: reads, and traffic to this machine.
    notes : tuple of str
        What one should know of the figures.
    """

    files: int
    bytes: int
    sampled: int
    seconds_per_file: float
    uncertainty: float
    threads_per_worker: int
    table: pd.DataFrame
    failures: pd.DataFrame
    prices: Prices
    costs: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def files_per_second(self) -> float:
        """Files that one worker thread does in a second."""
        return 1 / self.seconds_per_file

    @property
    def core_hours(self) -> float:
        """Core hours of work, whatever the number of workers."""
        return self.files * self.seconds_per_file / 3600

    def _readable(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "workers": self.table["workers"],
                "threads": self.table["threads"],
                "duration": [duration(seconds) for seconds in self.table["seconds"]],
                "between": _between(self.table, "seconds", duration),
                f"cost ({self.prices.currency})": [f"{cost:,.2f}" for cost in self.table["cost"]],
                "costs between": _between(self.table, "cost", lambda cost: f"{cost:,.2f}"),
            }
        )

    def _headline(self) -> str:
        spread = "" if math.isnan(self.uncertainty) else f" (± {self.uncertainty:.0%})"
        return (
            f"{self.files:,} files, {self.bytes / 1e9:,.2f} GB; {self.files_per_second:,.2f} files/s for "
            f"each worker thread{spread}, by a pilot of {self.sampled:,} files; {self.core_hours:,.3g} core "
            "hours"
        )

    def __repr__(self) -> str:
        lines = [self._headline(), self._readable().to_string(index=False), *self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        table = self._readable().to_html(index=False, border=0)
        return f"<p>{escape(self._headline())}</p>{table}<ul>{notes}</ul>"


def _between(table: pd.DataFrame, name: str, write: Callable[[float], str]) -> list[str]:
    return [
        "?" if math.isnan(low) else f"{write(low)} and {write(high)}"
        for low, high in zip(table[f"{name}_low"], table[f"{name}_high"], strict=True)
    ]


def estimate(
    function: Callable[..., Any],
    files: pd.DataFrame | list[str],
    *,
    read: Reader = readers.by_name,
    options: Mapping[str, Any] | None = None,
    client: Client | None = None,
    sample: int = 8,
    workers: Sequence[int] = (1, 10, 50, 200),
    store: str | None = None,
    prices: Prices | str | Path | None = None,
    combine: Any = None,
    time_limit: float | str | None = None,
) -> Estimate:
    """Do a few files and say what all of them will take, with some numbers of workers: hours, bytes, dollars.

    The pilot's files are the first, the last, some between and some by size. They keep all threads of one or
    more workers busy, as the run will, and the file with which each thread begins is not counted, since
    imports and first connections are in its time.

    Parameters
    ----------
    function, files, read, options, client, combine, time_limit
        As of `map_files`.
    sample : int
        How many files to measure; at least two for each thread of one worker. Each thread does one more.
    workers : sequence of int
        Numbers of workers, like those of the client's cluster, to say the duration for.
    store : str, optional
        As of `map_files`: the pilot's results are kept there, and what is done already is not counted.
    prices : Prices or path, optional
        The price table; by default that of ``HELIO_BURST_PRICES``, else the package's own. Without one that
        is named, the cores of a cluster on this machine cost nothing.

    Raises
    ------
    InputError
        An argument is wrong, or all files are done already.
    BurstError
        All files of the pilot failed; the message shows the first failure.

    Examples
    --------
    >>> from helio_burst import burst, readers
    >>> burst.estimate(len, ["data:,one", "data:,three"], read=readers.raw)  # doctest: +SKIP
    """
    _check(sample, workers)
    chosen = prices if isinstance(prices, Prices) else read_prices(prices)
    job = make_job(function, read, options, combine, None, time_limit)
    account = open_account(job, files, store)
    todo = account.todo()
    if not len(todo):
        total = account.progress.total
        raise InputError(f"All {total:,} files are done already; there is nothing to estimate.")
    with use_client(choose_client(client)) as cluster:
        pilot = run_pilot(cluster, account, account.open(), todo, sample)
        account.note_pilot()
        core_price = chosen.per_core_hour if prices is not None else hourly_price(cluster, 1)
        here = is_here(cluster)
    _refuse_if_all_failed(pilot)
    return _extrapolate(account, todo, pilot, list(workers), chosen, core_price, here)


def _check(sample: int, workers: Sequence[int]) -> None:
    if sample < 1:
        raise InputError(f"sample={sample!r}: a pilot needs one file at least.")
    if not workers or any(number < 1 for number in workers):
        raise InputError(f"workers={workers!r}: give numbers of workers from 1, as (1, 10, 50).")


def _refuse_if_all_failed(pilot: Pilot) -> None:
    if pilot.rows["ok"].any():
        return
    if not len(pilot.rows):
        raise BurstError("The pilot did no file within its time.")
    first = pilot.failures.row(0, named=True)
    raise BurstError(
        f"All {len(pilot.rows)} files of the pilot failed; the first, {first['datakey']}, with "
        f"{first['error']}: {first['message']}\n{first['traceback']}"
    )


def _extrapolate(
    account: Account,
    todo: pa.Table,
    pilot: Pilot,
    workers: list[int],
    prices: Prices,
    core_price: float,
    here: bool,
) -> Estimate:
    seconds = pilot.seconds()
    mean = float(seconds.mean())
    uncertainty = _uncertainty(seconds)
    size = _bytes(account.job, todo, pilot)
    costs = _costs(account.job, todo, size, prices, here)
    rows = []
    for number in workers:
        threads = number * pilot.threads
        row: dict[str, float] = {"workers": number, "threads": threads}
        for suffix, factor in (("", 1.0), ("_low", max(0.0, 1 - uncertainty)), ("_high", 1 + uncertainty)):
            # More threads than files help nothing, and no run is shorter than its longest file.
            wall = max(len(todo) * mean * factor / min(threads, len(todo)), float(seconds.max()))
            row[f"seconds{suffix}"] = wall if not math.isnan(factor) else math.nan
            row[f"cost{suffix}"] = row[f"seconds{suffix}"] / 3600 * threads * core_price + sum(costs.values())
        rows.append(row)
    failed = pilot.failures.select(failure_rows.COLUMNS).cast({"worker": pl.String}).to_pandas()
    return Estimate(
        files=len(todo),
        bytes=size,
        sampled=len(pilot.rows),
        seconds_per_file=mean,
        uncertainty=uncertainty,
        threads_per_worker=pilot.threads,
        table=pd.DataFrame(rows, columns=list(COLUMNS)).astype({"workers": int, "threads": int}),
        failures=failed,
        prices=prices,
        costs=costs,
        notes=_notes(account, failed, prices, core_price, costs, here),
    )


def _uncertainty(seconds: np.ndarray) -> float:
    """Return half the relative width of the 95 % interval of the mean, by Student's t."""
    if len(seconds) < 2:
        return math.nan
    error = float(seconds.std(ddof=1)) / math.sqrt(len(seconds))
    return _student(len(seconds) - 1) * error / float(seconds.mean())


def _student(freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t (Abramowitz and Stegun 26.7.5; exact for 1 and 2)."""
    p = (1 + _CONFIDENCE) / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        a = 4 * p * (1 - p)
        return 2 * (p - 0.5) * math.sqrt(2 / a)
    x = NormalDist().inv_cdf(p)
    return (
        x
        + (x**3 + x) / (4 * freedom)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * freedom**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * freedom**3)
    )


def _bytes(job: Job, todo: pa.Table, pilot: Pilot) -> int:
    """Return the bytes that are read in all: by the file list where it knows, else as the pilot's files."""
    if not job.fetches:
        return 0
    if "filesize" not in todo.column_names:
        return round(pilot.bytes_per_file * len(todo))
    sizes = todo.column("filesize")
    known: int = pc.sum(sizes).as_py() or 0
    return known + (round(pilot.bytes_per_file * sizes.null_count) if sizes.null_count else 0)


def _costs(job: Job, todo: pa.Table, size: int, prices: Prices, here: bool) -> dict[str, float]:
    """Return what an object store may charge."""
    if not job.fetches:
        return {}
    share = float(pc.mean(pc.starts_with(todo.column("datakey"), "s3://").cast(pa.float64())).as_py())
    if not share:
        return {}
    costs = {"reads": share * len(todo) / 1000 * prices.per_thousand_reads}
    if here:
        costs["traffic"] = share * size / 1e9 * prices.per_gigabyte_out
    return costs


def _notes(
    account: Account,
    failed: pd.DataFrame,
    prices: Prices,
    core_price: float,
    costs: Mapping[str, float],
    here: bool,
) -> tuple[str, ...]:
    table = f"Prices of {prices.date}: "
    core = f"{core_price:g} a core hour" if core_price else "the cores of this machine cost nothing"
    fixed = [f"{cost:,.2f} for {name}" for name, cost in costs.items()]
    notes = [table + ", ".join([core, *fixed]) + f" ({prices.currency})."]
    if "traffic" in costs:
        notes.append("Many archives bear the traffic; a cluster in the archive's region has none.")
    if here:
        notes.append("The pilot ran on this machine; workers nearer to the data read them faster.")
    if account.ledger is not None:
        notes.append(
            f"The pilot's results are in {account.ledger.store}; the run with this store= uses them."
        )
    if len(failed):
        first = failed.iloc[0]
        notes.append(f"{len(failed)} files of the pilot failed, such as {first.datakey}: {first.error}.")
    return tuple(notes)
