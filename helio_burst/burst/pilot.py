"""A pilot: a few files, spread over the list, done on a few worker threads and measured."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from helio_burst.burst.account import Account
from helio_burst.burst.failures import Failure
from helio_burst.burst.items import to_bytes
from helio_burst.burst.results import Results
from helio_burst.burst.shard import build
from helio_burst.burst.values import Packed
from helio_burst.burst.worker import BEGUN, Batch, Report, run_batch

# A pilot hands back what it has not begun after this long.
_MOST_SECONDS = 60.0
_LEAST_A_THREAD = 2


@dataclass(frozen=True)
class Pilot:
    """What was measured.

    Attributes
    ----------
    rows : DataFrame
        One row a file: datakey, ok, seconds, and ``warm`` (false for the file with which a worker thread
        began, whose time holds imports and first connections).
    failures : DataFrame
        The rows that failed, with error, message and traceback.
    bytes_per_file : float
        Bytes read, on average.
    threads : int
        Threads of a worker, all of which were at work.
    """

    rows: pl.DataFrame
    failures: pl.DataFrame
    bytes_per_file: float
    threads: int

    def seconds(self) -> np.ndarray:
        """Return the seconds that each file took a warm thread; of all threads if none was warm."""
        done = self.rows.filter(pl.col("ok"))
        warm = done.filter(pl.col("warm"))
        return (warm if len(warm) else done)["seconds"].to_numpy().astype(float)


def spread(count: int, sample: int, sizes: np.ndarray | None = None) -> list[int]:
    """Choose positions in a list: the first, the last, some between, and some by size.

    Parameters
    ----------
    count : int
        Length of the list.
    sample : int
        How many.
    sizes : array of float, dims (count,), bytes, optional
        Half of the places are then the middles of as many groups of equal number, sorted by size.

    Examples
    --------
    >>> spread(101, 5)
    [0, 25, 50, 75, 100]
    """
    if sample >= count:
        return list(range(count))
    if sizes is None or sample < 4:
        return _even(count, sample)
    chosen = set(_even(count, (sample + 1) // 2))
    by_size = np.argsort(sizes, kind="stable")
    groups = sample - len(chosen)
    for group in range(groups):
        middle = int((group + 0.5) / groups * count)
        # The nearest in size that is not chosen yet.
        chosen.add(
            next(
                int(by_size[(middle + step) % count])
                for step in range(count)
                if int(by_size[(middle + step) % count]) not in chosen
            )
        )
    return sorted(chosen)


def _even(count: int, sample: int) -> list[int]:
    return sorted({round(place) for place in np.linspace(0, count - 1, sample)})


@dataclass(frozen=True)
class _Plan:
    """Which items are measured, with which each thread warms up, and who does them."""

    chosen: list[int]
    warming: list[int]
    hands: int
    threads: int
    workers: list[str]


def _plan(client: Client, items: pa.Table, sample: int) -> _Plan:
    nthreads = client.nthreads()
    threads = max(nthreads.values(), default=1)
    crews = max(1, min(len(nthreads), sample // (_LEAST_A_THREAD * threads)))
    hands = min(crews * threads, len(items))
    sizes = None
    if "filesize" in items.column_names and not items.column("filesize").null_count:
        sizes = items.column("filesize").to_numpy().astype(float)
    chosen = spread(len(items), max(sample, _LEAST_A_THREAD * hands), sizes)
    taken = set(chosen)
    rest = (position for position in range(len(items)) if position not in taken)
    return _Plan(chosen, list(itertools.islice(rest, hands)), hands, threads, list(nthreads)[:crews])


def run_pilot(client: Client, account: Account, blob: bytes, items: pa.Table, sample: int) -> Pilot:
    """Do a few of the items on all threads of one or more workers, each of which first warms up on one more.

    With a ledger, the results are kept.
    """
    plan = _plan(client, items, sample)
    parts = {
        _submit(client, account, blob, items, plan, number): items.take(_places(plan, number))
        for number in range(plan.hands)
    }
    measured = sorted({*plan.chosen, *plan.warming})
    results = Results(items.take(measured), account.ledger)
    read = done = 0
    try:
        for future, part in parts.items():
            try:
                report: Report = future.result()
            except KilledWorker:
                results.add(_killed(part))
                continue
            read, done = read + report.bytes, done + report.done
            if report.shard is not None:
                results.add(report.shard)
    finally:
        client.cancel(list(parts))
        client.set_metadata([BEGUN, account.run], {})
    results.refresh()
    # In a list too short for files to warm up on, the first file of each thread does for that.
    cold = {_places(plan, number)[0] for number in range(plan.hands)}
    table = results.table()
    rows = table.with_columns(pl.Series("warm", [position not in cold for position in measured]))
    rows = rows.filter(pl.col("ok").is_not_null())
    return Pilot(rows, results.failures(table), read / done if done else math.nan, plan.threads)


def _places(plan: _Plan, number: int) -> list[int]:
    """Return the positions of the items of one thread, the one to warm up on first."""
    return plan.warming[number : number + 1] + plan.chosen[number :: plan.hands]


def _submit(
    client: Client, account: Account, blob: bytes, items: pa.Table, plan: _Plan, number: int
) -> Future[Any]:
    rows = to_bytes(items.take(_places(plan, number)))
    shard = account.ledger.shard_url(account.run, number) if account.ledger is not None else None
    batch = Batch(account.run, number, rows, shard, seconds=_MOST_SECONDS)
    address = plan.workers[number % len(plan.workers)] if plan.workers else None
    where: dict[str, Any] = {"workers": [address], "allow_other_workers": True} if address else {}
    key = f"helio-burst-pilot-{account.run}-{number}"
    return client.submit(_measure, blob, batch, key=key, pure=False, **where)


def _measure(blob: bytes, batch: Batch) -> Report:
    """Do a batch, on a worker, and keep its arrays there."""
    report = run_batch(blob, batch)
    if report.shard is not None:
        report.shard = replace(report.shard, stacks=[], state=None)
    return report


def _killed(part: pa.Table) -> Any:
    failure = Failure("KilledWorker", "The workers that had this file, or one of its neighbours, died.")
    count = len(part)
    return build(part, Packed(), dict.fromkeys(range(count), failure), [1] * count, [0.0] * count, "")
