"""What a driver is told when it is started; it goes through a pipe, since it may hold secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from helio_burst.burst.ledger import Ledger
from helio_burst.burst.limits import Limits
from helio_burst.storage import StorageOptions

DRIVER = "helio_burst.burst.detached.driver"
#: The lease of the driver; that of the job it takes later, when there is a cluster.
LEASE = "driver.json"
#: Exit code of a driver whose job has ended, well or badly: nothing would change if it were started again.
ENDED = 3
# What of a log is kept in the store: its end.
_LOG_BYTES = 2**20


class Order(BaseModel):
    """One job to drive.

    Attributes
    ----------
    name : str
        Of the driver; its log has it.
    store, job : str
        The ledger.
    storage : dict, optional
        What differs from the driver's own storage options.
    failures, seconds, dollars
        The limits of the run.
    cluster : dict, optional
        Arguments of `open_cluster`, for a driver that opens the cluster itself.
    scheduler : str, optional
        Address of the scheduler, for one that does not.
    tls : dict
        How to speak to the scheduler: arguments of `distributed.Security`.
    seen : dict
        The wish to cancel that was there already.
    prices : str, optional
        The price table that the submitter has named, so that limits in dollars mean what they did there.
    log : str
        The file that the driver's output goes to, in a folder of the driver's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    store: str
    job: str
    storage: dict[str, Any] | None = None
    failures: int | None = None
    seconds: float | None = None
    dollars: float | None = None
    cluster: dict[str, Any] | None = None
    scheduler: str | None = None
    tls: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    prices: str | None = None
    log: str = ""

    def ledger(self) -> Ledger:
        """Return the ledger of the job."""
        options = StorageOptions(**self.storage) if self.storage is not None else None
        return Ledger(self.store, self.job, options)

    def limits(self) -> Limits:
        """Return the limits of the run."""
        return Limits(self.failures, self.seconds, self.dollars)


def tls_of(security: Any) -> dict[str, Any]:
    """Return what a client needs to speak to a scheduler, taken from the scheduler's own."""
    if not security.tls_ca_file:
        return {}
    return {
        "tls_ca_file": security.tls_ca_file,
        "tls_client_cert": security.tls_scheduler_cert,
        "tls_client_key": security.tls_scheduler_key,
        "require_encryption": True,
    }


def copy_log(order: Order, ledger: Ledger) -> None:
    """Copy the end of a driver's log into the store."""
    if order.log:
        ledger.write(f"logs/{order.name}.txt", Path(order.log).read_bytes()[-_LOG_BYTES:])
