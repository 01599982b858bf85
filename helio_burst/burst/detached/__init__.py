"""Jobs that go on when their laptop leaves: submit, look in from anywhere, fetch the result.

A job is driven by one process, the driver, which holds no result: all it knows is in the ledger, so it can be
lost at any moment and another one goes on. Where it runs follows from what it must outlive:

on the scheduler's host, for a cluster of a gateway and for a running scheduler
    The scheduler is the one process of a cluster that runs no user's code: a poison file kills workers, and
    with them any driver that were a task on one, until Dask blamed the driver. It is also the one whose death
    is the cluster's, so the driver lives as long as there is a cluster to drive. It is a process beside the
    scheduler, not a thread in it, so that unpickling and tables of a million rows neither delay the
    scheduler nor take its memory with them; a scheduler plugin starts it, starts it again when it is killed,
    and ends the cluster when the job has ended.
on this machine, for everything else
    A process in a session of its own, which a closed terminal does not end. It opens the cluster itself:
    here, or in the batch queue.
"""

from helio_burst.burst.detached.looking import (
    DetachedJob,
    Status,
    cancel,
    fetch,
    list_jobs,
    logs,
    status,
)
from helio_burst.burst.detached.submitting import resume, submit

__all__ = [
    "DetachedJob",
    "Status",
    "cancel",
    "fetch",
    "list_jobs",
    "logs",
    "resume",
    "status",
    "submit",
]
