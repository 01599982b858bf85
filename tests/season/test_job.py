"""Job files of seasons: read, refused with every fault, and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from distributed import Client

from helio_burst.errors import InputError
from helio_burst.season import make_vefi, read_job, run_job
from helio_burst.season.job import function_named

JOB: dict[str, Any] = {
    "data": {"folder": "there"},
    "reader": "vefi",
    "start": "2010-05-09",
    "stop": "2010-05-11",
    "x": {"variable": "longitude", "start": 0, "stop": 360, "number": 12},
    "y": {"variable": "latitude", "start": -13, "stop": 13, "number": 4},
    "gates": {"dB_mer": -1},
    "orbits": {"kind": "longitude", "period": "97min"},
    "freq": "1D",
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({**JOB, **changes}), encoding="utf-8")
    return path


def test_a_job_runs(client: Client, tmp_path: Path) -> None:
    make_vefi(tmp_path / "there", "2010-05-09", "2010-05-11", cadence=120)
    kp = tmp_path / "kp.csv"
    pd.DataFrame({"time": ["2010-05-09", "2010-05-10"], "Kp": [1.0, 6.0]}).to_csv(kp, index=False)
    where = {"table": str(kp), "condition": "Kp < 3"}
    out = tmp_path / "out" / "season.nc"
    path = written(tmp_path, data={"folder": str(tmp_path / "there")}, where=where, out=str(out))
    result = run_job(read_job(path), client=client, progress=False)
    assert result.attrs["certificate"] == "exact"
    with xr.open_dataset(out) as saved:
        assert saved.sizes == {"latitude": 4, "longitude": 12, "bnds": 2}
        np.testing.assert_array_equal(saved["count"], result["count"])
    zarr = tmp_path / "out" / "season.zarr"
    whole = run_job(
        read_job(written(tmp_path, data={"folder": str(tmp_path / "there")}, out=str(zarr))),
        client=client,
        progress=False,
    )
    with xr.open_dataset(zarr, engine="zarr") as saved:
        np.testing.assert_array_equal(saved["count"], whole["count"])
    assert 0 < int(result["count"].sum()) < int(whole["count"].sum())


def test_a_file_list_as_a_table(client: Client, tmp_path: Path) -> None:
    files = make_vefi(tmp_path / "there", "2010-05-09", "2010-05-11", cadence=120)
    files.to_csv(tmp_path / "files.csv", index=False)
    files.to_parquet(tmp_path / "files.parquet")
    results = [
        run_job(
            read_job(written(tmp_path, data={"table": str(tmp_path / name)})), client=client, progress=False
        )
        for name in ("files.csv", "files.parquet")
    ]
    assert results[0].identical(results[1])


def test_yaml_dates_are_times(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("'2010-05-09'", "2010-05-09"), encoding="utf-8")
    assert read_job(path).start == "2010-05-09"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {}}, "give one of catalog, folder, table, cdaweb and pysat, and nothing is given"),
        ({"data": {"folder": "a", "table": "b"}}, "not folder and table"),
        ({"data": {"catalog": "a"}}, "catalog and id go together"),
        ({"x": {**JOB["x"], "start": 400}}, "the bins of 'longitude' begin at 400.0 and end at 360.0"),
        ({"orbits": {"kind": "longitude", "period": "-1h"}}, "longer than nothing"),
        ({"orbits": {"kind": "moon"}}, "orbits.kind"),
        ({"gates": {}}, "gates"),
        ({"out": "season.png"}, "out: 'season.png' must end in .nc or .zarr"),
        ({"gate": 0}, "gate: Extra inputs are not permitted"),
        (
            {"data": {"pysat": {"platform": "a", "name": "b", "data_dir": "c", "clean_level": "d"}}},
            "clean_level",
        ),
    ],
)
def test_faults_are_listed(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_job(written(tmp_path, **changes))


def test_files_that_are_no_jobs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_job(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_job(broken)
    with pytest.raises(InputError, match=r"table .*lost\.csv cannot be read"):
        run_job(read_job(written(tmp_path, data={"table": str(tmp_path / "lost.csv")})))


def test_functions_by_name() -> None:
    assert function_named("numpy:where") is np.where
    with pytest.raises(InputError, match="write module:function"):
        function_named("numpy")
    with pytest.raises(InputError, match="no function 'numpy:wherever'"):
        function_named("numpy:wherever")
    with pytest.raises(InputError, match="is not a function"):
        function_named("numpy:pi")
