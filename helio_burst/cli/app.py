"""The program `helio-burst`: its commands, and how an error becomes one line."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from helio_burst import __version__
from helio_burst.cli import catalogs, detached, jobs
from helio_burst.cli.output import notes
from helio_burst.errors import HelioBurstError, InputError


def _warn(message: Warning | str, *place: Any, **written: Any) -> None:
    """Say a warning as a person reads it, without the line of code that gave it."""
    notes.print(Text.assemble(("warning:", "bold yellow"), f" {message}"))


class _OneLineErrors(TyperGroup):
    """Commands that report the package's own errors and warnings as one line each.

    The exit code is 2 for a wrong request and 1 for what went wrong while it was carried out.
    """

    def invoke(self, ctx: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            return self._invoke(ctx)

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HelioBurstError as error:
            if ctx.params.get("debug"):
                raise
            notes.print(Text.assemble(("error:", "bold red"), f" {error}"))
            raise typer.Exit(2 if isinstance(error, InputError) else 1) from error
        except KeyboardInterrupt as interrupt:
            for note in getattr(interrupt, "__notes__", ()):
                notes.print(note)
            raise


app = typer.Typer(
    name="helio-burst",
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"helio-burst {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Burst an analysis over a year of spacecraft files: catalog, files, map, xarray, plot."""


FIND, RUN, LEAVE = "Find data", "Run", "Run without waiting"
app.command("catalogs", rich_help_panel=FIND)(catalogs.list_catalogs)
app.command("entries", rich_help_panel=FIND)(catalogs.list_entries)
app.command("files", rich_help_panel=FIND)(catalogs.list_files)
app.command("lint", rich_help_panel=FIND)(catalogs.lint)
app.command("run", rich_help_panel=RUN)(jobs.run)
app.command("estimate", rich_help_panel=RUN)(jobs.estimate)
app.command("plot", rich_help_panel=RUN)(jobs.plot)
app.command("season", rich_help_panel=RUN)(jobs.season)
app.command("sweep", rich_help_panel=RUN)(jobs.sweep)
app.command("prices", rich_help_panel=RUN)(jobs.prices)
app.command("demo", rich_help_panel=RUN)(jobs.demo)
app.command("submit", rich_help_panel=LEAVE)(detached.submit)
app.command("status", rich_help_panel=LEAVE)(detached.status)
app.command("logs", rich_help_panel=LEAVE)(detached.logs)
app.command("fetch", rich_help_panel=LEAVE)(detached.fetch)
app.command("cancel", rich_help_panel=LEAVE)(detached.cancel)
app.command("resume", rich_help_panel=LEAVE)(detached.resume)
app.command("list", rich_help_panel=LEAVE)(detached.list_jobs)
app.command("replay", rich_help_panel=LEAVE)(detached.replay)


def main() -> None:
    """Run the command line; the entry point of the program."""
    app()
