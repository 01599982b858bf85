"""The command that says what a job will take before it is run."""

from __future__ import annotations

from typing import Annotated

import typer

from helio_burst.cli.jobs import JobArgument, ParameterOption
from helio_burst.cli.output import notes, results


def estimate(
    path: JobArgument,
    parameter: ParameterOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    sample: Annotated[int, typer.Option("--sample", min=1, help="How many files the pilot measures.")] = 8,
    workers: Annotated[
        list[int], typer.Option("--workers", min=1, help="Number of workers to say it for; repeatable.")
    ] = [1, 10, 50, 200],  # noqa: B006
    prices: Annotated[str | None, typer.Option("--prices", help="Price table, a YAML file.")] = None,
) -> None:
    """Do a few files of a job, and say what all of them will take: time, bytes and dollars."""
    from helio_burst import burst, cluster
    from helio_burst.cli import job, prepare

    prepared = prepare.prepare(job.read(path, parameter), path)
    asked = prepared.job
    with cluster.open_cluster(**asked.cluster.model_dump(exclude_unset=True)) as client:
        notes.print(f"A pilot of {sample} of {len(prepared.files):,} files ...")
        found = burst.estimate(
            prepared.function,
            prepared.files,
            read=prepared.reader,
            options=asked.options,
            client=client,
            sample=sample,
            workers=workers,
            store=asked.store,
            prices=prices,
            time_limit=asked.time_limit,
        )
    results.print(repr(found), markup=False, soft_wrap=True)
