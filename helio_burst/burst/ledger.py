"""The ledger: what a job has done, as shards in a store, so that it can end at any moment and go on later.

Below ``<store>/<job key>/``:

``job.json``
    the function, its source, the options, versions and when it began, for people and for `attach`
``job.pickle``
    the job itself, for a driver on the cluster and for `replay`
``files.parquet``
    the list of files of the latest run
``shards/<run>-<batch>.parquet``
    one row an item; its arrays in ``.zarr.zip`` and its merged state in ``.state`` beside it are written
    before, so a shard is there wholly or not at all
``lease.json``
    who is driving the job at present
``runs/<run>.json``
    one record a run, renewed while it works: when, where, how far, how it ended; beside it, in ``.state``,
    the merged result of a run that has one
``cancel.json``
    the wish that whoever drives the job stop
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import cloudpickle
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from helio_burst import storage
from helio_burst.burst.job import Job
from helio_burst.burst.shard import Shard, decode_rows, decode_stacks, decode_state, encode
from helio_burst.errors import (
    BurstError,
    InputError,
    MissingObjectError,
    StorageError,
    TransientStorageError,
)
from helio_burst.storage import StorageOptions

T = TypeVar("T")

_READERS = 16
# A store that is down for a while must not cost the work of a batch.
_PATIENCE = 300.0


def write_shard(url: str, shard: Shard, options: StorageOptions | None) -> None:
    """Write a shard, the object that makes it visible last; a store that is down is waited for."""
    written: list[str] = []
    try:
        for ending, data in encode(shard).items():
            _patiently(partial(storage.write, url + ending, data, options))
            written.append(url + ending)
    except StorageError:
        with contextlib.suppress(StorageError):  # arrays without their rows only take room
            for part in written:
                storage.delete(part, options)
        raise


def _patiently(call: Callable[[], T]) -> T:
    """Make a request of the store; one that is down for a while is waited for."""
    deadline, wait = time.monotonic() + _PATIENCE, 1.0
    while True:
        try:
            return call()
        except TransientStorageError:
            if time.monotonic() + wait > deadline:
                raise
            time.sleep(wait)
            wait = min(30.0, wait * 2)


class Ledger:
    """The shards of one job in a store.

    Parameters
    ----------
    store : str
        URL or path of the folder that the user named; it may hold many jobs.
    key : str
        The job's hash.
    """

    def __init__(self, store: str, key: str, options: StorageOptions | None = None) -> None:
        self.store = storage.absolute(store)
        self.key = key
        self.options = options
        self.root = storage.join(self.store, key)

    def url(self, *parts: str) -> str:
        """Return the URL of an object of this job."""
        return storage.join(self.root, *parts)

    def begin(self, description: dict[str, Any], blob: bytes, files: pa.Table) -> None:
        """Note what the job is and which files it is asked for now."""
        earlier = self.read_json("job.json") or {}
        self.write_json("job.json", description | {"begun": earlier.get("begun", description["begun"])})
        self.write("job.pickle", blob)
        sink = io.BytesIO()
        pq.write_table(files, sink, compression="zstd")
        self.write("files.parquet", sink.getvalue())

    def write(self, name: str, data: bytes) -> None:
        """Write one object of the job."""
        _patiently(partial(storage.write, self.url(name), data, self.options))

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write one object of the job as JSON."""
        self.write(name, json.dumps(content, indent=1, default=str).encode())

    def read(self, name: str) -> bytes:
        """Read one object of the job."""
        return _patiently(partial(storage.read, self.url(name), self.options))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read one JSON object of the job; None if it is not there, or not whole."""
        try:
            content: dict[str, Any] = json.loads(self.read(name))
        except (MissingObjectError, json.JSONDecodeError):
            return None
        return content

    def job(self) -> Job:
        """Return the job."""
        job: Job = cloudpickle.loads(self.read("job.pickle"))
        return job

    def files(self) -> pa.Table:
        """Return the list of files of the latest run."""
        return pq.read_table(io.BytesIO(self.read("files.parquet")))

    def names(self) -> list[str]:
        """List the shards that are there, oldest run first."""
        prefix = self.url("shards")
        found = (info.url.rsplit("/", 1)[1] for info in storage.list_objects(prefix, self.options))
        return sorted(name.removesuffix(".parquet") for name in found if name.endswith(".parquet"))

    def read_rows(self, names: list[str]) -> list[tuple[pa.Table, dict[str, Any]]]:
        """Read the rows of some shards, several at once."""

        def rows(name: str) -> tuple[pa.Table, dict[str, Any]]:
            return decode_rows(self.read(f"shards/{name}.parquet"))

        if not names:
            return []
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(rows, names))

    def read_stacks(self, name: str) -> list[xr.Dataset]:
        """Read the arrays of a shard."""
        return decode_stacks(self.read(f"shards/{name}.zarr.zip"))

    def read_state(self, name: str) -> Any:
        """Read the merged state of a shard."""
        return decode_state(self.read(f"shards/{name}.state"))

    def shard_url(self, run: str, number: int) -> str:
        """Return the URL, without ending, of the shard of a batch."""
        return self.url("shards", f"{run}-{number:07d}")


def find(store: str, job: str | None = None, options: StorageOptions | None = None) -> Ledger:
    """Find a job in a store: the one whose key begins with `job`, else the one that was begun last.

    Raises
    ------
    InputError
        There is no such job; the message lists those that there are.
    """
    found = jobs(store, options)
    if not found:
        raise InputError(f"There is no job in {store}. A run with store={store!r} makes one.")
    matching = [key for key in found if job is None or key.startswith(job)]
    if not matching:
        raise InputError(f"There is no job {job!r} in {store}; there are {', '.join(found)}.")
    if job is not None and len(matching) > 1:
        raise InputError(f"{job!r} is short for more than one job in {store}: {', '.join(matching)}.")
    return Ledger(store, matching[-1], options)


def jobs(store: str, options: StorageOptions | None = None) -> list[str]:
    """List the jobs of a store by the time at which they were last begun."""
    store = storage.absolute(store)
    times: dict[str, float] = {}
    for info in storage.list_objects(store, options):
        parts = info.url[len(store.rstrip("/")) :].strip("/").split("/")
        if len(parts) == 2 and parts[1] == "files.parquet":
            times[parts[0]] = info.modified.timestamp()
    return sorted(times, key=lambda key: times[key])


def forget(store: str, job: str, options: StorageOptions | None = None) -> int:
    """Remove a job from a store with all it holds; return the number of objects.

    Raises
    ------
    BurstError
        The job is being driven at present.
    """
    from helio_burst.burst.lease import Lease

    ledger = find(store, job, options)
    if Lease(ledger, "").is_held():
        raise BurstError(f"The job {ledger.key} in {store} is running; cancel it first.")
    objects = [info.url for info in storage.list_objects(ledger.root, options)]
    for url in objects:
        storage.delete(url, options)
    return len(objects)
