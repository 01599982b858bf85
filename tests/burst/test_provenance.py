"""What a run leaves for those who ask later: W3C PROV and an RO-Crate, read back by their own packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client
from prov.constants import PROV
from prov.model import ProvActivity, ProvAgent, ProvDocument, ProvEntity
from rocrate.rocrate import ROCrate

from helio_burst import readers, storage
from helio_burst.burst import Outcome, Sum, detached, map_files
from helio_burst.burst.provenance import inputs
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import InputError

ORCID = "https://orcid.org/0000-0002-1825-0097"


def length(data: bytes, most: int = 100) -> int:
    if len(data) > most:
        raise ValueError(f"too long: {len(data)} bytes")
    return len(data)


def attributed(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs = {
        "catalog": "Test Cloud",
        "endpoint": "s3://observed/",
        "id": "lengths",
        "title": "Lengths of things",
        "citation": "https://doi.org/10.0000/example",
        "start": "2020-01-01T00:00:00Z",
        "stop": "2020-02-01T00:00:00Z",
    }
    return frame


@pytest.fixture
def outcome(client: Client, s3: EmbeddedS3, tmp_path: Path) -> Outcome:
    s3.create_bucket("observed")
    keys = [f"s3://observed/{number}.bin" for number in range(5)]
    for number, key in enumerate(keys):
        storage.write(key, bytes(50 * (number + 1)))
    files = attributed(pd.DataFrame({"datakey": keys, "filesize": [50 * (n + 1) for n in range(5)]}))
    store = str(tmp_path / "store")
    with_two = map_files(
        length, attributed(files.head(2)), read=readers.raw, client=client, store=store, progress=False
    )
    assert with_two.progress.done == 2
    return map_files(length, files, read=readers.raw, client=client, store=store, progress=False)


@pytest.fixture
def many(client: Client) -> Outcome:
    keys = [f"data:,{number:06d}" for number in range(3000)]
    return map_files(len, keys, read=readers.raw, client=client, progress=False)


def graph_of(crate: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((crate / "ro-crate-metadata.json").read_text())
    assert content["@context"] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in content["@graph"]}


def test_prov_of_a_run(outcome: Outcome, tmp_path: Path) -> None:
    document = outcome.provenance_document()
    path = tmp_path / "prov.json"
    document.serialize(str(path), format="json")
    assert ProvDocument.deserialize(str(path), format="json") == document
    (run,) = document.get_records(ProvActivity)
    facts = {str(name): value for name, value in run.attributes}
    assert (facts["hb:files"], facts["hb:failed"]) == (5, 3)
    assert facts["hb:failure-1"] == "3 x ValueError: too long: # bytes"
    assert facts["prov:startTime"] < facts["prov:endTime"]
    assert int(facts["hb:cluster-workers"]) == 2
    entities = {str(entity.identifier): entity for entity in document.get_records(ProvEntity)}
    etags = [next(iter(entities[f"hb:input-{n}"].get_attribute("hb:etag"))) for n in range(1, 6)]
    assert etags == [storage.info(f"s3://observed/{n}.bin").etag for n in range(5)]
    assert "hb:dataset-lengths" in entities
    assert {next(iter(agent.get_asserted_types())) for agent in document.get_records(ProvAgent)} == {
        PROV["Person"],
        PROV["SoftwareAgent"],
    }
    text = document.get_provn()
    for relation in ("used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith", "actedOnBehalfOf"):
        assert relation in text


@pytest.mark.parametrize("time_limit", [None, 60], ids=["in the worker", "in a process of its own"])
def test_the_inputs_are_those_that_were_read(
    client: Client, s3: EmbeddedS3, tmp_path: Path, time_limit: float | None
) -> None:
    s3.create_bucket("listed")
    for name in "ab":
        storage.write(f"s3://listed/{name}", name.encode() * 3)
    read = storage.info("s3://listed/b").etag
    files = pd.DataFrame(
        {"datakey": [f"s3://listed/{name}" for name in "abc"], "etag": ['"then"', None, None]}
    )
    store = str(tmp_path / "store")
    outcome = map_files(
        len, files, read=readers.raw, client=client, store=store, time_limit=time_limit, progress=False
    )
    storage.write("s3://listed/b", b"changed since")
    found = inputs(outcome)
    assert found["etag"].tolist() == ['"then"', read, pd.NA]
    assert found["filesize"].tolist() == [3, 3, pd.NA]
    assert outcome.files["read_etag"].tolist()[1:] == [read, None]


def test_a_crate_of_a_run(outcome: Outcome, tmp_path: Path) -> None:
    folder = outcome.save_crate(
        tmp_path / "crate", author=ORCID, licence="https://spdx.org/licenses/CC-BY-4.0"
    )
    crate = ROCrate(folder)
    graph = graph_of(folder)
    root = graph["./"]
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert root["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert root["author"] == {"@id": ORCID}
    assert "2 results and 3 failures of 5 files" in root["description"]
    # Every file is there and has the size that it is said to have; every reference leads somewhere.
    for entity in crate.data_entities:
        if "://" in entity.id:
            continue
        assert (folder / entity.id).is_file()
        assert int(entity["contentSize"]) == (folder / entity.id).stat().st_size
    assert {path.name for path in folder.iterdir()} == {
        "ro-crate-metadata.json",
        "inputs.parquet",
        "failures.csv",
        "length.py",
        "environment.txt",
        "run.json",
        "provenance.json",
        "result.nc",
    }
    for entity in graph.values():
        for value in entity.values():
            for reference in value if isinstance(value, list) else [value]:
                if isinstance(reference, dict):
                    target = reference["@id"]
                    assert target in graph or target.startswith("https://w3id.org/ro/crate/"), target

    (action,) = (entity for entity in graph.values() if entity["@type"] == "CreateAction")
    assert root["mentions"] == {"@id": action["@id"]}
    assert {one["@id"] for one in action["instrument"]} >= {"length.py"}
    assert action["agent"] == {"@id": ORCID}
    assert action["startTime"] <= action["endTime"]
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert {one["@id"] for one in action["result"]} == {"result.nc", "failures.csv"}
    source = graph["s3://observed/lengths"]
    assert (source["name"], source["citation"]) == ("Lengths of things", "https://doi.org/10.0000/example")
    assert graph["s3://observed/0.bin"]["contentSize"] == "50"
    assert graph["s3://observed/0.bin"]["identifier"] == f"ETag {storage.info('s3://observed/0.bin').etag}"

    listing = pd.read_parquet(folder / "inputs.parquet")
    assert listing["ok"].tolist() == [True, True, False, False, False]
    assert pd.read_csv(folder / "failures.csv")["error"].tolist() == ["ValueError"] * 3
    assert "raise ValueError" in (folder / "length.py").read_text()
    assert any(line.startswith("xarray==") for line in (folder / "environment.txt").read_text().splitlines())
    run = json.loads((folder / "run.json").read_text())
    assert [one["status"] for one in run["runs"]] == ["finished", "finished"]
    assert ProvDocument.deserialize(str(folder / "provenance.json"), format="json")
    with xr.open_dataset(folder / "result.nc") as result:
        assert result["value"].to_numpy().tolist() == [50, 100]
    with pytest.raises(InputError, match="not empty"):
        outcome.save_crate(folder)


def test_a_fetched_outcome_makes_the_same_crate(outcome: Outcome, tmp_path: Path) -> None:
    fetched = detached.fetch(str(tmp_path / "store"))
    one = graph_of(outcome.save_crate(tmp_path / "one"))
    other = graph_of(fetched.save_crate(tmp_path / "other"))
    assert one.keys() == other.keys()


def test_many_inputs_are_a_listing(many: Outcome, tmp_path: Path) -> None:
    folder = many.save_crate(tmp_path / "crate")
    assert (folder / "ro-crate-metadata.json").stat().st_size < 20_000
    assert (folder / "provenance.json").stat().st_size < 10_000
    assert len(pd.read_parquet(folder / "inputs.parquet")) == 3000
    assert len(list(many.provenance_document().get_records(ProvEntity))) == 3


@pytest.mark.parametrize(
    ("value", "name"),
    [(3.5, "result.json"), (np.arange(3.0), "result.npy"), (xr.DataArray([1.0, 2.0], dims="x"), "result.nc")],
)
def test_merged_results(client: Client, tmp_path: Path, value: Any, name: str) -> None:
    merged = map_files(len, ["data:,a"], read=readers.raw, client=client, combine=Sum(), progress=False)
    merged.value = value
    folder = merged.save_crate(tmp_path / "crate")
    assert (folder / name).is_file()


def test_a_result_that_is_saved_already(client: Client, tmp_path: Path) -> None:
    outcome = map_files(len, ["data:,a"], read=readers.raw, client=client, progress=False)
    outcome.save(str(tmp_path / "mine.zarr"))
    folder = outcome.save_crate(tmp_path / "crate", result=tmp_path / "mine.zarr")
    assert graph_of(folder)["mine.zarr/"]["@type"] == "Dataset"
    with xr.open_zarr(folder / "mine.zarr", consolidated=False) as result:
        assert result["value"].to_numpy().tolist() == [1]
    with pytest.raises(InputError, match="There is no result"):
        outcome.save_crate(tmp_path / "other", result=tmp_path / "none.nc")
    outcome.job = outcome.job.__class__(len, readers.raw, combine=Sum())
    outcome.value = object()
    with pytest.raises(InputError, match="merged result is a object"):
        outcome.save_crate(tmp_path / "other")
