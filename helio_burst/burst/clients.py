"""What a run needs of a cluster before it begins: a client, and leave to read the files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pyarrow as pa
from distributed import Client, get_worker

from helio_burst import storage
from helio_burst.burst.job import Job
from helio_burst.cluster import check_access, open_cluster
from helio_burst.errors import InputError


def choose_client(client: Client | None) -> Client | None:
    """Return the given client, else the current one of the calling thread, if it has any.

    Raises
    ------
    InputError
        It is no client or a closed one, or there is none and this is a task on a worker.
    """
    if client is None:
        return _current_client()
    if not isinstance(client, Client):
        raise InputError(
            f"client={client!r} is no Dask client; open_cluster(...) and distributed.Client make one."
        )
    if client.status == "closed":
        raise InputError(f"client={client!r} is closed; open a cluster again.")
    return client


def _current_client() -> Client | None:
    try:
        address = get_worker().address
    except ValueError:
        pass
    else:
        raise InputError(
            f"This call was made by a function that runs on the worker {address}. Make it outside of the "
            "function; where it must be there, give it client=distributed.get_client()."
        )
    try:
        current: Client = Client.current()
    except ValueError:
        return None
    return current


@contextlib.contextmanager
def use_client(client: Client | None) -> Iterator[Client]:
    """Use the given client, else a local cluster for this run."""
    if client is not None:
        yield client
        return
    with open_cluster("local") as own:
        yield own


def check_files(client: Client, job: Job, files: pa.Table, given_up: Callable[[], bool]) -> None:
    """Learn from a worker whether it can read, before thousands of files fail for the same reason.

    One file alone and this machine's disks say it by themselves.

    Raises
    ------
    StorageError, InputError
        A worker may not read the files.
    """
    if not job.fetches or len(files) < 2:
        return
    urls = [files["datakey"][at].as_py() for at in (0, len(files) // 2, len(files) - 1)]
    remote = [url for url in urls if url.startswith(("s3:", "http"))]
    if remote:
        check_access(client, remote, job.storage, given_up)


def shippable_options() -> storage.StorageOptions | None:
    """Return this process's storage options for the workers, if any was set; else theirs count."""
    options = storage.default_options()
    return options if options.model_fields_set else None
