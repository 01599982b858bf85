"""The job file: what it accepts, and what it says of what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from helio_burst.cli import job
from helio_burst.errors import InputError

GOOD = {
    "catalog": "HelioCloud, including SDO",
    "id": "aia_0094",
    "start": "2020-01-01",
    "stop": "2020-02-01",
    "function": "helio_burst.science.solar:mean_intensity",
}


def written(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return path


def test_a_short_job_has_defaults(tmp_path: Path) -> None:
    read = job.read(written(tmp_path))
    assert read.reader == "by_name"
    assert read.cluster.model_dump(exclude_unset=True) == {}


def test_times_may_be_what_yaml_makes_of_them(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        yaml.safe_dump({**GOOD, "start": None, "stop": None}).replace("start: null", "start: 2020")
    )
    read = job.read(path, ["stop=2020-03-01"])
    assert (read.start, read.stop) == ("2020-01-01T00:00:00+00:00", "2020-03-01T00:00:00+00:00")


def test_parameters_replace_values(tmp_path: Path) -> None:
    read = job.read(written(tmp_path), ["id=aia_0171", "cluster.workers=[1, 50]", "cluster.memory=4 GiB"])
    assert read.id == "aia_0171"
    assert read.cluster.workers == (1, 50)
    assert read.cluster.model_dump(exclude_unset=True) == {"workers": (1, 50), "memory": "4 GiB"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"functoin": "x:y"}, "functoin is not a field. Nearest: function"),
        ({"cluster": {"worker": 3}}, "cluster.worker is not a field. Nearest: workers"),
        ({"cluster": {"cores": 0}}, "cluster.cores: .*greater than or equal to 1, not 0. Accepted: cores"),
        ({"start": "yesterday"}, "start: 'yesterday' is not a time. Write UTC"),
        ({"start": "2021-01-01"}, "start, stop: The range .* is empty"),
        ({"output": "result.txt"}, r"output: 'result.txt' must end in one of .nc, .zarr, .parquet"),
        ({"plot": "result.jpeg"}, r"plot: .*one of .png, .pdf, .svg"),
        ({"max_cost": -1}, "max_cost: .*greater than 0, not -1. Accepted: US dollars"),
        ({"cluster": {"workers": [5, 1]}}, r"cluster: workers=\(5, 1\): the least is more than the most"),
        ({"cluster": {"memory": "4 potatoes"}}, "cluster: memory='4 potatoes' is no amount of memory"),
        ({"options": 3}, "options: .*dictionary, not 3. Accepted: keyword arguments"),
        (
            {"cluster": {"workers": "many"}},
            r"cluster.workers: .*not 'many'. Accepted: a number, or",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_it_accepts(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        job.read(written(tmp_path, **changes))


def test_all_wrong_fields_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"catalog": "a", "start": "never", "extra": 1}))
    with pytest.raises(InputError) as caught:
        job.read(path)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("cannot run; nothing was started.")
    assert {line.split()[0].rstrip(":") for line in lines[1:]} == {"id", "start", "stop", "function", "extra"}


@pytest.mark.parametrize(
    ("text", "words"),
    [("- a\n- b\n", "must hold fields"), ("a: [1", "is not YAML"), ("", "must hold fields")],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        job.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: No such file"):
        job.read(tmp_path / "none.yaml")


@pytest.mark.parametrize("parameter", ["start", "=3", "id.x=3"])
def test_a_parameter_must_be_a_key_and_a_value(tmp_path: Path, parameter: str) -> None:
    with pytest.raises(InputError, match="--parameter"):
        job.read(written(tmp_path), [parameter])
