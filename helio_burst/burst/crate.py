"""A run as an RO-Crate: a folder with the result and all that is needed to know how it came about.

It follows RO-Crate 1.1 and the profile Process Run Crate 0.5.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

import helio_burst
from helio_burst.burst.fingerprint import is_users
from helio_burst.burst.provenance import LISTING, document, inputs, one_by_one, source_text, times
from helio_burst.burst.record import all_records
from helio_burst.errors import InputError

if TYPE_CHECKING:
    from helio_burst.burst.outcome import Outcome

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_KINDS = {
    ".nc": "application/netcdf",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".json": "application/json",
    ".py": "text/x-python",
    ".txt": "text/plain",
    ".npy": "application/octet-stream",
}


def save_crate(
    outcome: Outcome,
    folder: str | Path,
    *,
    result: str | Path | None = None,
    author: str | None = None,
    licence: str | None = None,
) -> Path:
    """Write an outcome as an RO-Crate directory; see `Outcome.save_crate`."""
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is there already and not empty; an RO-Crate wants a folder of its own.")
    if result is not None and not Path(result).exists():
        raise InputError(f"There is no result {result}; without result= it is written into the crate.")
    with tempfile.TemporaryDirectory(prefix="helio-burst-crate-") as place:
        listing = inputs(outcome)
        paths = _write_parts(outcome, Path(place), listing, result)
        crate = _describe(outcome, paths, listing, author=author, licence=licence)
        crate.write(folder)
    return folder


def _write_parts(
    outcome: Outcome, place: Path, listing: pd.DataFrame, result: str | Path | None
) -> dict[str, Path]:
    """Write the files of the crate and return them by what they are."""
    paths = {
        "inputs": place / LISTING,
        "failures": place / "failures.csv",
        "code": place / _code_name(outcome),
    }
    paths |= {"environment": place / "environment.txt", "run": place / "run.json"}
    paths |= {"provenance": place / "provenance.json"}
    listing.to_parquet(paths["inputs"], index=False)
    outcome.failures.to_csv(paths["failures"], index=False)
    paths["code"].write_text(_code(outcome), encoding="utf-8")
    paths["environment"].write_text("\n".join(environment()) + "\n", encoding="utf-8")
    paths["run"].write_text(json.dumps(_run(outcome), indent=1, default=str), encoding="utf-8")
    document(outcome, listing).serialize(str(paths["provenance"]), format="json", indent=1)
    if result is None:
        paths["result"] = _write_result(outcome, place)
    else:
        paths["result"] = place / Path(result).name
        copy = shutil.copytree if Path(result).is_dir() else shutil.copyfile
        copy(result, paths["result"])
    return paths


def _code_name(outcome: Outcome) -> str:
    return f"{outcome.job.name.rpartition('.')[2].strip('<>')}.py"


def _code(outcome: Outcome) -> str:
    """Return the file that the function is from, if it is the user's own; else its own source."""
    function: Any = outcome.job.function
    while hasattr(function, "func"):  # a partial
        function = function.func
    if is_users(function):
        try:
            return Path(inspect.getsourcefile(function) or "").read_text(encoding="utf-8")
        except (OSError, TypeError):  # a notebook's cell, or a function from a ledger of another machine
            pass
    return source_text(outcome) or f"# The source of {outcome.job.name} is not known.\n"


def environment() -> list[str]:
    """Return the installed packages, as ``name==version``, in order."""
    found = {
        f"{package.metadata['Name']}=={package.version}" for package in importlib.metadata.distributions()
    }
    return sorted(found, key=str.lower)


def _run(outcome: Outcome) -> dict[str, Any]:
    return {
        "provenance": outcome.provenance,
        "options": {name: repr(value) for name, value in outcome.job.options.items()},
        "runs": all_records(outcome.ledger) if outcome.ledger is not None else [outcome.record],
        "failures": outcome.failures_by_cause().to_dict(orient="records"),
        "stopped": outcome.stopped,
    }


def _write_result(outcome: Outcome, place: Path) -> Path:
    if outcome.job.combine is None:
        return Path(outcome.save(str(place / "result.nc")))
    value = outcome.value
    if isinstance(value, xr.Dataset | xr.DataArray):
        value.to_netcdf(place / "result.nc")
        return place / "result.nc"
    if isinstance(value, np.ndarray):
        np.save(place / "result.npy", value, allow_pickle=False)
        return place / "result.npy"
    try:
        text = json.dumps(value, indent=1, default=_plain)
    except TypeError as error:
        raise InputError(
            f"The merged result is a {type(value).__name__}, which has no file format here. Save it, and "
            "give its path as result=."
        ) from error
    (place / "result.json").write_text(text, encoding="utf-8")
    return place / "result.json"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain value")


_WHAT = {
    "inputs": ("Inputs", "One row an input: datakey, size, ETag, and whether, when and where it was done."),
    "failures": ("Failures", "The inputs without a result, with error, message and traceback."),
    "environment": ("Environment", "The installed packages."),
    "run": ("Run", "Runs, cluster, options and failures by cause."),
    "provenance": ("Provenance", "The same facts as W3C PROV, in PROV-JSON."),
    "result": ("Result", "What the function returned, brought together."),
    "code": ("Function", "The function that was applied to each input."),
}


def _describe(
    outcome: Outcome,
    paths: dict[str, Path],
    listing: pd.DataFrame,
    *,
    author: str | None,
    licence: str | None,
) -> ROCrate:
    known, progress = outcome.provenance, outcome.progress
    crate = ROCrate(version="1.1")
    crate.name = f"{outcome.job.name} over {known.get('title', known.get('id', f'{len(listing):,} files'))}"
    crate.description = (
        f"{progress.done - progress.failed:,} results and {progress.failed:,} failures of {progress.total:,} "
        f"files, by helio-burst {helio_burst.__version__}."
    )
    crate.license = licence or "Not stated by its author."
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    crate.root_dataset["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, properties=profile))
    files = {what: _add(crate, what, path, outcome) for what, path in paths.items()}
    _describe_inputs(crate, files["inputs"], listing, known)
    agent = _agent(crate, author, outcome)
    crate.root_dataset["author"] = agent
    begin, end = times(outcome)
    action = crate.add_action(
        files["code"],
        identifier=f"#run-{outcome.record.get('run', 'unknown')}",
        object=[files["inputs"]],
        result=[files["result"], files["failures"]],
        properties={
            "@type": "CreateAction",
            "name": f"Run of {outcome.job.name}",
            "description": progress.line(),
            "startTime": begin.isoformat(),
            "endTime": end.isoformat(),
            "actionStatus": _action_status(outcome),
        },
    )
    if outcome.stopped:
        action["error"] = outcome.stopped
    action["agent"] = agent
    action["instrument"] = [files["code"], _software(crate)]
    action["environment"] = files["environment"]
    crate.root_dataset["mentions"] = action
    return crate


def _action_status(outcome: Outcome) -> str:
    return f"http://schema.org/{'FailedActionStatus' if outcome.stopped else 'CompletedActionStatus'}"


def _add(crate: ROCrate, what: str, path: Path, outcome: Outcome) -> Any:
    name, description = _WHAT[what]
    properties: dict[str, Any] = {"name": name, "description": description}
    if path.is_dir():
        return crate.add_directory(path, path.name, properties=properties)
    properties |= {"encodingFormat": _KINDS.get(path.suffix, "application/octet-stream")}
    if what == "code":
        properties |= {
            "@type": ["File", "SoftwareSourceCode", "SoftwareApplication"],
            "name": outcome.job.name,
            "version": outcome.provenance.get("function_hash", "none"),
            "programmingLanguage": "Python",
        }
    return crate.add_file(path, path.name, properties=properties, record_size=True)


def _describe_inputs(crate: ROCrate, listing_file: Any, listing: pd.DataFrame, known: dict[str, Any]) -> None:
    """Say where the inputs are from, and name each if they are few."""
    if "id" in known:
        about = {name: known[name] for name in ("citation", "licence", "contact") if name in known}
        names = {"citation": "citation", "licence": "license", "contact": "creator"}
        properties = {
            "@type": "Dataset",
            "name": known.get("title", known["id"]),
            "identifier": known["id"],
            "includedInDataCatalog": known.get("catalog", ""),
            "temporalCoverage": f"{known.get('range_start', '..')}/{known.get('range_stop', '..')}",
        } | {names[name]: value for name, value in about.items()}
        identifier = f"{known.get('endpoint', '#')}".rstrip("/") + f"/{known['id']}"
        listing_file["isBasedOn"] = crate.add(DataEntity(crate, identifier, properties=properties))
    for url, size, etag in one_by_one(listing):
        properties = {"@type": "File", "name": url.rpartition("/")[2]}
        properties |= {"contentSize": str(size)} if size is not None else {}
        properties |= {"identifier": f"ETag {etag}"} if etag is not None else {}
        listing_file.append_to("mentions", crate.add(DataEntity(crate, url, properties=properties)))


def _agent(crate: ROCrate, author: str | None, outcome: Outcome) -> Any:
    if author is not None and author.startswith("https://orcid.org/"):
        return crate.add(Person(crate, author))
    name = author or str(outcome.record.get("by", "unknown")).partition("@")[0]
    return crate.add(Person(crate, f"#{name.replace(' ', '-')}", properties={"name": name}))


def _software(crate: ROCrate) -> Any:
    properties = {"@type": "SoftwareApplication", "name": "helio-burst", "version": helio_burst.__version__}
    return crate.add(ContextEntity(crate, f"#helio-burst-{helio_burst.__version__}", properties=properties))
