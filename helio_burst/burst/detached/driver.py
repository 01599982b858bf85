"""The driver: ``python -m helio_burst.burst.detached.driver``, with its order on standard input."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from distributed import Client
from distributed.security import Security

from helio_burst import storage
from helio_burst.burst.detached.order import ENDED, LEASE, Order, copy_log
from helio_burst.burst.lease import Lease
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.mapping import account_of
from helio_burst.burst.record import CancelWish, Repeated, note_without_run
from helio_burst.burst.run import Run
from helio_burst.cluster import open_cluster
from helio_burst.errors import HelioBurstError

logger = logging.getLogger("helio_burst.driver")


def main() -> None:
    """Drive one job to its end."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    _log_to_stderr()
    ledger = order.ledger()
    storage.use(ledger.options)
    if order.prices is not None:
        prices = Path(order.log).with_name("prices.yaml")
        prices.write_text(order.prices, encoding="utf-8")
        os.environ["HELIO_BURST_PRICES"] = str(prices)
    copy = partial(copy_log, order, ledger)
    try:
        with Repeated(copy):
            code = drive(order, ledger)
    except BaseException:
        logger.exception("The driver ends")
        raise
    finally:
        with contextlib.suppress(HelioBurstError):
            copy()
            if order.scheduler is None:
                shutil.rmtree(Path(order.log).parent)
    sys.exit(code)


def drive(order: Order, ledger: Ledger) -> int:
    """Run the job of an order, unless another driver is at it already; return the exit code."""
    lease = Lease(ledger, order.name, LEASE)
    if not lease.acquire():
        logger.warning("Another driver is at this job already")
        return ENDED
    wish = CancelWish(ledger, order.seen)
    try:
        with _client(order) as client:
            if wish.is_made():
                note_without_run(ledger, "it was cancelled")
            else:
                _run(order, ledger, client)
    except Exception as error:  # there is no cluster; who submitted the job is away and reads the record
        note_without_run(ledger, "broken", f"{type(error).__name__}: {error}")
        if not isinstance(error, HelioBurstError):
            raise
        logger.error("%s", error)
    finally:
        lease.release()
    return ENDED


def _run(order: Order, ledger: Ledger, client: Client) -> None:
    run = Run(account_of(ledger), client, order.limits()).start()
    logger.info("Driving %s, job %s", run.job.name, ledger.key)
    try:
        logger.info("Done: %r", run.watch(show=True))
    except HelioBurstError as error:  # the run has noted it in its record
        logger.error("%s", error)


@contextlib.contextmanager
def _client(order: Order) -> Iterator[Client]:
    if order.scheduler is None:
        with open_cluster(**(order.cluster or {})) as client:
            yield client
        return
    security = Security(**order.tls) if order.tls else None
    with Client(order.scheduler, security=security, name=f"helio-burst-driver-{order.job}") as client:
        yield client


def _log_to_stderr() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)sZ %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    logging.getLogger("helio_burst").setLevel(logging.INFO)


if __name__ == "__main__":
    main()
