"""`map_files` and `map_partitions`: one function over many files, or over many stretches of time."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np
import pandas as pd
import xarray as xr
from distributed import Client

import helio_burst
from helio_burst import readers
from helio_burst.burst.account import Account
from helio_burst.burst.clients import shippable_options
from helio_burst.burst.combine import as_combine
from helio_burst.burst.failures import DEFAULT_RETRIES
from helio_burst.burst.fingerprint import describe
from helio_burst.burst.items import as_table, at_home
from helio_burst.burst.job import Job, Reader
from helio_burst.burst.ledger import Ledger, find
from helio_burst.burst.limits import Limits, as_seconds
from helio_burst.burst.outcome import Outcome
from helio_burst.burst.run import Run
from helio_burst.errors import InputError


class _Arguments(TypedDict, total=False):
    """Keyword arguments of `map_files` that do not decide what it returns.

    Only the overloads use it: the functions themselves list their arguments, so that ``map_files?`` and the
    completion of a notebook show names and defaults.
    """

    read: Reader
    options: Mapping[str, Any] | None
    client: Client | None
    store: str | None
    combine: Any
    progress: bool | None
    retries: Mapping[type[BaseException], int] | None
    time_limit: float | str | None
    max_failures: int | None
    max_time: float | str | None
    max_cost: float | None


@overload
def map_files(
    function: Callable[..., Any],
    files: pd.DataFrame | list[str],
    *,
    wait: Literal[True] = ...,
    **arguments: Unpack[_Arguments],
) -> Outcome: ...
@overload
def map_files(
    function: Callable[..., Any],
    files: pd.DataFrame | list[str],
    *,
    wait: Literal[False],
    **arguments: Unpack[_Arguments],
) -> Run: ...
def map_files(
    function: Callable[..., Any],
    files: pd.DataFrame | list[str],
    *,
    read: Reader = readers.by_name,
    options: Mapping[str, Any] | None = None,
    client: Client | None = None,
    store: str | None = None,
    combine: Any = None,
    wait: bool = True,
    progress: bool | None = None,
    retries: Mapping[type[BaseException], int] | None = None,
    time_limit: float | str | None = None,
    max_failures: int | None = None,
    max_time: float | str | None = None,
    max_cost: float | None = None,
) -> Outcome | Run:
    """Apply a function to each file of a list, on a cluster.

    Parameters
    ----------
    function : callable
        ``function(content, **options)``, where `content` is what the reader makes of a file. It returns a
        number, a dict of numbers, a numpy array, a DataArray or a Dataset; anything, with `combine`.
    files : DataFrame or list of str
        A file list of a catalog: ``datakey`` and, where known, ``start``, ``filesize`` and ``etag``; or paths
        and URLs.
    read : callable
        ``read(data, row)``; by default chosen by the file's name. See `helio_burst.readers`.
    options : mapping, optional
        Keyword arguments for the function.
    client : Client, optional
        By default the current Dask client, else a cluster on this machine for this run.
    store : str, optional
        Path or URL of a folder for the ledger: what is done is kept there, and the same call again does the
        remainder only.
    combine : callable or Combine, optional
        Merge results on the workers: ``merge(one, other)``, or `Sum`, `Mean`, `Minimum`, `Maximum`,
        `Histogram`. The merged result is ``outcome.value``.
    wait : bool
        False returns a `Run` at once.
    progress : bool, optional
        Show the progress; by default where somebody is likely to see it.
    retries : mapping of exception class to int, optional
        How often to try again; by default broken connections, 5xx answers and time-outs three times, nothing
        else.
    time_limit : float or str, optional
        Seconds (or "5 min") for one file; it is a failure after that.
    max_failures : int, optional
        Stop when more files than this have failed.
    max_time, max_cost : optional
        Stop after this many seconds (or "2 h"), or US dollars by the price table.

    Returns
    -------
    Outcome
        Results and failures; a `Run` with ``wait=False``.

    Raises
    ------
    InputError
        An argument is wrong; nothing was started.
    StorageError
        A worker may not read the files; nothing was done.
    RunStopped
        A limit was reached; its ``outcome`` has what was done.
    BurstError
        The run cannot go on.

    Examples
    --------
    >>> files = ["data:,one", "data:,three"]
    >>> outcome = map_files(len, files, read=readers.raw, progress=False)  # doctest: +SKIP
    >>> outcome.to_xarray(name="length").length.values  # doctest: +SKIP
    array([3, 5])
    """
    job = make_job(function, read, options, combine, retries, time_limit)
    limits = Limits.given(max_failures, max_time, max_cost)
    run = Run(open_account(job, files, store), client, limits).start()
    return run.watch(progress) if wait else run


def map_partitions(
    function: Callable[..., Any],
    partitions: pd.DataFrame,
    *,
    options: Mapping[str, Any] | None = None,
    client: Client | None = None,
    store: str | None = None,
    combine: Any = None,
    progress: bool | None = None,
    retries: Mapping[type[BaseException], int] | None = None,
    time_limit: float | str | None = None,
    max_failures: int | None = None,
    max_time: float | str | None = None,
    max_cost: float | None = None,
) -> Outcome:
    """Apply a function to each stretch of time, on a cluster.

    Parameters
    ----------
    function : callable
        ``function(partition, **options)``; the partition has ``start``, ``stop``, ``padded_start`` and
        ``padded_stop`` (UTC Timestamps), ``datakey`` and the other columns of its row.
    partitions : DataFrame
        Made by `partitions`.

    Returns
    -------
    Outcome
        As of `map_files`, whose other parameters this has too.
    """
    job = make_job(function, readers.row, options, combine, retries, time_limit)
    limits = Limits.given(max_failures, max_time, max_cost)
    return Run(open_account(job, partitions, store, "partitions"), client, limits).start().watch(progress)


def make_job(
    function: Callable[..., Any],
    read: Reader,
    options: Mapping[str, Any] | None,
    combine: Any,
    retries: Mapping[type[BaseException], int] | None,
    time_limit: float | str | None,
) -> Job:
    """Check what a user gives and make a job of it.

    Raises
    ------
    InputError
        One of the arguments is wrong.
    """
    for what, value in (("function", function), ("read", read)):
        if not callable(value):
            raise InputError(f"{what}={value!r} cannot be called; pass a function.")
    if options is not None and not isinstance(options, Mapping):
        raise InputError(f"options={options!r}: give the function's keyword arguments as {{name: value}}.")
    for kind, count in (retries or {}).items():
        if not (isinstance(kind, type) and issubclass(kind, BaseException) and isinstance(count, int)):
            raise InputError(f"retries={retries!r}: give {{exception class: number of retries}}.")
    return Job(
        function,
        read,
        dict(options or {}),
        as_combine(combine),
        dict(retries) if retries is not None else DEFAULT_RETRIES,
        as_seconds(time_limit, "time_limit"),
        shippable_options(),
    )


def open_account(
    job: Job, items: pd.DataFrame | Iterable[str], store: str | None, what: str = "files"
) -> Account:
    """Look up what a store has of a job over some items; nothing is written yet."""
    ledger = Ledger(store, job.key, job.storage) if store is not None else None
    table = as_table(items, what)
    return Account(job, at_home(table) if job.fetches else table, ledger, _provenance(job, items))


def attach(store: str, job: str | None = None, client: Client | None = None) -> Run:
    """Join a run that another process or machine has begun, by its store.

    While the other one drives, this follows: progress, partial results, the result in the end. If it is gone,
    this one goes on with what is left.

    Parameters
    ----------
    store : str
        As given to `map_files`.
    job : str, optional
        Key of the job, or its beginning; by default the job begun last.
    """
    ledger = find(store, job, shippable_options())
    return Run(account_of(ledger), client).start()


def account_of(ledger: Ledger) -> Account:
    """Make an account of what a ledger holds: the job, the files, where they came from."""
    description = ledger.read_json("job.json") or {}
    provenance = {name: description[name] for name in _PROVENANCE if name in description}
    return Account(ledger.job(), ledger.files(), ledger, provenance)


# What a file list's `attrs` may say of where its files come from.
_SOURCE = ("catalog", "id", "title", "endpoint", "citation", "licence", "contact", "about")
_PROVENANCE = (
    *_SOURCE,
    "range_start",
    "range_stop",
    "function",
    "reader",
    "function_hash",
    "created",
    "versions",
)


def _provenance(job: Job, files: Any) -> dict[str, Any]:
    """Say where the files came from and what is done to them, as attributes of the result."""
    attrs = getattr(files, "attrs", {})
    known = {name: str(attrs[name]) for name in _SOURCE if attrs.get(name)}
    known |= {f"range_{name}": str(attrs[name]) for name in ("start", "stop") if name in attrs}
    try:
        digest = job.key
    except InputError:  # only a ledger must know the job again
        digest = "none"
    return {
        **known,
        "function": describe(job.function),
        "reader": describe(job.read),
        "function_hash": digest,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": (
            f"helio_burst {helio_burst.__version__}, python {platform.python_version()}, "
            f"numpy {np.__version__}, xarray {xr.__version__}"
        ),
    }
