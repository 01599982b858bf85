"""What a run yielded: results, failures, and the ways on from there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import xarray as xr

from helio_burst import storage
from helio_burst.burst import failures as failure_rows
from helio_burst.burst.assemble import assemble
from helio_burst.burst.items import rows
from helio_burst.burst.job import Job
from helio_burst.burst.progress import Progress, duration
from helio_burst.burst.results import Results
from helio_burst.burst.saving import save
from helio_burst.burst.values import ITEM
from helio_burst.errors import InputError, nearest

if TYPE_CHECKING:
    from distributed import Client
    from prov.model import ProvDocument

    from helio_burst.burst.ledger import Ledger


class Outcome:
    """The outcome of `map_files` or `map_partitions`.

    Attributes
    ----------
    value : object
        With ``combine``, the merged result.
    progress : Progress
        The last state of the run: counts, bytes, seconds, cost.
    provenance : dict
        Where the files came from and what was done to them.
    record : dict
        The run: its name, when it began and ended (UTC), user, host, cluster and counts.
    stopped : str, optional
        Why the run ended before its work was done.
    """

    def __init__(
        self,
        job: Job,
        files: pa.Table,
        results: Results,
        progress: Progress,
        provenance: dict[str, Any],
        record: dict[str, Any],
        state: Any = None,
        stopped: str | None = None,
    ) -> None:
        self.job = job
        self.value = job.combine.result(state) if job.combine is not None and state is not None else None
        self.progress = progress
        self.provenance = provenance
        self.record = record
        self.stopped = stopped
        self._items = files
        self._results = results
        self._state = state
        self._table: pl.DataFrame | None = None

    def _rows(self) -> pl.DataFrame:
        if self._table is None:
            self._table = self._results.table()
        return self._table

    @property
    def ledger(self) -> Ledger | None:
        """The ledger of the run, if it has one."""
        return self._results.ledger

    @property
    def files(self) -> pd.DataFrame:
        """The list of files, and what became of each.

        ``ok`` (null where not done), ``attempts``, ``seconds``, ``worker``, and, where a file was fetched,
        ``read_bytes`` and ``read_etag``: the size and the ETag of the very bytes that were worked on.
        """
        frame: pd.DataFrame = self._items.to_pandas()
        table = self._rows()
        for name in ("ok", "attempts", "seconds", "worker", "read_bytes", "read_etag"):
            if name in table.columns:
                column = table[name]
                frame[name] = (column.cast(pl.String) if name == "worker" else column).to_pandas()
        return frame

    @property
    def failures(self) -> pd.DataFrame:
        """The files without a result: datakey, start, error, message, traceback, attempts, worker."""
        table = self._rows()
        failed = self._results.failures(table).select(failure_rows.COLUMNS)
        frame: pd.DataFrame = failed.cast({"worker": pl.String}).to_pandas()
        if "start" in self._items.column_names:
            starts = self._items.column("start").filter((table["ok"].not_()).fill_null(False).to_arrow())
            frame.insert(1, "start", starts.to_pandas())
        return frame

    def failures_by_cause(self) -> pd.DataFrame:
        """Group the failures: error, message, count, one example of each."""
        return failure_rows.by_cause(self.failures)

    def to_xarray(self, name: str | None = None, dim: str | None = None) -> xr.Dataset:
        """Bring the results together as one Dataset.

        Parameters
        ----------
        name : str, optional
            Name of the variable, where the function returns one without a name.
        dim : str, optional
            Dimension along which the files are laid ("time"). Results that have it are joined along it.

        Returns
        -------
        Dataset
            One entry a file that has a result, in the files' order; coordinates ``time`` (UTC) and
            ``datakey``; the provenance in its attributes.

        Raises
        ------
        InputError
            No file has a result, results of different shapes, or merged results (they are in `value`).
        """
        if self.job.combine is not None:
            raise InputError("The results were merged on the workers (combine=...): see outcome.value.")
        dataset = assemble(self._results, self._rows(), self._items, name, dim)
        failed = int(self._rows()["ok"].not_().sum() or 0)
        dataset.attrs |= {**self.provenance, "files": len(self._items), "files_failed": failed}
        return dataset

    def save(self, path: str, name: str | None = None, dim: str | None = None) -> str:
        """Write the results to ``.nc``, ``.zarr`` or ``.parquet``, at a path or a URL; return it.

        Parameters
        ----------
        name, dim : str, optional
            As in `to_xarray`.
        """
        return save(self.to_xarray(name, dim), path)

    def provenance_document(self) -> ProvDocument:
        """Describe where the result comes from as W3C PROV: inputs, code, run, user and software.

        Returns
        -------
        prov.model.ProvDocument
            Its ``serialize`` and ``get_provn`` write it. More than 100 inputs are one collection.

        Raises
        ------
        InputError
            The package prov is not installed.
        """
        return _extra("provenance").document(self)  # type: ignore[no-any-return]

    def save_crate(
        self,
        folder: str | Path,
        *,
        result: str | Path | None = None,
        author: str | None = None,
        licence: str | None = None,
    ) -> Path:
        """Write an RO-Crate directory: the result, and all that is needed to know how it came about.

        The crate holds the result, the inputs with sizes and ETags (``inputs.parquet``), the failures, the
        source of the function, the installed packages, the runs with their cluster, and W3C PROV.

        Parameters
        ----------
        folder : path
            Made if it is not there; it must be empty.
        result : path, optional
            A result that is saved already, to be copied; by default ``result.nc`` is written, for a merged
            result ``.nc``, ``.npy`` or ``.json``.
        author : str, optional
            A name, or an ORCID as "https://orcid.org/0000-0002-1825-0097"; by default the user's name.
        licence : str, optional
            Of the crate, as a URL.

        Raises
        ------
        InputError
            The folder is not empty, there is no such result, or rocrate is not installed.
        """
        write = _extra("crate").save_crate
        crate: Path = write(self, folder, result=result, author=author, licence=licence)
        return crate

    def replay(self, datakey: str) -> Any:
        """Do one file here, in this process, and return its result; what it raises is raised.

        A debugger (``%debug`` in a notebook) then stands where the function failed.
        """
        keys = self._items.column("datakey").to_pylist()
        if self.job.fetches:
            datakey = storage.absolute(datakey)
        if datakey not in keys:
            known = nearest(datakey, keys[:5000])
            raise InputError(f"{datakey!r} is not among the files of this run. {known}")
        row = rows(self._items.slice(keys.index(datakey), 1))[0]
        data = self.job.fetch(row.datakey).data if self.job.fetches else b""
        return self.job.apply(data, row)

    def retry_failures(self, client: Client | None = None, progress: bool | None = None) -> Outcome:
        """Do the failed files again, those only, and return the outcome of all files."""
        from helio_burst.burst.account import Account
        from helio_burst.burst.run import Run

        self._rows()  # what this outcome says stays as it is
        account = Account(self.job, self._items, self.ledger, self.provenance, earlier=self)
        return Run(account, client).start().watch(progress)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield (datakey, result) of the files that have one; arrays come as Datasets."""
        table = self._rows()
        arrays: dict[int, Any] = {}
        for part, where in self._results.datasets(table):
            arrays |= {int(position): part.isel({ITEM: i}) for i, position in enumerate(where)}
        columns = [name for name in table.columns if name.startswith("value.")]
        for position, row in enumerate(table.iter_rows(named=True)):
            if row["ok"]:
                scalars = {name[6:]: row[name] for name in columns if row[name] is not None}
                value = arrays.get(position, scalars)
                yield row["datakey"], scalars["value"] if value == {"value": scalars.get("value")} else value

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        progress = self.progress
        state = f"stopped: {self.stopped}" if self.stopped else f"in {duration(progress.seconds)}"
        text = (
            f"<Outcome of {self.job.name}: {progress.done - progress.failed:,} results, "
            f"{progress.failed:,} failures, {progress.total:,} {progress.unit}, {state}>"
        )
        if progress.failed:
            for cause in self.failures_by_cause().head(3).itertuples():
                text += f"\n  {cause.count} x {cause.error}: {cause.message}"
        return text

    def _repr_html_(self) -> str:
        from html import escape

        causes = self.failures_by_cause().head(5)
        table = causes.to_html(index=False, border=0) if len(causes) else ""
        return f"<p><code>{escape(repr(self).splitlines()[0])}</code></p>{table}"


def _extra(module: str) -> ModuleType:
    """Import a module of this room that needs the extra "provenance"."""
    try:
        return importlib.import_module(f"helio_burst.burst.{module}")
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; provenance needs it: pip install 'helio-burst[provenance]'"
        ) from error
