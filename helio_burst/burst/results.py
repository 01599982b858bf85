"""The shards of a run brought together: one row a file, whichever batches and runs they came from."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import xarray as xr

from helio_burst.burst.items import KEYS
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.shard import Shard
from helio_burst.burst.values import ITEM

# Why an item failed: kept apart, since few have it and it is long.
_WHY = ("error", "message", "traceback")
_SCHEMA = {
    "ok": pl.Boolean, "attempts": pl.Int32, "seconds": pl.Float32, "worker": pl.Categorical,
    "passing": pl.Boolean, "shard": pl.Int32, "row": pl.Int32,
}  # fmt: skip
# Shards that are taken in together: each step of polars takes a millisecond, however small its table.
_AT_ONCE = 16


class _Places:
    """Tells where in the list of files an item is, by its keys.

    Hashes find the place and the keys themselves confirm it, in a fraction of the memory of a join.
    """

    def __init__(self, files: pa.Table) -> None:
        self.keys = pl.DataFrame(files.select([name for name in KEYS if name in files.column_names]))
        # Of a million hashes two are alike in one list of thirty million; another seed mends that.
        for self._seed in range(8):
            hashes = self._hash(self.keys)
            self._order = np.argsort(hashes)
            self._sorted = hashes[self._order]
            if (self._sorted[1:] != self._sorted[:-1]).all():
                break

    def find(self, rows: pa.Table) -> np.ndarray:
        """Return the place of each row's file; -1 where it is none of them."""
        if not len(self.keys):
            return np.full(len(rows), -1)
        given = pl.DataFrame(rows.select([name for name in KEYS if name in rows.column_names]))
        keys = given.select(
            (pl.col(name) if name in given.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in self.keys.schema.items()
        )
        hashes = self._hash(keys)
        order = np.argsort(hashes)  # a search in order stays in the processor's cache
        nearest = np.empty_like(order)
        nearest[order] = np.searchsorted(self._sorted, hashes[order])
        places = self._order[nearest.clip(max=len(self._order) - 1)]
        there = self.keys[places]
        same = pl.DataFrame([keys[name].eq_missing(there[name]) for name in keys.columns])
        return np.where(same.select(pl.all_horizontal(pl.all())).to_series().to_numpy(), places, -1)

    def _hash(self, keys: pl.DataFrame) -> np.ndarray:
        return keys.select(pl.struct(pl.all()).hash(self._seed)).to_series().to_numpy()


class Results:
    """Shards in memory, or in a ledger, as one table.

    What was added is taken in by `table` at the latest; all else tells of what is taken in.

    Parameters
    ----------
    files : Table
        What the run is over. A ledger may hold more, which does not count.
    ledger : Ledger, optional
        Where the shards are; without one they are kept in memory.
    """

    def __init__(self, files: pa.Table, ledger: Ledger | None = None) -> None:
        self.ledger = ledger
        self._places = _Places(files)
        # Of each file: the row of all frames that counts, and whether it is a result; -1 where there is none.
        self._source = np.full(len(files), -1)
        self._ok = np.full(len(files), -1, np.int8)
        self._count = 0
        self._frames: list[pl.DataFrame] = []
        self._failures: list[pl.DataFrame] = []
        self._shards: list[list[xr.Dataset]] = []
        # Rows, attributes and number of stacks of the shards that are not taken in yet.
        self._waiting: list[tuple[pa.Table, dict[str, dict[str, Any]], int]] = []
        self._names: list[str] = []
        self._attrs: dict[str, dict[str, Any]] = {}
        self._stacked: list[int] = []
        self._ok_per_shard: list[int] = []
        self._lock = threading.Lock()

    def add(self, shard: Shard) -> None:
        """Keep a shard in memory; an item that is there already is superseded."""
        with self._lock:
            self._shards.append(shard.stacks)
            self._waiting.append((shard.rows, shard.attrs, len(shard.stacks)))
            if len(self._waiting) == _AT_ONCE:
                self._take_in()

    def refresh(self) -> None:
        """Read the shards that have come into the ledger since."""
        if self.ledger is None:
            return
        with self._lock:
            known = set(self._names)
            names = [name for name in self.ledger.names() if name not in known]
            for first in range(0, len(names), _AT_ONCE):
                some = names[first : first + _AT_ONCE]
                for rows, note in self.ledger.read_rows(some):
                    self._waiting.append((rows, note.get("attrs", {}), note.get("stacks", 0)))
                self._names += some
                self._take_in()

    def _take_in(self) -> None:
        """Take in the rows of the waiting shards that count: a result before a failure, then the latest."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        keys = [rows.select([name for name in KEYS if name in rows.column_names]) for rows, _, _ in waiting]
        found = self._places.find(pa.concat_tables(keys, promote_options="permissive"))
        ends = np.cumsum([len(rows) for rows, _, _ in waiting])
        parts = []
        for (rows, attrs, stacks), places in zip(waiting, np.split(found, ends[:-1]), strict=True):
            ok = rows["ok"].to_numpy()
            known = np.flatnonzero(places >= 0)
            taken = known[ok[known] | (self._ok[places[known]] != 1)]
            self._ok[places[taken]] = ok[taken]
            self._source[places[taken]] = np.arange(self._count, self._count + len(taken))
            self._count += len(taken)
            number = len(self._stacked)
            kept = [name for name in rows.column_names if name not in (*KEYS, *_WHY)]
            # What is taken is a copy: it does not hold the whole message in memory in which it came.
            parts.append(_placed(rows.select(kept), taken, number))
            failed = taken[~ok[taken]]
            if len(failed):
                self._failures.append(pl.DataFrame(_placed(rows.select(_WHY), failed, number)))
            self._stacked.append(stacks)
            self._ok_per_shard.append(int(ok.sum()))
            for name, values in attrs.items():
                self._attrs.setdefault(name, values)
        for _, alike in groupby(parts, key=lambda part: part.schema.remove_metadata()):
            frame = pl.DataFrame(pa.concat_tables(alike).unify_dictionaries())
            self._frames.append(frame.with_columns(pl.col("worker").cast(pl.String).cast(pl.Categorical)))

    @property
    def attrs(self) -> dict[str, dict[str, Any]]:
        """Attributes of the scalar variables."""
        return self._attrs

    def table(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return one row a file, in the files' order, with columns null where it is not done yet.

        An item that was done more than once counts once: a result before a failure, then the latest.

        Parameters
        ----------
        columns : sequence of str, optional
            Beside the keys, ok and shard: of attempts, seconds, worker, passing, row and the values; all by
            default.
        """
        with self._lock:
            self._take_in()
            frames = [pl.DataFrame(schema=_SCHEMA), *self._frames]
            source = pl.Series(self._source)
        if columns is not None:
            frames = [frame.select("ok", "shard", *columns) for frame in frames]
        source = source.set(source < 0, None)
        done = pl.concat(frames, how="diagonal_relaxed").select(pl.all().gather(source))
        return self._places.keys.hstack(done)

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
            Each Dataset is stacked along `ITEM`; positions are the rows of `table` it belongs to.
        """
        with self._lock:
            stacked = [number for number, count in enumerate(self._stacked) if count]
        parts: list[tuple[xr.Dataset, np.ndarray]] = []
        placed = table.with_row_index("position").filter(pl.col("ok") & pl.col("shard").is_in(stacked))
        for (number,), rows in placed.group_by("shard", maintain_order=True):
            positions = dict(zip(rows["row"].to_list(), rows["position"].to_list(), strict=True))
            for stack in self.stacks(int(str(number))):
                rows_of_stack = stack[ITEM].to_numpy()
                wanted = [index for index, row in enumerate(rows_of_stack) if int(row) in positions]
                if wanted:
                    part = stack.isel({ITEM: wanted})
                    where = np.array([positions[int(row)] for row in part[ITEM].to_numpy()])
                    parts.append((part.drop_vars(ITEM), where))
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
        return self._ok_per_shard


def _placed(rows: pa.Table, taken: np.ndarray, shard: int) -> pa.Table:
    """Return a copy of some rows that says which shard they are of, and where in it they stand."""
    part = rows.take(taken)
    part = part.append_column("shard", pa.array(np.full(len(taken), shard, np.int32)))
    return part.append_column("row", pa.array(taken, pa.int32()))
