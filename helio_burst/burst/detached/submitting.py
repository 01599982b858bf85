"""Submitting a job: its ledger is written, a driver is started, and the submitter may go."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from helio_burst import readers
from helio_burst.burst.clients import shippable_options
from helio_burst.burst.detached import on_scheduler
from helio_burst.burst.detached.looking import SUBMISSION, DetachedJob
from helio_burst.burst.detached.order import DRIVER, LEASE, Order
from helio_burst.burst.job import Reader
from helio_burst.burst.lease import Lease
from helio_burst.burst.ledger import Ledger, find
from helio_burst.burst.limits import Limits
from helio_burst.burst.mapping import make_job, open_account
from helio_burst.burst.record import CancelWish, latest_record, new_run_id, who
from helio_burst.cluster import open_cluster
from helio_burst.cluster.request import check_request
from helio_burst.cluster.targets import Target, choose_target
from helio_burst.errors import BurstError, ClusterError, InputError, nearest

# Clusters beside whose scheduler a driver can run; with the others it runs on this machine.
_WITH_A_HOST = ("gateway", "running")
_START_SECONDS = 120.0
# Arguments of `open_cluster` that may hold secrets: they go to the driver, not into the store.
_SECRET = ("token", "environment")
# Starts the driver and ends, so that the driver is nobody's child: it is no zombie once it has ended.
_SPAWN = """
import os, subprocess, sys
print(subprocess.Popen(sys.argv[2:], start_new_session=True, stdout=2).pid, flush=True)
os._exit(0)
"""


def submit(
    function: Callable[..., Any],
    files: pd.DataFrame | list[str],
    *,
    store: str,
    cluster: Mapping[str, Any] | None = None,
    read: Reader = readers.by_name,
    options: Mapping[str, Any] | None = None,
    combine: Any = None,
    retries: Mapping[type[BaseException], int] | None = None,
    time_limit: float | str | None = None,
    max_failures: int | None = None,
    max_time: float | str | None = None,
    max_cost: float | None = None,
) -> DetachedJob:
    """Have a job done that goes on when this session ends.

    With a gateway, a cluster is opened for the job; it outlives this session and ends with the job.

    Parameters
    ----------
    store : str
        Path or URL of a folder that this machine and the cluster can reach; all that is known of the job is
        there, and by it `status`, `logs`, `fetch` and `cancel` find the job from anywhere.
    cluster : mapping, optional
        Arguments of `open_cluster`, as ``{"target": "gateway", "workers": (1, 50)}``.
    function, files, read, options, combine, retries, time_limit, max_failures, max_time, max_cost
        As of `map_files`. For partitions give them as `files`, with ``read=readers.row``.

    Returns
    -------
    DetachedJob
        The job, once its driver runs.

    Raises
    ------
    InputError
        An argument is wrong; nothing was started.
    ClusterError
        The cluster or the driver did not start; the message has the end of the driver's log.
    BurstError
        The job is being driven already.
    """
    _check_cluster(cluster or {})
    job = make_job(function, read, options, combine, retries, time_limit)
    limits = Limits.given(max_failures, max_time, max_cost)
    account = open_account(job, files, store)
    assert account.ledger is not None
    _refuse_if_driven(account.ledger)
    account.open()
    return _start(account.ledger, limits, cluster or {})


def resume(store: str, job: str | None = None, *, cluster: Mapping[str, Any] | None = None) -> DetachedJob:
    """Start a new driver for a job whose driver is gone, or that was cancelled or reached a limit.

    Parameters
    ----------
    store : str
        As given to `submit` or `map_files`.
    job : str, optional
        Key of the job, or its beginning; by default the job begun last.
    cluster : mapping, optional
        Arguments of `open_cluster`; what is not given is as it was submitted, but for ``token`` and
        ``environment``, which are not kept in the store.

    Raises
    ------
    BurstError
        The job is being driven.
    """
    _check_cluster(cluster or {})
    ledger = find(store, job, shippable_options())
    _refuse_if_driven(ledger)
    submission = ledger.read_json(SUBMISSION) or {}
    limits = Limits(**submission.get("limits", {}))
    return _start(ledger, limits, submission.get("cluster", {}) | dict(cluster or {}))


def _check_cluster(cluster: Mapping[str, Any]) -> None:
    """Refuse arguments that `open_cluster` would refuse, before anything is written."""
    accepted = inspect.signature(open_cluster).parameters
    for name in cluster:
        if name not in accepted or name == "detached":
            raise InputError(
                f"cluster={{{name!r}: ...}} is no argument of open_cluster. {nearest(name, accepted)}"
            )
    given = {name: parameter.default for name, parameter in accepted.items()} | dict(cluster)
    check_request(**{name: given[name] for name in inspect.signature(check_request).parameters})
    choose_target(given["target"])


def _refuse_if_driven(ledger: Ledger) -> None:
    for lease in (Lease(ledger, "", LEASE), Lease(ledger, "")):
        if lease.is_held():
            raise BurstError(
                f"Job {ledger.key} in {ledger.store} is being driven already. status() shows it; cancel() "
                "ends it."
            )


def _start(ledger: Ledger, limits: Limits, cluster: Mapping[str, Any]) -> DetachedJob:
    target = choose_target(cluster.get("target"))
    prices = os.environ.get("HELIO_BURST_PRICES")
    order = Order(
        name=new_run_id(),
        store=ledger.store,
        job=ledger.key,
        storage=None if ledger.options is None else ledger.options.model_dump(exclude_unset=True),
        failures=limits.failures,
        seconds=limits.seconds,
        dollars=limits.dollars,
        seen=CancelWish(ledger).seen,
        prices=Path(prices).read_text(encoding="utf-8") if prices else None,
    )
    ledger.write_json(
        SUBMISSION,
        {
            "driver": order.name,
            "by": who(),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "after": latest_record(ledger).get("run"),
            "cluster": {name: value for name, value in cluster.items() if name not in _SECRET},
            "limits": {"failures": limits.failures, "seconds": limits.seconds, "dollars": limits.dollars},
        },
    )
    if target.kind in _WITH_A_HOST:
        _start_beside_scheduler(order, ledger, target, cluster)
    else:
        _start_here(order, ledger, target, cluster)
    return DetachedJob(ledger.store, ledger.key)


def _start_beside_scheduler(order: Order, ledger: Ledger, target: Target, cluster: Mapping[str, Any]) -> None:
    own = target.kind == "gateway" and cluster.get("name") is None
    opened = open_cluster(**{**cluster, **({"detached": True} if own else {})})
    with opened as client:
        try:
            on_scheduler.start_on_scheduler(client, order, ends_cluster=own)
            _wait_until_begun(order, ledger, lambda: on_scheduler.last_words(client, order))
        except BaseException:
            if own:
                on_scheduler.end_cluster(client, "its job did not begin")
            raise


def _start_here(order: Order, ledger: Ledger, target: Target, cluster: Mapping[str, Any]) -> None:
    log = Path(tempfile.mkdtemp(prefix="helio-burst-driver-"), "log.txt")
    arguments = dict(cluster) | {"target": target.address or target.kind}
    order = order.model_copy(update={"cluster": arguments, "log": str(log)})
    with log.open("wb") as output:
        spawned = subprocess.run(
            [sys.executable, "-c", _SPAWN, "--", sys.executable, "-m", DRIVER],
            input=order.model_dump_json().encode(),
            stdout=subprocess.PIPE,
            stderr=output,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            check=True,
        )
    pid = int(spawned.stdout)

    def last_words() -> str:
        if _lives(pid):
            return ""
        try:
            return log.read_text(encoding="utf-8", errors="replace")[-4000:]
        except FileNotFoundError:  # the driver has copied it into the store
            return ledger.read(f"logs/{order.name}.txt").decode(errors="replace")[-4000:]

    _wait_until_begun(order, ledger, last_words)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_until_begun(order: Order, ledger: Ledger, last_words: Callable[[], str]) -> None:
    """Wait until the driver has taken its lease, or has come and gone."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        if (ledger.read_json(LEASE) or {}).get("holder") == order.name or _has_run(ledger):
            return
        words = last_words()
        if words:
            raise ClusterError(f"The driver of job {order.job} ended before it began:\n{words}")
        if time.monotonic() > deadline:
            raise ClusterError(
                f"The driver of job {order.job} has not begun within {_START_SECONDS:g} s. Can the cluster "
                f"reach the store {order.store}?"
            )
        time.sleep(0.2)


def _has_run(ledger: Ledger) -> bool:
    submission = ledger.read_json(SUBMISSION) or {}
    return bool(latest_record(ledger).get("run") != submission.get("after"))
