"""A season as a YAML file: where the data are, what is counted, and where the result goes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import xarray as xr
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from helio_burst.burst.saving import save
from helio_burst.catalog import open_catalog, open_registry
from helio_burst.errors import InputError
from helio_burst.season.bins import Bins
from helio_burst.season.blocks import Selection
from helio_burst.season.checks import faults
from helio_burst.season.instrument import PysatInstrument
from helio_burst.season.orbits import Orbits
from helio_burst.season.run import Source, occurrence
from helio_burst.season.select import select
from helio_burst.season.vefi import CDAWEB, pysat_files, read_vefi, remote_files

if TYPE_CHECKING:
    from distributed import Client


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Strict):
    """Where the data are: give one of `catalog` (with `id`), `folder`, `table`, `cdaweb` and `pysat`."""

    catalog: str | None = Field(None, description="name or endpoint of a catalog")
    id: str | None = Field(None, description="a dataset of the catalog")
    registry: str | None = Field(None, description="address of the registry that knows the catalog's name")
    folder: str | None = Field(None, description="a pysat data directory with VEFI files")
    table: str | None = Field(None, description="a file list as .csv or .parquet: start, stop, datakey")
    cdaweb: bool | str = Field(False, description="true, or another address, to fetch VEFI files from")
    pysat: PysatInstrument | None = Field(None, description="an instrument, for pysat's own engine")

    @model_validator(mode="after")
    def _one(self) -> Data:
        given = [name for name in ("catalog", "folder", "table", "cdaweb", "pysat") if getattr(self, name)]
        if len(given) != 1:
            what = f"not {' and '.join(given)}" if given else "and nothing is given"
            raise ValueError(f"give one of catalog, folder, table, cdaweb and pysat, {what}")
        if (self.catalog is None) != (self.id is None):
            raise ValueError("catalog and id go together")
        return self


class Where(_Strict):
    """Times at which samples count: a condition on a table of indices, such as Kp."""

    table: str = Field(description=".csv or .parquet with a column of times, UTC")
    condition: str = Field(description="as pandas takes it, for instance 'Kp < 3 and f107 > 120'")
    column: str = Field("time", description="the column of times")


class SeasonJob(_Strict):
    """What ``helio-burst season job.yaml`` does; `occurrence` says what each field means."""

    data: Data
    start: str
    stop: str
    x: Bins
    y: Bins
    gates: dict[str, float] = Field(min_length=1)
    by: Literal["orbit", "day"] = "orbit"
    orbits: Orbits | None = None
    season: tuple[str, str] | None = None
    where: Where | None = None
    reader: Literal["vefi", "by name"] = "by name"
    custom: tuple[str, ...] = Field(
        (), description="functions to change a file's Dataset, as module:function"
    )
    cache: str | None = Field(None, description="folder to keep fetched files in, such as datasets/cnofs")
    freq: str = "14D"
    store: str | None = None
    out: str | None = Field(None, description="path or URL of the result: .nc or .zarr")

    @field_validator("out")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        if value is not None and not value.rstrip("/").endswith((".nc", ".zarr")):
            raise ValueError(f"{value!r} must end in .nc or .zarr, which choose the format")
        return value

    @field_validator("start", "stop", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        # YAML reads 2010-05-09 as a date.
        return value.isoformat() if isinstance(value, date | datetime) else value


def read_job(path: str | Path) -> SeasonJob:
    """Read a job file.

    Raises
    ------
    InputError
        It cannot be read, or is not a job; the message lists every fault.
    """
    try:
        contents = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return SeasonJob.model_validate(contents)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"The job file {path} cannot be read: {error}") from error
    except ValidationError as error:
        raise InputError(f"The job file {path} is not right: {faults(error)}.") from error


def run_job(job: SeasonJob, *, client: Client | None = None, progress: bool | None = None) -> xr.Dataset:
    """Compute what a job asks for, write it to `out` if there is one, and return it.

    Raises
    ------
    InputError, BurstError
        As `occurrence`.
    StorageError
        The result cannot be written.
    """
    source = _source(job)
    fast: dict[str, Any] = {}
    if job.data.pysat is None:
        fast["read"] = read_vefi if job.reader == "vefi" else None
        fast["custom"] = [function_named(name) for name in job.custom]
        fast["cache"] = job.cache
    result = occurrence(
        source,
        job.start,
        job.stop,
        x=job.x,
        y=job.y,
        gates=job.gates,
        by=job.by,
        orbits=job.orbits,
        season=job.season,
        where=_where(job.where) if job.where is not None else None,
        freq=job.freq,
        store=job.store,
        client=client,
        progress=progress,
        **fast,
    )
    if job.out is not None:
        save(result, job.out)
    return result


def function_named(name: str) -> Callable[..., Any]:
    """Import a function by its name, "module:function".

    Raises
    ------
    InputError
        There is none.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"There is no function {name!r}; write module:function. {error}") from error
    if not callable(found):
        raise InputError(f"{name!r} is not a function.")
    return found  # type: ignore[no-any-return]


def _source(job: SeasonJob) -> Source:
    data = job.data
    if data.pysat is not None:
        return data.pysat
    if data.folder is not None:
        return pysat_files(data.folder)
    if data.table is not None:
        return _read_table(data.table)
    if data.cdaweb:
        return remote_files(job.start, job.stop, CDAWEB if data.cdaweb is True else data.cdaweb)
    assert data.catalog is not None
    assert data.id is not None
    if data.registry is None and "/" in data.catalog:
        catalog = open_catalog(data.catalog)
    else:
        catalog = open_registry(data.registry).open_catalog(data.catalog)
    return catalog.file_list(data.id, job.start, job.stop)


def _where(where: Where) -> Selection:
    return select(_read_table(where.table), where.condition, column=where.column)


def _read_table(path: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"The table {path} cannot be read: {error}") from error
