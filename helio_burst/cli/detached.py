"""The commands for jobs that go on by themselves, from submit to fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from helio_burst.cli.jobs import JobArgument, ParameterOption
from helio_burst.cli.output import Format, FormatOption, notes, results, show

StoreArgument = Annotated[
    str,
    typer.Argument(metavar="STORE", help="Store of the job: folder, s3:// address or job file."),
]
KeyOption = Annotated[
    str | None, typer.Option("--job", help="Key of the job, or its beginning; default: the one begun last.")
]


def submit(
    path: JobArgument,
    parameter: ParameterOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
) -> None:
    """Start a job that goes on when this terminal closes; its job file names a store."""
    from helio_burst.burst import detached
    from helio_burst.cli import job, prepare
    from helio_burst.errors import InputError

    read = job.read(path, parameter)
    problems = []
    if read.store is None:
        problems.append("store is missing: a job that is left alone is found by it.")
    if read.registry == "demo":
        problems.append("registry: the demo's server ends with this command; run the job, or name another.")
    if problems:
        raise InputError(job.report(str(path), problems))
    assert read.store is not None
    prepared = prepare.prepare(read, path)
    prepare.announce(prepared)
    done = detached.submit(
        prepared.function,
        prepared.files,
        store=read.store,
        cluster=read.cluster.given(),
        read=prepared.reader,
        options=read.options,
        **read.limits(),
    )
    notes.print(f"Job {done.key} goes on by itself. Look in from anywhere:")
    notes.print(f"  helio-burst status {read.store}")


def status(store: StoreArgument, key: KeyOption = None) -> None:
    """Say how a job is. Exit code 1 if it is stopped, broken or gone."""
    from helio_burst.burst import detached

    now = detached.status(_store(store), key)
    results.print(str(now))
    if now.state not in ("starting", "running", "finished"):
        raise typer.Exit(1)


def logs(store: StoreArgument, key: KeyOption = None) -> None:
    """Print what the job's driver has written."""
    from helio_burst.burst import detached

    typer.echo(detached.logs(_store(store), key), nl=False)


def fetch(
    store: StoreArgument,
    output: Annotated[str, typer.Option("--output", "-o", help="Result: .nc, .zarr or .parquet.")],
    key: KeyOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the result's variable.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end of the job.")] = False,
) -> None:
    """Write the result of a job, or what there is of it by now, to a file."""
    from helio_burst.burst import check_path, detached

    check_path(output)
    outcome = detached.fetch(_store(store), key, wait=wait)
    outcome.save(output, name=name)
    notes.print(repr(outcome))
    notes.print(f"Wrote {output}")


def cancel(store: StoreArgument, key: KeyOption = None) -> None:
    """End a job; what is done stays in its store."""
    from helio_burst.burst import detached

    results.print(str(detached.cancel(_store(store), key)))


def resume(store: StoreArgument, key: KeyOption = None) -> None:
    """Go on with a job that was cancelled, reached a limit, or lost its driver."""
    from helio_burst.burst import detached

    done = detached.resume(_store(store), key)
    results.print(str(done.status()))


def list_jobs(store: StoreArgument, form: FormatOption = Format.TABLE) -> None:
    """List the jobs of a store."""
    from helio_burst.burst import detached

    columns = ["job", "function", "state", "done", "total", "failed", "cost", "updated"]
    show(detached.list_jobs(_store(store)), form, columns)


def replay(
    store: StoreArgument,
    datakey: Annotated[str, typer.Argument(help="Address of the file.")],
    key: KeyOption = None,
) -> None:
    """Do one file of a job here, in this process, and print its result, or its traceback."""
    import traceback

    from helio_burst.burst import detached
    from helio_burst.errors import InputError

    outcome = detached.fetch(_store(store), key)
    try:
        value = outcome.replay(datakey)
    except InputError:
        raise
    except Exception as error:  # what the user's function raises is what is asked for
        traceback.print_exception(error)
        raise typer.Exit(1) from error
    results.print(repr(value))


def _store(text: str) -> str:
    """Return the store that is meant: by its address, or by the job file that names it."""
    from helio_burst.cli import job
    from helio_burst.errors import InputError

    path = Path(text)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return text
    store = job.read(path).store
    if store is None:
        raise InputError(f"{text} names no store, by which its job could be found.")
    return store
