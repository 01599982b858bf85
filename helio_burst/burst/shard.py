"""A shard: what one batch yielded. It is the unit of the way back, in memory and in the ledger alike."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from helio_burst.burst.failures import Failure
from helio_burst.burst.items import KEYS
from helio_burst.burst.values import Packed

#: Prefix of the columns that hold what the function returned.
VALUE_PREFIX = "value."
_METADATA = b"helio-burst"


@dataclass
class Shard:
    """The outcome of some items.

    Attributes
    ----------
    rows : Table
        One row an item: datakey (filesize, etag), ok, attempts, seconds, worker, error, message, traceback,
        passing, read_bytes and read_etag of what was fetched, and a column ``value.<name>`` for each scalar
        that the function returned.
    attrs : dict
        Attributes of the scalar variables.
    stacks : list of Dataset
        Arrays stacked along `values.ITEM`, whose coordinate is the row in `rows`.
    state : object
        With ``combine``: the merged state of the items that are ok.
    """

    rows: pa.Table
    attrs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stacks: list[xr.Dataset] = field(default_factory=list)
    state: Any = None

    @property
    def failed(self) -> int:
        """The number of items without a result."""
        return len(self.rows) - int(np.count_nonzero(self.rows.column("ok").to_numpy()))


def build(
    items: pa.Table,
    packed: Packed,
    failures: Mapping[int, Failure],
    attempts: Sequence[int],
    seconds: Sequence[float],
    worker: str,
) -> Shard:
    """Put the rows of a shard together."""
    count = len(items)
    columns: dict[str, Any] = {name: items.column(name) for name in KEYS if name in items.column_names}
    ok = np.ones(count, bool)
    ok[list(failures)] = False
    columns["ok"] = pa.array(ok)
    columns["attempts"] = pa.array(attempts, pa.int32())
    columns["seconds"] = pa.array(seconds, pa.float32())
    columns["worker"] = pa.array(np.full(count, worker)).dictionary_encode()
    for name in ("error", "message", "traceback", "passing"):
        kind = pa.bool_() if name == "passing" else pa.string()
        values = [getattr(failures[i], name) if i in failures else None for i in range(count)]
        columns[name] = pa.array(values, kind) if failures else pa.nulls(count, kind)
    columns |= {VALUE_PREFIX + name: column for name, column in packed.columns.items()}
    return Shard(pa.table(columns), packed.attrs, packed.stacks)


def encode(shard: Shard) -> dict[str, bytes]:
    """Write a shard as objects, by the ending of their names, the one that makes it visible last."""
    objects: dict[str, bytes] = {}
    if shard.stacks:
        objects[".zarr.zip"] = _zip_datasets(shard.stacks)
    if shard.state is not None:
        objects[".state"] = cloudpickle.dumps(shard.state)
    note = {"attrs": shard.attrs, "stacks": len(shard.stacks), "state": shard.state is not None}
    sink = io.BytesIO()
    pq.write_table(
        shard.rows.replace_schema_metadata({_METADATA: json.dumps(note).encode()}), sink, compression="zstd"
    )
    objects[".parquet"] = sink.getvalue()
    return objects


def decode_rows(data: bytes) -> tuple[pa.Table, dict[str, Any]]:
    """Read the rows of a shard and its note: attrs, number of stacks, whether it has a state."""
    table = pq.read_table(io.BytesIO(data))
    metadata = table.schema.metadata or {}
    return table, json.loads(metadata.get(_METADATA, b"{}"))


def decode_stacks(data: bytes) -> list[xr.Dataset]:
    """Read the arrays of a shard."""
    import zarr  # here and below: it takes long to import, and most jobs return numbers
    from zarr.core.buffer import default_buffer_prototype
    from zarr.storage import MemoryStore

    contents: dict[str, Any] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            contents[name] = default_buffer_prototype().buffer.from_bytes(archive.read(name))
    store = MemoryStore(contents)
    groups = sorted((name for name, _ in zarr.open_group(store, mode="r").groups()), key=int)
    return [xr.open_zarr(store, group=name, consolidated=False, chunks=None).load() for name in groups]


def decode_state(data: bytes) -> Any:
    """Read the merged state of a shard."""
    return cloudpickle.loads(data)


def _zip_datasets(datasets: Sequence[xr.Dataset]) -> bytes:
    import zarr
    from zarr.storage import MemoryStore

    store = MemoryStore()
    zarr.create_group(store)
    with warnings.catch_warnings():
        # Of texts of fixed length. Who reads a shard is this package.
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
        for number, dataset in enumerate(datasets):
            dataset.to_zarr(store, group=str(number), consolidated=False, zarr_format=3)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, buffer in store._store_dict.items():
            archive.writestr(name, buffer.to_bytes())
    return sink.getvalue()
