"""``helio-burst season job.yaml``, with the files of a catalog in a bucket."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from distributed import Client
from typer.testing import CliRunner

from helio_burst import storage
from helio_burst.catalog import write_catalog
from helio_burst.cli.app import app
from helio_burst.demo.server import EmbeddedS3
from helio_burst.season import Bins, make_vefi, occurrence, read_vefi
from tests.season.test_job import JOB


def test_a_catalogs_season_from_the_command_line(
    client: Client, tmp_path: Path, s3: EmbeddedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELIO_BURST_CACHE", "off")
    s3.create_bucket("vefi-catalog")
    files = make_vefi("there", JOB["start"], JOB["stop"], cadence=120)
    in_bucket = files.assign(datakey=[f"s3://vefi-catalog/data/{Path(key).name}" for key in files["datakey"]])
    for key, url in zip(files["datakey"], in_bucket["datakey"], strict=True):
        storage.write(url, Path(key).read_bytes())
    write_catalog(
        "s3://vefi-catalog/", "vefi", in_bucket, title="VEFI", name="VEFI", contact="Ada", filetype="cdf"
    )
    job = {**JOB, "data": {"catalog": "s3://vefi-catalog/", "id": "vefi"}, "out": "season.nc"}
    Path("season.yaml").write_text(yaml.safe_dump(job), encoding="utf-8")
    command = ["season", "season.yaml", "--target", client.scheduler.address, "--plot", "map.png"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "season.yaml: exact" in done.output
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")
    bins = {axis: Bins(**JOB[axis]) for axis in ("x", "y")}
    expected = occurrence(
        files,
        JOB["start"],
        JOB["stop"],
        gates=JOB["gates"],
        **bins,
        read=read_vefi,
        client=client,
        progress=False,
    )
    with xr.open_dataset("season.nc") as saved:
        for name in ("prob", "count", "hits"):
            np.testing.assert_array_equal(saved[name], expected[name])
