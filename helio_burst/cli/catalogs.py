"""The commands that find data: catalogs, entries, files, lint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from helio_burst.cli.output import Format, FormatOption, notes, results, show, size

if TYPE_CHECKING:
    import pandas as pd

RegistryOption = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="URL",
        help="Registry to read; 'demo' starts a small synthetic one here. "
        "Default: ROOT_CATALOG_REGISTRY_URL, else HelioCloud's.",
    ),
]
CatalogArgument = Annotated[
    str, typer.Argument(metavar="CATALOG", help="Name or endpoint, as `catalogs` prints.")
]


def list_catalogs(registry: RegistryOption = None, form: FormatOption = Format.TABLE) -> None:
    """List the catalogs of a registry."""
    from helio_burst.cli.sources import open_registry

    show(open_registry(registry).table, form)


def list_entries(
    catalog: CatalogArgument,
    search: Annotated[
        str | None, typer.Option("--search", "-s", help="Words that the id, title, description or tags hold.")
    ] = None,
    registry: RegistryOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the datasets of a catalog."""
    from helio_burst.cli.sources import open_catalog

    opened = open_catalog(catalog, registry)
    entries = opened.search(search) if search else opened.entries
    show(entries, form, columns=["id", "title", "start", "stop", "filetype"])


def list_files(
    catalog: CatalogArgument,
    id: Annotated[str, typer.Argument(help="Dataset, as `entries` prints.")],
    start: Annotated[str, typer.Argument(help="First time, UTC, as 2020-01-01 or 2020-02-17T03.")],
    stop: Annotated[str, typer.Argument(help="Time before which the range ends, UTC.")],
    registry: RegistryOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the files of a dataset in the range [START, STOP)."""
    from helio_burst.cli.sources import open_catalog

    files = open_catalog(catalog, registry).file_list(id, start, stop)
    show(files, form, columns=["start", "stop", "datakey", "filesize"])
    notes.print(f"{len(files):,} files, {size(float(files['filesize'].sum()))}")


def lint(
    endpoint: Annotated[
        str,
        typer.Argument(help="Endpoint, as s3://bucket/; JSON of a catalog or a registry; or an index file."),
    ],
    form: FormatOption = Format.TABLE,
) -> None:
    """Check a catalog and its index files: what is wrong, where, and the repair.

    The exit code is 1 if there is an error or a warning; notes are advice.
    """
    from helio_burst import catalog

    findings = catalog.lint(endpoint)
    if form is Format.TABLE:
        _print_findings(findings)
    else:
        show(findings, form)
    if not len(findings):
        notes.print(f"Nothing is wrong with {endpoint}.", style="green")
    if (findings["severity"] != "note").any():
        raise typer.Exit(1)


def _print_findings(findings: pd.DataFrame) -> None:
    """Write findings as compilers do, so that editors find the place."""
    import pandas as pd

    for found in findings.to_dict("records"):
        place = found["file"] if pd.isna(found["line"]) else f"{found['file']}:{found['line']}"
        entry = f" (entry {found['entry']})" if found["entry"] else ""
        results.print(f"{place}: {found['severity']}: {found['problem']} {found['repair']}{entry}")
