"""Where a result comes from, as W3C PROV: inputs, code, run, people and software, and their relations."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
from prov.constants import PROV, PROV_TYPE
from prov.model import ProvDocument, ProvEntity

import helio_burst
from helio_burst.burst.fingerprint import source_of
from helio_burst.burst.record import all_records

if TYPE_CHECKING:
    from helio_burst.burst.outcome import Outcome

#: Name of the listing of the inputs, for documents that lie beside it.
LISTING = "inputs.parquet"
# As many inputs are written one by one; more are one collection with a listing beside it.
MOST_NAMED = 100
_COLUMNS = (
    "datakey",
    "start",
    "stop",
    "filesize",
    "etag",
    "ok",
    "attempts",
    "seconds",
    "worker",
)


def inputs(outcome: Outcome) -> pd.DataFrame:
    """List the inputs of a run.

    Returns
    -------
    DataFrame
        One row an input: datakey, start and stop where known, filesize and etag (those of the file list, else
        those of the bytes that were read), ok (null if not done), attempts, seconds, worker.
    """
    frame = outcome.files
    frame["filesize"] = _listed_or_read(frame, "filesize", "read_bytes").astype("Int64")
    frame["etag"] = _listed_or_read(frame, "etag", "read_etag").astype("string")
    return frame[[name for name in _COLUMNS if name in frame]]


def _listed_or_read(frame: pd.DataFrame, listed: str, read: str) -> pd.Series:
    known = [frame[name].astype(object) for name in (listed, read) if name in frame]
    return known[0].where(known[0].notna(), known[-1]) if known else pd.Series(None, frame.index, object)


def times(outcome: Outcome) -> tuple[datetime, datetime]:
    """Return when the first run of a job began and when the last one ended, UTC."""
    records = all_records(outcome.ledger) if outcome.ledger is not None else []
    began = [record["began"] for record in [*records, outcome.record] if "began" in record]
    end = datetime.fromisoformat(outcome.record.get("time") or datetime.now(UTC).isoformat())
    begin = min(map(datetime.fromisoformat, began), default=end - timedelta(seconds=outcome.progress.seconds))
    return begin, end


def source_text(outcome: Outcome) -> str:
    """Return the source of the function; empty if it is not known."""
    known = source_of(outcome.job.function)
    if not known and outcome.ledger is not None:
        known = (outcome.ledger.read_json("job.json") or {}).get("source", "")
    return known


def document(outcome: Outcome, listing: pd.DataFrame | None = None) -> ProvDocument:
    """Describe an outcome as W3C PROV.

    Parameters
    ----------
    listing : DataFrame, optional
        As `inputs` returns it.

    Returns
    -------
    prov.model.ProvDocument
        Entities: the catalog's data set, the collection of inputs (one by one if they are 100 at most, else
        with the name of a listing), the function and the result; the run as the activity; the user and the
        software as agents. ``document.serialize(path, format="json")`` writes it.
    """
    listing = inputs(outcome) if listing is None else listing
    prov = ProvDocument()
    prov.add_namespace("hb", "urn:helio-burst:")
    prov.add_namespace("schema", "https://schema.org/")
    known = outcome.provenance
    run = prov.activity(
        f"hb:run-{outcome.record.get('run', 'unknown')}", *times(outcome), _about_run(outcome)
    )
    user = prov.agent(
        "hb:user", {PROV_TYPE: PROV["Person"], "schema:name": outcome.record.get("by", "unknown")}
    )
    software = prov.agent(
        f"hb:software-{helio_burst.__version__}",
        {
            PROV_TYPE: PROV["SoftwareAgent"],
            "schema:name": "helio-burst",
            "schema:version": known.get("versions", helio_burst.__version__),
        },
    )
    source = source_text(outcome)
    function = prov.entity(
        f"hb:function-{known.get('function_hash', 'none')}",
        {
            PROV_TYPE: PROV["Plan"],
            "schema:name": known.get("function", outcome.job.name),
            "hb:reader": known.get("reader", ""),
            "hb:hash": known.get("function_hash", "none"),
            "hb:sourceSHA256": hashlib.sha256(source.encode()).hexdigest(),
        },
    )
    files = _collection(prov, listing)
    result = prov.entity("hb:result", {"hb:results": outcome.progress.done - outcome.progress.failed})
    if "id" in known:
        data = prov.entity(f"hb:dataset-{known['id']}", _about_data(known))
        prov.wasDerivedFrom(files, data)
    prov.used(run, files)
    prov.used(run, function)
    prov.wasGeneratedBy(result, run, time=times(outcome)[1])
    prov.wasDerivedFrom(result, files)
    prov.wasAssociatedWith(run, user, plan=function)
    prov.wasAssociatedWith(run, software)
    prov.actedOnBehalfOf(software, user)
    prov.wasAttributedTo(result, user)
    return prov


def _about_run(outcome: Outcome) -> dict[str, Any]:
    progress = outcome.progress
    facts: dict[str, Any] = {
        "hb:files": progress.total,
        "hb:failed": progress.failed,
        "hb:bytes": progress.bytes,
        "hb:seconds": progress.seconds,
        "hb:host": outcome.record.get("host", ""),
        "hb:stopped": outcome.stopped or "",
    }
    facts |= {f"hb:cluster-{name}": str(value) for name, value in outcome.record.get("cluster", {}).items()}
    for number, cause in enumerate(outcome.failures_by_cause().head(20).itertuples(), 1):
        facts[f"hb:failure-{number}"] = f"{cause.count} x {cause.error}: {cause.message}"
    return facts


def _about_data(known: dict[str, Any]) -> dict[str, Any]:
    facts = {"schema:name": known.get("title", known["id"])}
    for name, value in known.items():
        if name in (
            "catalog",
            "endpoint",
            "citation",
            "licence",
            "contact",
            "about",
            "range_start",
            "range_stop",
        ):
            facts[f"hb:{name}"] = value
    return facts


def _collection(prov: ProvDocument, listing: pd.DataFrame) -> ProvEntity:
    facts: dict[str, Any] = {
        "hb:files": len(listing),
        "hb:bytes": int(listing["filesize"].sum()),
        "hb:listingSHA256": _digest(listing),
    }
    named = one_by_one(listing)
    if not named:
        facts["prov:location"] = LISTING
    collection = prov.collection("hb:inputs", facts)
    for number, (url, size, etag) in enumerate(named, 1):
        facts = {"prov:location": url}
        facts |= {"hb:filesize": size} if size is not None else {}
        facts |= {"hb:etag": etag} if etag is not None else {}
        prov.hadMember(collection, prov.entity(f"hb:input-{number}", facts))
    return collection


def one_by_one(listing: pd.DataFrame) -> list[tuple[str, int | None, str | None]]:
    """Return datakey, size and ETag of each input, if there are few enough to write them one by one."""
    if len(listing) > MOST_NAMED:
        return []
    known = listing[["datakey", "filesize", "etag"]].astype(object)
    return list(known.where(known.notna(), None).itertuples(index=False, name=None))


def _digest(listing: pd.DataFrame) -> str:
    """Hash what names the inputs: one line each of datakey, size and ETag."""
    lines = listing[["datakey", "filesize", "etag"]].to_csv(index=False, header=False, lineterminator="\n")
    return hashlib.sha256(lines.encode()).hexdigest()
