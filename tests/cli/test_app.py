"""The program as a person runs it: real processes, a real S3 endpoint, a real cluster."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner, Result

from helio_burst import catalog, storage
from helio_burst.burst.saving import save
from helio_burst.cli.app import app
from helio_burst.demo import archive
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import StorageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def registry(s3_server: EmbeddedS3) -> str:
    """A registry of one catalog of six small synthetic images."""
    return archive.fill(s3_server, bucket="cli-archive", count=6, cadence="4h", size=128)


Helio = Callable[..., Result]


@pytest.fixture
def helio_burst(tmp_path: Path, s3: EmbeddedS3, monkeypatch: pytest.MonkeyPatch) -> Helio:
    """Run a command in this process, in an empty folder, and expect its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("HELIO_BURST_CACHE", "off")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        return result

    return run


def program(folder: Path, server: EmbeddedS3, *arguments: str) -> str:
    """Run a command as a process of its own; return what it says on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "helio_burst", *arguments],
        cwd=folder,
        env=os.environ | server.environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def write_job(folder: Path, registry: str, **changes: object) -> None:
    job = {
        "registry": registry,
        "catalog": archive.CATALOG,
        "id": archive.ID,
        "start": "2020-01-01",
        "stop": "2020-01-02",
        "function": "analysis.py:brightest",
        "cluster": {"target": "local", "workers": 1, "cores": 1},
        "store": "jobs/brightest",
        "output": "results/brightest.nc",
        "plot": "results/brightest.png",
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(job | changes))
    (folder / "analysis.py").write_text(
        "def brightest(image, above=0):\n"
        "    if image.time.dt.hour == 8:\n"
        "        raise ValueError('not at eight')\n"
        "    return image.where(image > above).max()\n"
    )


def test_help_imports_nothing_heavy() -> None:
    probe = (
        "import sys\nfrom helio_burst.cli import main"
        "\ntry: main()\nexcept SystemExit: pass"
        "\nheavy = {'numpy', 'pandas', 'xarray', 'distributed', 'matplotlib', 'polars'} & set(sys.modules)"
        "\nprint('heavy:', sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, "--help"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "heavy: []" in done.stderr
    assert all(
        name in done.stdout for name in ("catalogs", "entries", "files", "lint", "run", "plot", "demo")
    )


def test_from_the_registry_to_the_files(helio_burst: Helio, tmp_path: Path, registry: str) -> None:
    assert archive.CATALOG in helio_burst("catalogs", "--registry", registry).stdout
    entries = json.loads(
        helio_burst("entries", archive.CATALOG, "--registry", registry, "--format", "json").stdout
    )
    assert [entry["id"] for entry in entries] == [archive.ID]
    assert entries[0]["start"] == "2020-01-01T00:00:00Z"
    arguments = (
        "files",
        archive.CATALOG,
        archive.ID,
        "2020-01-01T04",
        "2020-01-01T12",
        "--registry",
        registry,
    )
    listed = helio_burst(*arguments, "--format", "csv")
    (tmp_path / "files.csv").write_text(listed.stdout)
    files = pd.read_csv(tmp_path / "files.csv", parse_dates=["start", "stop"])
    assert files["start"].tolist() == list(pd.date_range("2020-01-01T04", periods=2, freq="4h", tz="UTC"))
    assert files["datakey"].str.startswith("s3://cli-archive/").all()
    assert "2 files" in listed.stderr
    assert "2020-01-01 04:00:00" in helio_burst(*arguments).stdout


def test_an_unknown_dataset_is_one_line_with_the_nearest(helio_burst: Helio, registry: str) -> None:
    arguments = ("files", archive.CATALOG, "aia_193_synthetic", "2020", "2021", "--registry", registry)
    said = helio_burst(*arguments, code=2).stderr
    assert "Nearest: aia_0193_synthetic" in said
    assert len(said.splitlines()) == 1


def test_an_unreachable_registry_is_exit_code_1_and_debug_shows_where(helio_burst: Helio) -> None:
    arguments = ("catalogs", "--registry", "s3://no-such-bucket/registry.json")
    assert helio_burst(*arguments, code=1).stderr.startswith("error: ")
    shown = helio_burst("--debug", *arguments, code=1)
    assert isinstance(shown.exception, StorageError)


def test_a_job_runs_from_the_catalog_to_the_picture(
    helio_burst: Helio, tmp_path: Path, registry: str
) -> None:
    write_job(tmp_path, registry)
    said = helio_burst("run", "job.yaml", "--parameter", "options={above: 10}").stderr
    assert "5 files done, 1 failed" in said
    assert "1 x ValueError: not at eight" in said
    with xr.open_dataset(tmp_path / "results" / "brightest.nc") as result:
        assert result["brightest"].sizes == {"time": 5}
        assert result.attrs["id"] == archive.ID
    assert (tmp_path / "results" / "brightest.png").read_bytes().startswith(b"\x89PNG")
    helio_burst("plot", "results/brightest.nc", "-o", "again.svg", "--variable", "brightest")
    assert "<svg" in (tmp_path / "again.svg").read_text()
    said = helio_burst("plot", "results/brightest.nc", "-o", "a.svg", "--variable", "bright", code=2).stderr
    assert "Nearest: brightest" in said


def test_a_dry_run_says_what_would_run_and_writes_nothing(
    helio_burst: Helio, tmp_path: Path, registry: str
) -> None:
    write_job(tmp_path, registry)
    said = helio_burst("run", "job.yaml", "--dry-run", "-p", "start=2020-01-01T12").stderr
    assert "3 files" in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == [
        "analysis.py",
        "job.yaml",
    ]


def test_all_that_is_wrong_with_a_job_is_said_before_it_starts(
    helio_burst: Helio, tmp_path: Path, registry: str
) -> None:
    (tmp_path / "a-file").write_text("")
    write_job(
        tmp_path,
        registry,
        id="aia_0171",
        function="analysis.py:brightness",
        reader="fitz",
        output="a-file/result.nc",
    )
    said = helio_burst("run", "job.yaml", code=2).stderr
    assert "nothing was started" in said
    assert "function: analysis.py has no 'brightness'. Nearest: brightest" in said
    assert "reader: 'fitz' is not a reader. Nearest: fits" in said
    assert "output: 'a-file/result.nc' cannot be written" in said
    assert "id: " in said
    assert "aia_0193_synthetic" in said


def test_the_demonstration_leaves_a_result_and_a_picture(tmp_path: Path, s3_server: EmbeddedS3) -> None:
    said = program(tmp_path, s3_server, "demo", "--out", "out", "--images", "4", "--pixels", "128")
    assert "synthetic" in said
    with xr.open_dataset(tmp_path / "out" / "irradiance.nc") as result:
        assert result["irradiance"].sizes == {"time": 4}
    assert (tmp_path / "out" / "irradiance.png").stat().st_size > 10_000


def test_a_job_goes_on_by_itself_and_is_found_by_its_store(
    helio_burst: Helio, tmp_path: Path, registry: str
) -> None:
    write_job(tmp_path, registry)
    assert "goes on by itself" in helio_burst("submit", "job.yaml").stderr
    said = helio_burst("fetch", "job.yaml", "--wait", "-o", "fetched.nc", "--name", "brightest").stderr
    assert "5 results, 1 failures" in said
    with xr.open_dataset(tmp_path / "fetched.nc") as result:
        assert result["brightest"].sizes == {"time": 5}
    assert "finished" in helio_burst("status", "jobs/brightest").stdout
    jobs = json.loads(helio_burst("list", "jobs/brightest", "--format", "json").stdout)
    assert [(job["state"], job["done"], job["failed"]) for job in jobs] == [("finished", 6, 1)]
    assert helio_burst("logs", "job.yaml").exit_code == 0
    assert "finished" in helio_burst("cancel", "job.yaml").stdout  # too late, and no harm

    span = ("2020-01-01", "2020-01-02")
    listed = helio_burst("files", archive.CATALOG, archive.ID, *span, "-f", "json", "--registry", registry)
    files = json.loads(listed.stdout)
    good, bad = files[0]["datakey"], files[2]["datakey"]
    assert "array(" in helio_burst("replay", "job.yaml", good).stdout
    assert "not at eight" in helio_burst("replay", "job.yaml", bad, code=1).output
    assert "not among the files" in helio_burst("replay", "job.yaml", "s3://a/b", code=2).stderr


def test_an_interrupted_run_says_where_it_goes_on(
    helio_burst: Helio, tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        error = KeyboardInterrupt()
        error.add_note("What is done is in the ledger.")
        raise error

    write_job(tmp_path, registry)
    monkeypatch.setattr("helio_burst.cli.prepare.prepare", interrupt)
    assert "What is done is in the ledger." in helio_burst("run", "job.yaml", code=130).stderr


def test_a_job_without_a_store_is_not_submitted(helio_burst: Helio, tmp_path: Path, registry: str) -> None:
    write_job(tmp_path, registry, store=None)
    assert "store is missing" in helio_burst("submit", "job.yaml", code=2).stderr
    assert "names no store" in helio_burst("status", "job.yaml", code=2).stderr
    said = helio_burst("submit", "job.yaml", "-p", "registry=demo", "-p", "store=jobs", code=2).stderr
    assert "the demo's server ends with this command" in said


def test_an_estimate_says_what_a_job_will_take(helio_burst: Helio, tmp_path: Path, registry: str) -> None:
    write_job(tmp_path, registry, store=None)
    said = helio_burst("estimate", "job.yaml", "--sample", "3", "--workers", "1,20").stdout
    assert "6 files" in said
    assert "core hours" in said
    assert "whole numbers" in helio_burst("estimate", "job.yaml", "--workers", "many", code=2).stderr


def test_prices_have_their_date(helio_burst: Helio) -> None:
    assert "per core hour" in helio_burst("prices").stdout
    assert helio_burst("prices").stdout.startswith("date: ")


def test_brackets_in_names_are_printed_as_they_are(helio_burst: Helio, tmp_path: Path) -> None:
    files = pd.DataFrame({"start": ["2020-01-01"], "datakey": ["s3://b/[d]/[red]1.nc"], "filesize": [1]})
    catalog.write_catalog(
        tmp_path.joinpath("archive").as_uri(), "set", files, title="A [bold]set[/]", name="N", contact="C"
    )
    assert "A [bold]set[/]" in helio_burst("entries", "archive").output
    assert "s3://b/[d]/[red]1.nc" in helio_burst("files", "archive", "set", "2020", "2021").output
    said = helio_burst("files", "archive", "[red]set", "2020", "2021", code=2).output
    assert "has no entry '[red]set'" in said


def test_findings_are_lines_that_editors_know_and_notes_are_no_failure(
    helio_burst: Helio, tmp_path: Path
) -> None:
    files = pd.DataFrame({"start": ["2020-01-01"], "datakey": ["s3://b/1.nc"], "filesize": [1]})
    folder = tmp_path / "archive"
    catalog.write_catalog(folder.as_uri(), "set", files, title="T", name="N", contact="C")
    noted = helio_burst("lint", "archive").output
    assert re.search(r"archive/catalog.json:\d+: note: The index 'file:.*' is no s3 or https URL", noted)
    index = folder / "set" / "set_2020.csv"
    index.write_text(index.read_text() + "2020-01-02,torn\n")
    found = helio_burst("lint", "archive", code=1).output
    assert f"{index}:3: error: only 2 of 4 values in '2020-01-02,torn'." in found
    table = pd.read_csv(io.StringIO(helio_burst("lint", "archive", "-f", "csv", code=1).stdout))
    assert table["severity"].tolist() == ["error", "note"]


def test_warnings_are_lines_without_code(helio_burst: Helio, tmp_path: Path) -> None:
    files = pd.DataFrame({"start": ["2020-01-01"], "datakey": ["s3://b/1.nc"], "filesize": [1]})
    folder = tmp_path / "archive"
    catalog.write_catalog(folder.as_uri(), "set", files, title="T", name="N", contact="C")
    document = folder / "catalog.json"
    document.write_text(document.read_text().replace('"modification": "', '"modification": "about '))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        said = helio_burst("entries", "archive").stderr
    assert said.startswith(f"warning: {document}, line ")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("ending", ["nc", "zarr", "parquet"])
@pytest.mark.parametrize("place", ["here", "bucket"])
def test_a_result_is_drawn_wherever_it_is(
    helio_burst: Helio, tmp_path: Path, s3: EmbeddedS3, ending: str, place: str
) -> None:
    folder = str(tmp_path)
    if place == "bucket":
        s3.create_bucket("cli-results")
        folder = "s3://cli-results"
    time = pd.date_range("2020", periods=5, freq="1h").to_numpy()
    save(xr.Dataset({"v": ("time", [1.0, 2, 3, 4, 5])}, {"time": time}), f"{folder}/[1].{ending}")
    said = helio_burst("plot", f"{folder}/[1].{ending}", "-o", f"{folder}/new/[1].png").output
    assert f"Drew {folder}/new/[1].png" in said
    assert storage.read(f"{folder}/new/[1].png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("result", "picture", "code", "words"),
    [
        ("junk.nc", "a.png", 1, "junk.nc (4 bytes) is not NetCDF"),
        ("junk.parquet", "a.png", 1, "junk.parquet cannot be read as .parquet"),
        ("none.nc", "a.png", 1, "none.nc: there is no such object"),
        ("none.zarr", "a.png", 1, "none.zarr/.zmetadata: there is no such object"),
        ("a.txt", "a.png", 2, "Results end in .nc, .zarr, .parquet"),
        ("good.nc", "a.gif", 2, "'a.gif' must end in one of .png, .pdf, .svg"),
        ("good.nc", "good.nc/a.png", 1, "Could not write good.nc/a.png"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    helio_burst: Helio, tmp_path: Path, result: str, picture: str, code: int, words: str
) -> None:
    for name in ("junk.nc", "junk.parquet"):
        (tmp_path / name).write_text("junk")
    xr.Dataset({"v": (("y", "x"), [[1.0, 2], [3, 4]])}).to_netcdf(tmp_path / "good.nc")
    said = helio_burst("plot", result, "-o", picture, code=code).output
    assert words in said
    assert len(said.splitlines()) == 1
