"""The shards of a run brought together: one row an item, whichever batches and runs they came from."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import xarray as xr

from helio_burst.burst.items import KEYS
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.shard import Shard

# Why an item failed: kept apart, since few have it and it is long.
_WHY = ("error", "message", "traceback")


class Results:
    """Shards in memory, or in a ledger, as one table.

    Parameters
    ----------
    ledger : Ledger, optional
        Where the shards are; without one they are kept in memory.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger
        self._shards: list[list[xr.Dataset]] = []
        self._failures: list[pl.DataFrame] = []
        self._frames: list[pl.DataFrame] = []
        self._names: list[str] = []
        self._attrs: dict[str, dict[str, Any]] = {}
        self._stacked: list[int] = []
        self._lock = threading.Lock()

    def add(self, shard: Shard) -> None:
        """Keep a shard in memory; an item that is there already is superseded."""
        with self._lock:
            self._shards.append(shard.stacks)
            self._note(shard.rows, shard.attrs, len(shard.stacks))

    def refresh(self) -> None:
        """Read the shards that have come into the ledger since."""
        if self.ledger is None:
            return
        with self._lock:
            known = set(self._names)
            names = [name for name in self.ledger.names() if name not in known]
            for name, (rows, note) in zip(names, self.ledger.read_rows(names), strict=True):
                self._names.append(name)
                self._note(rows, note.get("attrs", {}), note.get("stacks", 0))

    def _note(self, rows: pa.Table, attrs: dict[str, dict[str, Any]], stacks: int) -> None:
        frame = pl.from_arrow(rows)
        assert isinstance(frame, pl.DataFrame)
        number = len(self._stacked)
        frame = frame.with_columns(
            pl.col("worker").cast(pl.String).cast(pl.Categorical),
            pl.lit(number, pl.Int32).alias("shard"),
            pl.int_range(pl.len(), dtype=pl.Int32).alias("row"),
        )
        failed = frame.filter(pl.col("ok").not_())
        if len(failed):
            self._failures.append(failed.select("shard", "row", *_WHY))
        self._frames.append(frame.drop(_WHY))
        self._stacked.append(stacks)
        for name, values in attrs.items():
            self._attrs.setdefault(name, values)

    @property
    def attrs(self) -> dict[str, dict[str, Any]]:
        """Attributes of the scalar variables."""
        return self._attrs

    def table(self, files: pa.Table, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return one row a file, in the files' order, with columns null where it is not done yet.

        An item that was done more than once counts once: a result before a failure, then the latest.

        Parameters
        ----------
        columns : sequence of str, optional
            Of ok, attempts, seconds, worker, passing, shard, row and the values; all by default.
        """
        keys = [name for name in KEYS if name in files.column_names]
        wanted = pl.from_arrow(files.select(keys))
        assert isinstance(wanted, pl.DataFrame)
        with self._lock:
            frames = list(self._frames)
        if not frames:
            empty = {"ok": pl.Boolean, "attempts": pl.Int32, "seconds": pl.Float32, "worker": pl.String}
            empty |= {"passing": pl.Boolean, "shard": pl.Int32, "row": pl.Int32}
            return wanted.with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())
        if columns is not None:
            chosen = {*KEYS, *columns, "ok", "shard"}
            frames = [frame.select(name for name in frame.columns if name in chosen) for frame in frames]
        done = pl.concat(frames, how="diagonal_relaxed")
        for name in keys:
            if name not in done.columns:
                done = done.with_columns(pl.lit(None, wanted.schema[name]).alias(name))
            done = done.with_columns(pl.col(name).cast(wanted.schema[name]))
        surplus = [name for name in KEYS if name in done.columns and name not in keys]
        done = done.drop(surplus)
        # Hashes that all differ prove that there is nothing twice, in a fraction of the memory.
        if done.select(pl.struct(keys).hash()).to_series().n_unique() < len(done):
            done = done.sort("ok", "shard", descending=True, maintain_order=True)
            done = done.unique(keys, keep="first", maintain_order=True)
        return wanted.join(done, on=keys, how="left", nulls_equal=True, maintain_order="left")

    def failures(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a table that failed, with error, message and traceback."""
        failed = table.filter(pl.col("ok").not_())
        with self._lock:
            why = list(self._failures)
        if not why:
            return failed.with_columns(pl.lit(None, pl.String).alias(name) for name in _WHY)
        return failed.join(pl.concat(why), on=["shard", "row"], how="left", maintain_order="left")

    def datasets(self, table: pl.DataFrame) -> list[tuple[xr.Dataset, np.ndarray]]:
        """Return the arrays of the rows of a table that have any.

        Returns
        -------
        list of (Dataset, positions)
            Each Dataset is stacked along ``item``; positions are the rows of `table` it belongs to.
        """
        with self._lock:
            stacked = [number for number, count in enumerate(self._stacked) if count]
        parts: list[tuple[xr.Dataset, np.ndarray]] = []
        placed = table.with_row_index("position").filter(pl.col("ok") & pl.col("shard").is_in(stacked))
        for (number,), rows in placed.group_by("shard", maintain_order=True):
            positions = dict(zip(rows["row"].to_list(), rows["position"].to_list(), strict=True))
            for stack in self.stacks(int(str(number))):
                rows_of_stack = stack["item"].to_numpy()
                wanted = [index for index, row in enumerate(rows_of_stack) if int(row) in positions]
                if wanted:
                    part = stack.isel(item=wanted)
                    where = np.array([positions[int(row)] for row in part["item"].to_numpy()])
                    parts.append((part.drop_vars("item"), where))
        return parts

    def stacks(self, number: int) -> Sequence[xr.Dataset]:
        """Return the arrays of a shard."""
        if self.ledger is None:
            return self._shards[number]
        return self.ledger.read_stacks(self._names[number])

    def shard_name(self, number: int) -> str:
        """Return the name of a shard in the ledger."""
        return self._names[number]

    def ok_per_shard(self) -> list[int]:
        """Return how many items with a result each shard holds."""
        return [int(frame["ok"].sum()) for frame in self._frames]
