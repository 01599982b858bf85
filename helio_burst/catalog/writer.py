"""Publishing: year indexes, catalog.json and the registry's line, from a file list."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl

from helio_burst import storage
from helio_burst.catalog.document import Document, locate, read_document
from helio_burst.catalog.entry import FILE_TYPES, INDEX_TYPES, today
from helio_burst.catalog.json_document import parse_json, version_in
from helio_burst.catalog.layout import WITH_STOP
from helio_burst.catalog.lint_catalog import lint_document
from helio_burst.errors import CatalogError, InputError, MissingObjectError
from helio_burst.storage import StorageOptions
from helio_burst.timespan import parse_time

VERSION = "1.1"
_ENDINGS = {
    "fits": "fits", "fts": "fits", "fit": "fits", "cdf": "cdf", "nc": "netcdf4", "h5": "hdf5", "hdf5": "hdf5",
    "csv": "csv", "txt": "txt",
}  # fmt: skip
_COLUMNS = ("start", "stop", "datakey", "filesize")
# Readers take quotes and blanks around a value for no part of it, and a line for a row.
_NOT_FOR_CSV = r"[\r\n'\"]|^[ \t]|[ \t]$"


@dataclass(frozen=True)
class _Object:
    """One object to write."""

    url: str
    data: bytes
    rows: int | None = None


def write_catalog(
    endpoint: str,
    id: str,
    files: pd.DataFrame,
    *,
    title: str,
    name: str | None = None,
    contact: str | None = None,
    index: str | None = None,
    indextype: str = "csv",
    filetype: str | None = None,
    egress: str = "public",
    region: str | None = None,
    registry: str | None = None,
    more: Mapping[str, Any] | None = None,
    parameters: list[dict[str, str]] | None = None,
    dry_run: bool = False,
    options: StorageOptions | None = None,
) -> pd.DataFrame:
    """Publish a data set: write its year indexes, and add it to the catalog at an endpoint.

    A catalog that is there keeps its other entries; an entry of the same id is replaced. Index files are
    written first and the catalog last, each whole or not at all, so that readers never see a catalog whose
    indexes are not there yet. Two writers of one catalog at the same moment must be kept apart by their
    owners: object stores have no lock.

    Parameters
    ----------
    endpoint : str
        Folder of catalog.json, usually a bucket: s3, file or memory URL, or a path.
    id : str
        Of the entry: letters, digits, ``_`` and ``-``.
    files : DataFrame
        Columns start, datakey, filesize (bytes), usually stop (without it, files are instants: stop = start),
        and any further ones. Times without zone are UTC. `list_bucket` makes one.
    title : str
        Of the entry.
    name, contact : str
        Of the catalog; needed for a new one.
    index : str, optional
        Folder of the index files; by default, ``<endpoint>/<id>/``.
    indextype : {"csv", "csv-zip", "parquet"}
    filetype : str, optional
        Formats of the files, comma-separated; by default, told by their endings.
    egress : str
        Of a new catalog: free or user-pays, public or private, egress-allowed or no-egress, other.
    region : str, optional
        Of the bucket, for the registry.
    registry : str, optional
        URL of a registry's JSON that shall list the endpoint; it is made if it is not there.
    more : mapping, optional
        Further keys of the entry, such as description, citation or contact.
    parameters : list of dict, optional
        What the further columns are: name, type, units, desc; written to ``<id>.json``.
    dry_run : bool
        Write nothing; only say what would be written.
    options : StorageOptions, optional

    Returns
    -------
    DataFrame
        What was written, or would be: url, action (create or replace), bytes, rows.

    Raises
    ------
    InputError
        The files or the entry are not what the specification allows; nothing has been written.
    CatalogError
        The catalog that is there cannot be kept: it is broken, or of a version before 0.5.
    """
    rows = _rows(files)
    catalog_url, endpoint = locate(endpoint)
    folder = (index or storage.join(endpoint, id)).rstrip("/") + "/"
    entry = _entry(id, folder, title, indextype, filetype, rows, more or {})
    if indextype != "parquet":
        _refuse_for_csv(rows)
    objects = _indexes(folder, id, indextype, rows)
    extras = rows.columns[len(_COLUMNS) :]
    if extras:
        described = parameters or [{"name": column, "type": str(rows.schema[column])} for column in extras]
        objects.append(_Object(f"{folder}{id}.json", _json({"parameters": described})))
    head = {"name": name, "contact": contact, "egress": egress}
    objects.append(_Object(catalog_url, _catalog(catalog_url, endpoint, entry, head, options)))
    if registry is not None:
        objects.append(_Object(registry, _registry(registry, endpoint, name, region, options)))
    plan = pd.DataFrame(
        [
            (
                item.url,
                "replace" if storage.exists(item.url, options) else "create",
                len(item.data),
                item.rows,
            )
            for item in objects
        ],
        columns=["url", "action", "bytes", "rows"],
    ).astype({"rows": "Int64"})
    if not dry_run:
        for item in objects:
            storage.write(item.url, item.data, options)
    return plan


def _rows(files: pd.DataFrame) -> pl.DataFrame:
    """Check a file list and put it into the specification's order."""
    missing = [column for column in ("start", "datakey", "filesize") if column not in files]
    if missing:
        raise InputError(
            f"The file list has no column {', '.join(missing)}; it has {', '.join(files.columns)}."
        )
    if not len(files):
        raise InputError("The file list is empty; there is nothing to publish.")
    frame = files.reset_index(drop=True).copy(deep=False)
    frame["start"] = _utc(frame["start"])
    frame["stop"] = _utc(frame["stop"]).fillna(frame["start"]) if "stop" in frame else frame["start"]
    key = frame["datakey"].astype(str)
    bad = {
        "start is missing": frame["start"].isna(),
        "stop is before start": frame["stop"] < frame["start"],
        "datakey is no URL": ~key.str.contains(r"^[a-z0-9]+://", regex=True),
        "datakey has a line break, a quote, or a blank at an end": key.str.contains(_NOT_FOR_CSV, regex=True),
        "filesize is missing or negative": ~(pd.to_numeric(frame["filesize"], errors="coerce") >= 0),
    }
    for problem, rows in bad.items():
        if rows.any():
            raise InputError(
                f"{int(rows.sum())} rows cannot be published: {problem}. "
                f"The first: {frame[rows].iloc[0].to_dict()}."
            )
    order = [*_COLUMNS, *(column for column in frame.columns if column not in _COLUMNS)]
    table = pl.from_pandas(frame[order].astype({"filesize": "int64", "datakey": "str"}))
    return table.unique(["start", "datakey"], keep="last").sort("start", "stop", "datakey")


def _refuse_for_csv(rows: pl.DataFrame) -> None:
    """Refuse further columns that would not be read back from CSV as they are."""
    for name, column in zip(rows.columns, rows.iter_columns(), strict=True):
        if column.dtype.is_nested():
            found = f"holds {column.dtype}"
        elif column.dtype == pl.String and (bad := column.filter(column.str.contains(_NOT_FOR_CSV))).len():
            found = f"has a line break, a quote, or a blank at an end, first in {bad[0]!r}"
        else:
            continue
        raise InputError(
            f"The column {name!r} {found}, which a CSV index cannot hold. Use indextype='parquet'."
        )


def _utc(times: pd.Series) -> pd.Series:
    if times.dtype == object or isinstance(times.dtype, pd.StringDtype):
        times = times.map(lambda time: pd.NaT if pd.isna(time) else parse_time(time))
    return pd.to_datetime(times, utc=True).astype("datetime64[ns, UTC]")


def _entry(
    id: str,
    folder: str,
    title: str,
    indextype: str,
    filetype: str | None,
    rows: pl.DataFrame,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    if indextype not in INDEX_TYPES:
        raise InputError(f"The indextype is {indextype!r}; known are {', '.join(INDEX_TYPES)}.")
    clash = {"id", "index", "title", "start", "stop", "indextype", "filetype"} & set(more)
    if clash:
        raise InputError(
            f"more holds {', '.join(sorted(clash))}, which are arguments or come from the files."
        )
    first, last = rows["start"].min(), rows["stop"].max()
    spans_years = rows.select((pl.col("stop").dt.year() > pl.col("start").dt.year() + 1).any()).item()
    entry = {
        "id": id,
        "index": folder,
        "title": title,
        "start": _stamps(pl.Series([first])).item(),
        "stop": _stamps(pl.Series([last])).item(),
        "modification": pd.Timestamp.now("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
        "indextype": indextype,
        "filetype": filetype or _filetype(rows["datakey"]),
    }
    if spans_years:
        entry["multiyear"] = True
    return entry | dict(more)


def _filetype(keys: pl.Series) -> str:
    endings = keys.str.to_lowercase().str.replace(r"\.(gz|bz2|zip|fz)$", "").str.extract(r"\.([a-z0-9]+)$")
    kinds = {_ENDINGS.get(ending or "", "other") for ending in endings.unique()}
    return ", ".join(kind for kind in FILE_TYPES if kind in kinds)


def _stamps(times: pl.Series) -> pl.Series:
    """Write times in the one form that every reader takes, all with as many digits as one needs."""
    fractions = times.dt.nanosecond()
    digits = "" if (fractions == 0).all() else "%.3f" if (fractions % 1_000_000 == 0).all() else "%.9f"
    return times.dt.strftime(f"%Y-%m-%dT%H:%M:%S{digits}Z")


def _indexes(folder: str, id: str, indextype: str, rows: pl.DataFrame) -> list[_Object]:
    """Make an index for every year from the first to the last, an empty one where nothing begins in it."""
    begun = rows["start"].dt.year()
    # A stop at New Year is no part of the data: the new year needs no index.
    ended = rows["stop"].dt.offset_by("-1ns").dt.year()
    years = {*begun.unique(), *ended.unique()}
    objects = []
    for year in range(min(years), max(years) + 1):
        part = rows.filter(begun == year)
        url = f"{folder}{id}_{year}.{INDEX_TYPES[indextype]}"
        objects.append(_Object(url, _index(part, indextype, f"{id}_{year}.csv"), part.height))
    return objects


def _index(rows: pl.DataFrame, indextype: str, name: str) -> bytes:
    buffer = io.BytesIO()
    if indextype == "parquet":
        rows.write_parquet(buffer, row_group_size=1 << 15)
        return buffer.getvalue()
    rows.with_columns(_stamps(rows["start"]), _stamps(rows["stop"])).write_csv(buffer)
    if indextype == "csv":
        return buffer.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, buffer.getvalue())
    return packed.getvalue()


def _catalog(
    url: str,
    endpoint: str,
    entry: dict[str, Any],
    head: dict[str, str | None],
    options: StorageOptions | None,
) -> bytes:
    """Make catalog.json: the one that is there with the entry added or replaced, or a new one."""
    try:
        data = storage.read(url, options)
    except MissingObjectError:
        if not (head["name"] and head["contact"]):
            raise InputError(f"There is no {url} yet; a new catalog needs name and contact.") from None
        catalog = {"version": VERSION, **head, "status": {"code": 1200, "message": "OK"}, "catalog": [entry]}
    else:
        catalog = _updated(url, data, entry, head)
    written = _json(catalog)
    _refuse_faults(read_document(url, endpoint, written), written, entry["id"])
    return written


def _updated(url: str, data: bytes, entry: dict[str, Any], head: dict[str, str | None]) -> dict[str, Any]:
    parsed, _ = parse_json(url, data)
    version = version_in(parsed)
    if not isinstance(parsed.get("catalog"), list):
        raise CatalogError(f"{url} has no list 'catalog'. Repair or remove it first.")
    if version is None or version < WITH_STOP:
        raise CatalogError(
            f"{url} is of version {parsed.get('version')}; before 0.5 indexes have no stop, so "
            "its entries cannot be kept in a catalog of today. Publish at another endpoint."
        )
    kept = [today(raw) for raw in parsed["catalog"] if isinstance(raw, dict)]
    places = [number for number, raw in enumerate(kept) if raw.get("id") == entry["id"]]
    if places:
        kept[places[0]] = entry
        kept = [raw for number, raw in enumerate(kept) if number not in places[1:]]
    else:
        kept.append(entry)
    given = {key: value for key, value in head.items() if value and (key != "egress" or key not in parsed)}
    return {**parsed, **given, "version": VERSION, "catalog": kept}


def _refuse_faults(document: Document, data: bytes, id: str) -> None:
    """Raise if what is to be written is wrong; faults of entries that were there before are not ours."""
    found = [*document.findings, *lint_document(document, data)]
    ours = [item for item in found if item.entry in (id, None) and item.severity != "note"]
    if ours:
        told = " ".join(f"{item.problem} {item.repair}" for item in ours)
        raise InputError(f"The catalog would not be valid: {told}")


def _registry(
    url: str, endpoint: str, name: str | None, region: str | None, options: StorageOptions | None
) -> bytes:
    """Make the registry: the one that is there with the endpoint added, or a new one."""
    try:
        parsed, _ = parse_json(url, storage.read(url, options))
    except MissingObjectError:
        parsed = {"version": VERSION, "registry": []}
    listed = parsed.get("registry")
    if not isinstance(listed, list):
        raise CatalogError(f"{url} has no list 'registry'. Repair or remove it first.")
    known = [raw for raw in listed if isinstance(raw, dict) and isinstance(raw.get("endpoint"), str)]
    place = next((raw for raw in known if raw["endpoint"].rstrip("/") == endpoint.rstrip("/")), None)
    if place is None:
        if not (name and region):
            raise InputError(f"{endpoint} is new in the registry {url}: give name and region.")
        place = {"endpoint": endpoint.rstrip("/") + "/"}
        listed.append(place)
    place |= {key: value for key, value in (("name", name), ("region", region)) if value}
    return _json({**parsed, "modificationDate": pd.Timestamp.now("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")})


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
