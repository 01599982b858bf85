"""The account of a run: which files are done, which are left, and what its ledger is told of it."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import cloudpickle
import polars as pl
import pyarrow as pa
import xarray as xr

import helio_burst
from helio_burst.burst.assemble import assemble
from helio_burst.burst.fingerprint import source_of
from helio_burst.burst.job import Job
from helio_burst.burst.ledger import Ledger
from helio_burst.burst.outcome import Outcome
from helio_burst.burst.progress import Progress
from helio_burst.burst.record import latest_record, new_run_id, progress_of, who
from helio_burst.burst.results import Results
from helio_burst.cluster import shipping
from helio_burst.errors import BurstError


class Account:
    """What is known of one job over a list of files, in memory or in a ledger.

    Parameters
    ----------
    files : Table
        As `helio_burst.burst.items.as_table` makes it.
    provenance : dict
        Where the files came from and what is done to them.
    earlier : Outcome, optional
        Whose failed files are to be done again, those only.

    Attributes
    ----------
    run : str
        Name of the run.
    progress : Progress
        How far the run is; the engine keeps it up to date while it works.
    cluster : dict
        The cluster of the run, for its record.
    """

    def __init__(
        self,
        job: Job,
        files: pa.Table,
        ledger: Ledger | None,
        provenance: dict[str, Any],
        earlier: Outcome | None = None,
    ) -> None:
        self.job = job
        self.files = files
        self.ledger = ledger
        self.run = new_run_id()
        self.results = earlier._results if earlier is not None else Results(files, ledger)
        self.cluster: dict[str, Any] = {}
        unit = "partitions" if "padded_start" in files.column_names else "files"
        self.progress = Progress(total=len(files), unit=unit)
        self._provenance = provenance
        self._earlier = earlier
        self._began = datetime.now(UTC)

    def look(self) -> pl.DataFrame:
        """Count what there is of the files by now; return one row a file."""
        self.results.refresh()
        table = self.results.table(["passing"])
        self.progress = replace(
            self.progress,
            done=int(table["ok"].is_not_null().sum()),
            failed=int(table["ok"].not_().sum() or 0),
            note="",
        )
        return table

    def follow(self, ledger: Ledger) -> None:
        """Take the progress from another run's record, and the counts from what there is by now."""
        self.look()
        mine = self.progress
        note = "another client drives this job; this one follows"
        self.progress = replace(
            progress_of(latest_record(ledger)),
            total=mine.total,
            done=mine.done,
            failed=mine.failed,
            unit=mine.unit,
            note=note,
        )

    def todo(self) -> pa.Table:
        """Return the files that are to be done: those that never were, or failed for a passing reason."""
        table = self.look()
        wanted = table["ok"].is_null() | (table["ok"].not_() & table["passing"]).fill_null(False)
        if self._earlier is not None:
            wanted = wanted | table["ok"].not_().fill_null(False)
        if self.job.combine is not None and self.ledger is not None:
            usable = self._usable_shards(table)
            wanted = wanted | (table["ok"] & ~table["shard"].is_in(usable)).fill_null(False)
        todo = self.files if wanted.all() else self.files.filter(pa.array(wanted.to_numpy()))
        again = int((wanted & table["ok"].is_not_null()).sum())
        failing = int((wanted & table["ok"].not_()).fill_null(False).sum() or 0)
        done = self.progress.done - again
        failed = self.progress.failed - failing
        self.progress = Progress(len(self.files), done, failed, resumed=done, unit=self.progress.unit)
        return todo

    def _usable_shards(self, table: pl.DataFrame) -> list[int]:
        """Return the shards whose merged state counts: all in it is wanted, and in no other one."""
        wanted = dict(table.filter(pl.col("ok")).group_by("shard").len().iter_rows())
        merged = self.results.ok_per_shard()
        return [number for number, count in enumerate(merged) if count and wanted.get(number) == count]

    def merged_shards(self) -> list[str]:
        """Return the names of the shards whose merged states together are the merged result."""
        return [self.results.shard_name(number) for number in self._usable_shards(self.look())]

    def merge_with_earlier(self, state: Any) -> Any:
        """Merge the state of the files that were done again into that of the outcome before."""
        if self.job.combine is None or self._earlier is None:
            return state
        return self.job.combine.merge(self._earlier._state, state)

    def dataset(self, name: str | None, dim: str | None) -> xr.Dataset:
        """Return the results so far."""
        self.results.refresh()
        return assemble(self.results, self.results.table(), self.files, name, dim)

    def open(self) -> bytes:
        """Write the job and its files into the ledger, where any process can take it up; return the job."""
        blob = bytes(shipping.dumps(self.job))
        if self.ledger is not None:
            self.ledger.begin(self._description(self.ledger.key), blob, self.files)
        return blob

    def close(self, state: Any, stopped: str | None) -> Outcome:
        """Return the outcome, once every file that was to be done is accounted for."""
        table = self.look()
        final = self.progress
        if stopped is None and final.done < final.total:
            missing = table.filter(pl.col("ok").is_null())["datakey"].head(3).to_list()
            raise BurstError(
                f"{final.total - final.done} {final.unit} have neither a result nor a failure, such as "
                f"{missing}. This is a fault of HelioBurst; run it again, the ledger knows what is done."
            )
        if self.ledger is not None and state is not None:
            self.ledger.write(f"runs/{self.run}.state", cloudpickle.dumps(state))
        return self.outcome(final, self._record(stopped or "finished"), state, stopped)

    def outcome(self, progress: Progress, record: dict[str, Any], state: Any, stopped: str | None) -> Outcome:
        """Return what there is, as of the last look at the results."""
        return Outcome(self.job, self.files, self.results, progress, self._provenance, record, state, stopped)

    def note(self, status: str, error: str = "") -> None:
        """Write the run's record into the ledger."""
        if self.ledger is not None:
            self.ledger.write_json(f"runs/{self.run}.json", self._record(status, error))

    def note_pilot(self) -> None:
        """Note in the ledger that a few files were done for an estimate."""
        self.look()
        self.note("only a pilot was run")

    def _description(self, key: str) -> dict[str, Any]:
        return {
            "key": key,
            "function": self.job.name,
            "source": source_of(self.job.function),
            "options": {name: repr(value) for name, value in self.job.options.items()},
            "merged": self.job.combine is not None,
            "begun": datetime.now(UTC).isoformat(),
            **self._provenance,
        }

    def _record(self, status: str, error: str = "") -> dict[str, Any]:
        return {
            "run": self.run,
            "status": status,
            "error": error,
            "by": who(),
            "host": platform.node(),
            "pid": os.getpid(),
            "began": self._began.isoformat(timespec="milliseconds"),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "cluster": self.cluster,
            **asdict(self.progress),
            "helio_burst": helio_burst.__version__,
        }
