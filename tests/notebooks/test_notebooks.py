"""Every notebook as papermill runs it, with small parameters; its figures compared with stored pictures."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import matplotlib.image
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import papermill
import pytest
from matplotlib.figure import Figure

from helio_burst.sweep import recorded_values

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SMALL: dict[str, dict[str, Any]] = {
    "01_sdo_irradiance": {"stop": "2020-01-01T08"},
    "02_seasonal_occurrence": {"stop": "2010-05-12", "block": "1D"},
    "03_laptop_to_cloud": {"stop": "2020-01-01T08"},
    "04_bring_your_own_analysis": {"stop": "2020-01-01T08"},
    "05_publish_your_own_catalog": {},
}


def execute(name: str, folder: Path, **parameters: Any) -> nbformat.NotebookNode:
    """Run a notebook in a folder of its own, with the package of this checkout."""
    papermill.execute_notebook(
        NOTEBOOKS / f"{name}.ipynb",
        folder / f"{name}.ipynb",
        SMALL.get(name, {}) | parameters,
        cwd=folder,
        progress_bar=False,
    )
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


def pictures(notebook: nbformat.NotebookNode) -> list[np.ndarray]:
    """Return the figures of an executed notebook, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    coded = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [matplotlib.image.imread(io.BytesIO(base64.b64decode(text)))[..., :3] for text in coded]


def stack(images: list[np.ndarray]) -> Figure:
    """Put pictures below each other, pixel for pixel."""
    width = max(image.shape[1] for image in images)
    padded = [
        np.pad(image, ((0, 8), (0, width - image.shape[1]), (0, 0)), constant_values=1) for image in images
    ]
    whole = np.concatenate(padded)
    figure = plt.figure(figsize=(width / 100, whole.shape[0] / 100), dpi=100)
    figure.figimage(whole)
    return figure


@pytest.fixture(autouse=True)
def _of_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))
    monkeypatch.setenv("HELIO_BURST_CACHE", "off")


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_with_its_parameters(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code), "run nbstripout on it"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert papermill.inspect_notebook(str(path))
    headings = [
        line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("## ")
    ]
    assert [heading.split()[1] for heading in headings] == ["Parameters", *(f"{n}." for n in range(1, 7))]
    assert path.stem in SMALL


@pytest.mark.mpl_image_compare(tolerance=10, savefig_kwargs={"dpi": 100})
@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_runs_and_draws_what_it_drew(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Figure:
    notebook = execute(name, tmp_path)
    recorded = recorded_values(notebook)
    assert recorded["files"] > 0
    assert recorded["failures"] == 0
    return stack(pictures(notebook))
