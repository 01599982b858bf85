"""One notebook, many parameters: executed on a cluster's workers, its recorded values in one table."""

from __future__ import annotations

import hashlib
import importlib
import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from distributed import Client

from helio_burst import storage
from helio_burst.burst import map_partitions
from helio_burst.errors import InputError, nearest

if TYPE_CHECKING:
    from nbformat import NotebookNode

MIME = "application/vnd.helio-burst.record+json"


def record(**values: Any) -> None:
    """Record results of a notebook, in the notebook itself; `sweep` collects them.

    Parameters
    ----------
    **values
        Numbers, texts, truth values, or times, by name; arrays of one value count as that value.

    Raises
    ------
    InputError
        A value is of another kind.

    Examples
    --------
    >>> record(files=48, mean=np.float64(94.3))
    files: 48, mean: 94.3
    """
    plain = {name: _plain(name, value) for name, value in values.items()}
    text = ", ".join(f"{name}: {value}" for name, value in plain.items())
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        print(text)
    else:
        display({MIME: plain, "text/plain": text}, raw=True)


def sweep(
    notebook: str | Path,
    parameters: pd.DataFrame,
    out: str,
    *,
    client: Client | None = None,
    time_limit: float | str | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Execute a notebook once for each row of a table of parameters.

    The executed notebooks are written to `out`, those that failed as far as they came, and so is the table,
    as ``table.csv``. What is done is kept in a ledger there: the same call again does the remainder.

    Parameters
    ----------
    notebook : path
        With a cell tagged ``parameters``. It runs in an empty folder of its own, so what it reads and writes
        has its address among the parameters.
    parameters : DataFrame
        One row a run; each column is a name that the parameters cell assigns.
    out : str
        Folder or s3:// address that the workers can write to.
    client : Client, optional
        As of `map_files`.
    time_limit : float or str, optional
        Seconds (or "30 min") for one run.
    progress : bool, optional
        As of `map_files`.

    Returns
    -------
    DataFrame
        The parameters, the recorded values, ``notebook`` (the address of the executed one), and ``error`` and
        ``message``, which are missing where it went well; in the order of `parameters`.

    Raises
    ------
    InputError
        The notebook has no parameters cell, a column is not among its parameters, or papermill is not
        installed.
    """
    _check_installed()
    out = storage.absolute(out)
    source = _read(Path(notebook))
    _check_parameters(Path(notebook), source, parameters)
    runs = [json.dumps(_row(parameters, number), sort_keys=True) for number in range(len(parameters))]
    stem = Path(notebook).stem
    names = [f"{stem}-{hashlib.sha256(run.encode()).hexdigest()[:10]}" for run in runs]
    outcome = map_partitions(
        _execute,
        pd.DataFrame({"datakey": names, "parameters": runs}),
        options={"source": source, "out": out},
        client=client,
        store=storage.join(out, "ledger"),
        time_limit=time_limit,
        progress=progress,
    )
    recorded = {name: json.loads(text) for name, text in outcome}
    failures = outcome.failures.set_index("datakey")[["error", "message"]]
    table = parameters.reset_index(drop=True)
    values = pd.DataFrame([recorded.get(name, {}) for name in names])
    ends = failures.reindex(names).reset_index(drop=True)
    ends.insert(0, "notebook", [storage.join(out, f"{name}.ipynb") for name in names])
    clash = {name: f"{name}_recorded" for name in table.columns.intersection(values.columns)}
    table = pd.concat([table, values.rename(columns=clash), ends], axis=1)
    storage.write(storage.join(out, "table.csv"), table.to_csv(index=False).encode())
    return table


def _execute(run: Any, source: str, out: str) -> str:
    """Execute the notebook on a worker; return what it recorded, as JSON."""
    import nbformat
    import papermill

    with tempfile.TemporaryDirectory(prefix="helio-burst-sweep-") as folder:
        given, executed = Path(folder) / "given.ipynb", Path(folder) / "executed.ipynb"
        given.write_text(source, encoding="utf-8")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of papermill's and the kernel's own making
                papermill.execute_notebook(
                    given, executed, json.loads(run.parameters), cwd=folder, progress_bar=False
                )
        finally:
            if executed.exists():
                storage.write(storage.join(out, f"{run.datakey}.ipynb"), executed.read_bytes())
        return json.dumps(recorded_values(nbformat.read(executed, as_version=4)))  # type: ignore[no-untyped-call]


def recorded_values(notebook: NotebookNode) -> dict[str, Any]:
    """Return what an executed notebook recorded; of two values of one name, the later."""
    values: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            values |= output.get("data", {}).get(MIME, {})
    return values


def _check_installed() -> None:
    for name in ("nbformat", "papermill"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise InputError(
                f"{error.name} is not installed; sweep needs it: pip install 'helio-burst[notebook]'"
            ) from error


def _read(notebook: Path) -> str:
    try:
        return notebook.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"Could not read the notebook {notebook}: {error.strerror}.") from error


def _check_parameters(path: Path, source: str, parameters: pd.DataFrame) -> None:
    import nbformat
    import papermill

    if not isinstance(parameters, pd.DataFrame):
        raise InputError(f"parameters={parameters!r} must be a DataFrame, one row a run.")
    try:
        cells = nbformat.reads(source, as_version=4).cells  # type: ignore[no-untyped-call]
    except nbformat.reader.NotJSONError as error:
        raise InputError(f"{path} is not a notebook.") from error
    if not any("parameters" in cell.metadata.get("tags", []) for cell in cells):
        raise InputError(f"{path} has no cell tagged 'parameters'; tag the one that assigns them.")
    known = list(papermill.inspect_notebook(str(path)))
    if parameters.empty:
        raise InputError(f"The table of parameters has no row. Parameters of {path}: {', '.join(known)}.")
    for name in parameters.columns:
        if name not in known:
            raise InputError(f"{path} has no parameter {name!r}. {nearest(str(name), known)}")


def _row(parameters: pd.DataFrame, number: int) -> dict[str, Any]:
    """Return one row as plain values; a missing one leaves the notebook's own."""
    row = {str(name): _plain(str(name), column.iloc[number]) for name, column in parameters.items()}
    return {name: value for name, value in row.items() if value is not None}


def _plain(name: str, value: Any) -> bool | int | float | str | None:
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return None if pd.isna(value) else pd.Timestamp(value).isoformat()
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        value = value.item()
    if value is pd.NA or value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f"{name}={value!r} is neither a number nor a text nor a time.")
