"""A validated job checked against the world: its code, its catalog, its output; then it can run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from helio_burst import readers
from helio_burst.cli import code, sources
from helio_burst.cli.job import Job, report
from helio_burst.cli.output import notes, size
from helio_burst.errors import HelioBurstError, InputError, nearest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PreparedJob:
    """A job of which everything that can be known before the first task is known to be right."""

    job: Job
    function: Callable[..., Any]
    reader: Callable[..., Any]
    files: pd.DataFrame

    @property
    def name(self) -> str:
        """The name of the result's variable."""
        return self.job.name or str(getattr(self.function, "__name__", "result"))


def prepare(job: Job, path: Path) -> PreparedJob:
    """Find the function, the reader and the files of a job, and check that its output can be written.

    Parameters
    ----------
    job : Job
        Valid in itself.
    path : Path
        The job file; code is looked for beside it.

    Raises
    ------
    InputError
        The message has one line for each field that is wrong.
    """
    problems: list[str] = []
    function = reader = files = None
    with _collect(problems, "function"):
        function = code.load(job.function, path.parent)
        code.check_options(function, job.options)
    with _collect(problems, "reader"):
        reader = _reader(job, path.parent)
    for field in ("output", "plot", "store"):
        with _collect(problems, field):
            _check_writable(getattr(job, field))
    with _collect(problems, "catalog"):
        catalog = sources.open_catalog(job.catalog, job.registry)
        with _collect(problems, "id"):
            files = catalog.file_list(job.id, job.start, job.stop)
    if files is not None and not len(files):
        problems.append(f"start, stop: {job.id} has no file in [{job.start}, {job.stop}).")
    if problems or function is None or reader is None or files is None:
        raise InputError(report(str(path), problems))
    return PreparedJob(job, function, reader, files)


def announce(prepared: PreparedJob) -> None:
    """Say what is about to run."""
    job, files = prepared.job, prepared.files
    notes.print(Text.assemble((job.id, "bold"), f" of {job.catalog}, {job.start} to {job.stop}"))
    notes.print(f"  {len(files):,} files, {size(float(files['filesize'].sum()))}")
    notes.print(f"  {job.function}, read by {job.reader}")


@contextmanager
def _collect(problems: list[str], field: str) -> Iterator[None]:
    try:
        yield
    except HelioBurstError as error:
        problems.append(f"{field}: {error}")


def _reader(job: Job, folder: Path) -> Callable[..., Any]:
    if ":" in job.reader:
        reader = code.load(job.reader, folder)
    elif job.reader in readers.__all__:
        reader = getattr(readers, job.reader)
    else:
        raise InputError(
            f"{job.reader!r} is not a reader. {nearest(job.reader, readers.__all__)} "
            "Your own is a function's name: package.module:name or file.py:name."
        )
    code.check_options(reader, job.reader_options, given=2)
    return partial(reader, **job.reader_options) if job.reader_options else reader


def _check_writable(path: str | None) -> None:
    """Refuse a local path that cannot be written, before hours are spent on what would go there."""
    if path is None or "://" in path:
        return
    folder = Path(path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(
            f"{path!r} cannot be written: {folder} is not a directory that this user may write to."
        )
