"""The job file: one burst, from catalog to plot, as a validated model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from helio_burst.cluster.request import check_request
from helio_burst.errors import InputError, nearest
from helio_burst.timespan import parse_time, parse_timespan

SAVED = (".nc", ".zarr", ".parquet")
DRAWN = (".png", ".pdf", ".svg")
_LEFT_OUT: dict[str, Any] = {
    **dict.fromkeys(("workers", "cores", "memory", "environment", "image", "idle", "options")),
    "detached": False,
    "start_timeout": "10 min",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClusterOptions(_Strict):
    """Where the job runs; what the job file leaves out has `open_cluster`'s own default."""

    target: str | None = Field(
        None,
        description="local, gateway, gateway-local, slurm, sge, pbs, or an address of a gateway or scheduler",
    )
    workers: int | tuple[int, int] = Field(2, description="a number, or [least, most] to adapt between")
    cores: int = Field(1, ge=1, description="cores of each worker, 1 or more")
    memory: str = Field("2 GiB", description="memory of each worker, as 4 GiB")
    image: str | None = Field(None, description="container image of the workers, where the target has such")
    environment: dict[str, str] = Field({}, description="environment variables of the workers")
    idle: str = Field("30 min", description="time after which an idle cluster ends, as 30 min")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.given()
        given.pop("target", None)
        check_request(**_LEFT_OUT | given)
        return self

    def given(self) -> dict[str, Any]:
        """Return what the job file says, as arguments of `open_cluster`."""
        return self.model_dump(exclude_unset=True)


class Job(_Strict):
    """What a job file holds; `helio_burst.cli.prepare` checks it against the world."""

    registry: str | None = Field(None, description="address of a registry, or demo for a small synthetic one")
    catalog: str = Field(description="name or endpoint of a catalog, as `helio-burst catalogs` prints")
    id: str = Field(description="a dataset, as `helio-burst entries` prints")
    start: str = Field(description="first time, UTC, as 2020-01-01 or 2020-02-17T03")
    stop: str = Field(description="time before which the range ends, UTC")
    function: str = Field(description="package.module:name or file.py:name")
    reader: str = Field("by_name", description="by_name, fits, netcdf, cdf, raw, row, or a function's name")
    reader_options: dict[str, Any] = Field({}, description="keyword arguments of the reader")
    options: dict[str, Any] = Field({}, description="keyword arguments of the function")
    name: str | None = Field(None, description="name of the result; by default the function's")
    cluster: ClusterOptions = Field(ClusterOptions(), description="where the job runs")
    store: str | None = Field(None, description="folder or s3:// address of the ledger; the job can resume")
    time_limit: float | str | None = Field(None, description="seconds that one file may take, or as 5 min")
    max_failures: int | None = Field(None, ge=0, description="more failures than this end the run early")
    max_time: float | str | None = Field(None, description="seconds the run may take, or as 2 h")
    max_cost: float | None = Field(None, gt=0, description="US dollars the run may cost, by the price table")
    output: str | None = Field(None, description=f"result file, ending in {', '.join(SAVED)}")
    plot: str | None = Field(None, description=f"picture of the result, ending in {', '.join(DRAWN)}")

    @field_validator("start", "stop", mode="before")
    @classmethod
    def _read_time(cls, value: Any) -> str:
        """Turn what YAML makes of a time (text, a date, a year as a number) into ISO 8601."""
        return parse_time(str(value) if isinstance(value, int) else value).isoformat()

    @field_validator("output")
    @classmethod
    def _check_output(cls, value: str | None) -> str | None:
        return check_ending(value, SAVED)

    @field_validator("plot")
    @classmethod
    def _check_plot(cls, value: str | None) -> str | None:
        return check_ending(value, DRAWN)

    def limits(self) -> dict[str, Any]:
        """Return what ends a file, or the run, early: arguments of `map_files`."""
        return {name: getattr(self, name) for name in ("time_limit", "max_failures", "max_time", "max_cost")}

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        parse_timespan(self.start, self.stop)
        return self


def check_ending(path: str | None, endings: tuple[str, ...]) -> str | None:
    """Refuse a path of another kind.

    Raises
    ------
    InputError
        The ending is none of these.
    """
    if path is not None and not path.rstrip("/").endswith(endings):
        raise InputError(f"{path!r} must end in one of {', '.join(endings)}.")
    return path


def read(path: Path, parameters: Iterable[str] = ()) -> Job:
    """Read and validate a job file.

    Parameters
    ----------
    path : Path
        A YAML file whose keys are the fields of `Job`.
    parameters : iterable of str
        Values that replace those of the file, as "start=2020-01-01" or "cluster.workers=[1, 4]".

    Returns
    -------
    Job

    Raises
    ------
    InputError
        The message has one line for each wrong field: its name, what is wrong, and what is accepted.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Could not read the job file {path}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path} must hold fields, as 'catalog: name'. Fields: {', '.join(Job.model_fields)}."
        )
    for parameter in parameters:
        _override(content, parameter)
    return validate(content, str(path))


def validate(content: Mapping[str, Any], source: str) -> Job:
    """Validate the fields of a job; `source` names them in errors, as in `read`."""
    try:
        return Job.model_validate(content)
    except ValidationError as error:
        # A field of several types has an error for each of them; one is enough.
        problems = {_field(one["loc"]): _explain(one) for one in reversed(error.errors())}
        raise InputError(report(source, list(reversed(problems.values())))) from error


def report(source: str, problems: list[str]) -> str:
    """Write one message of all that is wrong with a job."""
    return f"{source} cannot run; nothing was started.\n" + "\n".join(f"  {line}" for line in problems)


def _override(content: dict[str, Any], parameter: str) -> None:
    key, equals, value = parameter.partition("=")
    if not equals or not key:
        raise InputError(
            f"--parameter {parameter!r} must be key=value, as start=2020-01-01 or cluster.workers=4."
        )
    *parents, last = key.strip().split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
        if not isinstance(content, dict):
            raise InputError(f"--parameter {parameter!r}: {parent} holds a value, not fields.")
    content[last] = yaml.safe_load(value)


def _explain(error: Any) -> str:
    """Say which field is wrong, how, and what it accepts."""
    field = _field(error["loc"])
    path = field.split(".")
    model, description = _described(path)
    if error["type"] == "missing":
        return f"{field} is missing: {description}."
    if error["type"] == "extra_forbidden":
        return f"{field} is not a field. {nearest(path[-1], model.model_fields)}"
    if own := error.get("ctx", {}).get("error"):  # an InputError says by itself what is accepted
        return f"{field}: {own}"
    return f"{field}: {error['msg']}, not {error['input']!r}. Accepted: {description}."


def _field(place: tuple[str | int, ...]) -> str:
    """Name a field as the file has it, without the steps into a union that pydantic adds."""
    depth = 2 if place and place[0] == "cluster" else 1
    return ".".join(map(str, place[:depth])) or "start, stop"


def _described(path: list[str]) -> tuple[type[BaseModel], str]:
    """Find the model and the description of a field by its path."""
    model: type[BaseModel] = Job
    if len(path) > 1 and path[0] == "cluster":
        model, path = ClusterOptions, path[1:]
    field = model.model_fields.get(path[0])
    return model, (field.description or "") if field else ""
