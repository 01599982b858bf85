"""The commands that compute and draw: run, plot, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from helio_burst.cli.output import Format, notes, results, show

if TYPE_CHECKING:
    from helio_burst.burst import Outcome
    from helio_burst.cli.prepare import PreparedJob

JobArgument = Annotated[Path, typer.Argument(metavar="JOB.YAML", help="Job file.")]
ParameterOption = Annotated[
    list[str],
    typer.Option(
        "--parameter", "-p", metavar="KEY=VALUE", help="Replace a value of the job file; repeatable."
    ),
]


def run(
    path: JobArgument,
    parameter: ParameterOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Validate, show what would run, and stop.")
    ] = False,
) -> None:
    """Run a job file: catalog, files, map, result, plot."""
    from helio_burst.cli import job, prepare

    prepared = prepare.prepare(job.read(path, parameter), path)
    prepare.announce(prepared)
    if dry_run:
        notes.print("Nothing was started (--dry-run).")
        return
    _finish(prepared, _compute(prepared))


def _compute(prepared: PreparedJob) -> Outcome:
    from helio_burst import burst, cluster

    job = prepared.job
    with cluster.open_cluster(**job.cluster.given()) as client:
        outcome: Outcome = burst.map_files(
            prepared.function,
            prepared.files,
            read=prepared.reader,
            options=job.options,
            client=client,
            store=job.store,
            **job.limits(),
        )
        return outcome


def _finish(prepared: PreparedJob, outcome: Outcome) -> None:
    """Say what failed, save and draw what was computed."""
    failures = outcome.failures
    done = len(prepared.files) - len(failures)
    failed = (f", {len(failures):,} failed", "red") if len(failures) else ""
    notes.print(Text.assemble((f"{done:,} files done", "green"), failed))
    causes = outcome.failures_by_cause()[["count", "error", "message"]]
    for count, error, message in causes.itertuples(index=False, name=None):
        notes.print(f"  {count:,} x {error}: {message}")
    if not done:
        raise typer.Exit(1)
    result = outcome.to_xarray(name=prepared.name)
    if prepared.job.output:
        outcome.save(prepared.job.output, name=prepared.name)
        notes.print(f"Wrote {prepared.job.output}")
    if prepared.job.plot:
        from helio_burst.cli.picture import draw

        draw(result, prepared.job.plot, failed=failures)
        notes.print(f"Drew {prepared.job.plot}")


def estimate(
    path: JobArgument,
    parameter: ParameterOption = [],  # noqa: B006 (as above)
    sample: Annotated[int, typer.Option("--sample", min=2, help="Files of the pilot.")] = 8,
    workers: Annotated[str, typer.Option("--workers", help="Numbers of workers, as 1,10.")] = "1,10,50,200",
    prices: Annotated[str | None, typer.Option("--prices", help="Price table, a YAML file.")] = None,
) -> None:
    """Do a few files of a job and say what all of them will take: hours, bytes, dollars."""
    from helio_burst import burst, cluster
    from helio_burst.cli import job, prepare
    from helio_burst.errors import InputError

    try:
        numbers = [int(number) for number in workers.split(",")]
    except ValueError as error:
        raise InputError(f"--workers {workers!r} must be whole numbers, as 1,10,50.") from error
    prepared = prepare.prepare(job.read(path, parameter), path)
    prepare.announce(prepared)
    with cluster.open_cluster(**prepared.job.cluster.given()) as client:
        guess = burst.estimate(
            prepared.function,
            prepared.files,
            read=prepared.reader,
            options=prepared.job.options,
            client=client,
            sample=sample,
            workers=numbers,
            store=prepared.job.store,
            prices=prices,
            time_limit=prepared.job.time_limit,
        )
    results.print(repr(guess))


def plot(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="A result: .nc, .zarr or .parquet.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The picture: .png, .pdf or .svg.")],
    variable: Annotated[
        str | None, typer.Option("--variable", "-v", help="Which variable; default: the first.")
    ] = None,
) -> None:
    """Draw a result: a time series, an image, a map of bins or a field, by its dimensions."""
    from helio_burst.cli import picture

    picture.draw(picture.open_result(result), output, variable)
    notes.print(f"Drew {output}")


def season(
    path: Annotated[Path, typer.Argument(metavar="JOB.YAML", help="Season file.")],
    target: Annotated[str | None, typer.Option("--target", help="Cluster, as of open_cluster.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="How many; default: 2.")] = None,
    picture: Annotated[Path | None, typer.Option("--plot", help="Map of the probability.")] = None,
) -> None:
    """Count a season's occurrences by orbit, exactly, and map their probability."""
    from helio_burst import cluster
    from helio_burst.season import job

    asked = job.read_job(path)
    with cluster.open_cluster(target, workers=workers) as client:
        result = job.run_job(asked, client=client)
    notes.print(f"{path}: {result.attrs.get('certificate', '')}")
    if asked.out:
        notes.print(f"Wrote {asked.out}")
    if picture is not None:
        from helio_burst.cli.picture import draw

        draw(result, str(picture), "prob")
        notes.print(f"Drew {picture}")


def sweep(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="With a cell tagged parameters.")],
    parameters: Annotated[
        Path, typer.Option("--parameters", help="CSV: a column for each parameter, a row for each run.")
    ],
    out: Annotated[
        str, typer.Option("--out", help="Folder or s3:// address for executed notebooks and table.csv.")
    ] = "out/sweep",
    target: Annotated[str | None, typer.Option("--target", help="Cluster, as of open_cluster.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="How many run at the same time; default: 2.")
    ] = None,
    time_limit: Annotated[str | None, typer.Option("--time-limit", help="Of one run, as '30 min'.")] = None,
) -> None:
    """Run a notebook once for each row of a table; the same command again does what is left."""
    import pandas as pd

    from helio_burst import cluster
    from helio_burst.errors import InputError
    from helio_burst.sweep import sweep as run_sweep

    try:
        # Dates stay text, as they would be on papermill's own command line.
        table = pd.read_csv(parameters)
    except (OSError, ValueError) as error:
        raise InputError(f"Could not read the parameters {parameters}: {error}") from error
    with cluster.open_cluster(target, workers=workers) as client:
        done = run_sweep(notebook, table, out, client=client, time_limit=time_limit)
    show(done, Format.TABLE)
    notes.print(f"Executed notebooks and table.csv are in {out}")
    if done["error"].notna().any():
        raise typer.Exit(1)


def prices() -> None:
    """Show the price table by which runs count what they cost."""
    from helio_burst.cluster.prices import read_prices

    for name, value in read_prices():
        results.print(f"{name.replace('_', ' ')}: {value}")


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the result.")] = Path("out"),
    images: Annotated[int, typer.Option("--images", min=2, help="How many synthetic images.")] = 48,
    pixels: Annotated[int, typer.Option("--pixels", min=64, help="Pixels along a side of an image.")] = 4096,
) -> None:
    """Run the whole line on this machine, on synthetic images in an S3 server of its own."""
    from helio_burst.cli import demonstration

    demonstration.run(out, images, pixels)
