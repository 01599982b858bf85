"""One notebook over a table of parameters, on the workers of a real cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from helio_burst.errors import InputError
from helio_burst.sweep import record, recorded_values, sweep


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook that halves a number, notes that it ran, and cannot halve three."""
    parameters = nbformat.v4.new_code_cell("number = 1\nunit = 'nT'\nnotes = ''")
    parameters.metadata["tags"] = ["parameters"]
    code = (
        "from helio_burst import record\n"
        "print(number, file=open(notes, 'a'))\n"
        "if number == 3:\n"
        "    raise ValueError('three is odd')\n"
        "record(half=number / 2, unit=unit)"
    )
    made = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(code)])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "halve.ipynb"
    nbformat.write(made, path)
    return path


def test_a_sweep_collects_values_and_failures_and_resumes(
    notebook: Path, tmp_path: Path, client: Client
) -> None:
    notes, out = tmp_path / "notes.txt", tmp_path / "out"
    parameters = pd.DataFrame({"number": [2, 3], "unit": ["nT", None], "notes": str(notes)})
    table = sweep(notebook, parameters, str(out), client=client, progress=False)
    assert table["number"].tolist() == [2, 3]
    assert table.loc[0, "half"] == 1
    assert table.loc[0, "unit_recorded"] == "nT"
    assert pd.isna(table.loc[1, "half"])
    assert pd.isna(table.loc[0, "error"])
    assert "three is odd" in table.loc[1, "message"]
    failed = nbformat.read(table.loc[1, "notebook"], as_version=4)
    assert any("three is odd" in str(cell.get("outputs")) for cell in failed.cells)
    assert sorted(notes.read_text().split()) == ["2", "3"]

    more = pd.concat([parameters, parameters.head(1).assign(number=8)], ignore_index=True)
    table = sweep(notebook, more, str(out), client=client, progress=False)
    assert table["half"].iloc[[0, 2]].tolist() == [1, 4]
    assert sorted(notes.read_text().split()) == ["2", "3", "8"]
    assert pd.read_csv(out / "table.csv")["half"].iloc[[0, 2]].tolist() == [1, 4]


def test_wrong_requests_are_refused_before_anything_starts(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(InputError, match=r"no parameter 'numbr'. Nearest: number"):
        sweep(notebook, pd.DataFrame({"numbr": [1]}), out)
    with pytest.raises(InputError, match=r"no row. Parameters of .*: number, unit, notes"):
        sweep(notebook, pd.DataFrame({"number": []}), out)
    with pytest.raises(InputError, match=r"none\.ipynb: No such file"):
        sweep(tmp_path / "none.ipynb", pd.DataFrame({"number": [1]}), out)
    (tmp_path / "text.ipynb").write_text("hello")
    with pytest.raises(InputError, match="is not a notebook"):
        sweep(tmp_path / "text.ipynb", pd.DataFrame({"number": [1]}), out)
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("number = 1")])
    nbformat.write(bare, tmp_path / "bare.ipynb")
    with pytest.raises(InputError, match="no cell tagged 'parameters'"):
        sweep(tmp_path / "bare.ipynb", pd.DataFrame({"number": [1]}), out)
    with pytest.raises(InputError, match="must be a DataFrame, one row a run"):
        sweep(notebook, [{"number": 1}], out)  # type: ignore[arg-type]
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "papermill", None)
        with pytest.raises(InputError, match=r"papermill is not installed.*helio-burst\[notebook\]"):
            sweep(notebook, pd.DataFrame({"number": [1]}), out)
    assert not (tmp_path / "out").exists()


def test_record_outside_a_notebook_prints(capsys: pytest.CaptureFixture[str]) -> None:
    record(files=3, mean=np.float32(0.5), first=pd.Timestamp("2020-01-01", tz="UTC"))
    assert capsys.readouterr().out == "files: 3, mean: 0.5, first: 2020-01-01T00:00:00+00:00\n"
    with pytest.raises(InputError, match="neither a number nor a text nor a time"):
        record(image=np.zeros((2, 2)))


def test_the_later_of_two_values_of_a_name_counts() -> None:
    output = {"output_type": "display_data", "metadata": {}}
    mime = "application/vnd.helio-burst.record+json"
    cells = [
        nbformat.v4.new_code_cell(outputs=[nbformat.from_dict({**output, "data": {mime: {"a": value}}})])
        for value in (1, 2)
    ]
    assert recorded_values(nbformat.v4.new_notebook(cells=cells)) == {"a": 2}
