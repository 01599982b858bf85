"""The whole line on one machine: an archive in an S3 server, a job on a local cluster, a plot."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.text import Text

from helio_burst import burst, catalog, cluster, readers, storage
from helio_burst.cli.output import notes, size
from helio_burst.cli.picture import save_figure
from helio_burst.demo import archive
from helio_burst.demo.server import EmbeddedS3
from helio_burst.plot import time_series
from helio_burst.science import solar


def run(out: Path, images: int, pixels: int) -> None:
    """Make an archive of synthetic images, map a function over it, save and plot the result.

    Parameters
    ----------
    out : Path
        Folder for irradiance.nc and irradiance.png.
    images : int
        How many images the archive's day has.
    pixels : int
        Along each side of an image.
    """
    out.mkdir(parents=True, exist_ok=True)
    notes.print(Rule("HelioBurst: from a catalog to a plot, on this machine", align="left"))
    with EmbeddedS3() as server:
        storage.use(server.options)
        try:
            registry = _fill(server, images, pixels)
            irradiance = _burst(registry, out)
        finally:
            storage.use(None)
    mean = irradiance["irradiance"]
    ax = time_series(mean)
    ax.set_title("Mean intensity of synthetic AIA-like images at 193 angstrom", loc="left")
    save_figure(ax, str(out / "irradiance.png"))
    notes.print(Text.assemble("5  Drew ", (str(out / "irradiance.png"), "bold")))
    notes.print("The images are synthetic: a model with photon noise, no observation.", style="dim")


def _fill(server: EmbeddedS3, images: int, pixels: int) -> str:
    notes.print(f"1  An S3 server of this process's own, at {server.url}")
    notes.print(f"2  {images} synthetic images, {pixels} x {pixels} pixels, as FITS files in a bucket:")
    columns = (TextColumn("  "), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes, transient=True) as bar:
        task = bar.add_task("", total=images)
        return archive.fill(
            server,
            count=images,
            cadence=f"{86_400 // images}s",
            size=pixels,
            progress=lambda done, total: bar.update(task, completed=done),
        )


def _burst(registry: str, out: Path) -> xr.Dataset:
    files = catalog.open_registry(registry).open_catalog(archive.CATALOG).file_list(archive.ID)
    notes.print(f"3  The catalog lists {len(files)} files, {size(float(files['filesize'].sum()))}")
    with cluster.open_cluster("local", workers=2, cores=1) as client:
        notes.print("4  Their mean intensity, on a Dask cluster of two worker processes:")
        outcome = burst.map_files(solar.mean_intensity, files, read=readers.fits, client=client)
    saved = outcome.save(str(out / "irradiance.nc"), name="irradiance")
    notes.print(Text.assemble("   Wrote ", (saved, "bold")))
    return outcome.to_xarray(name="irradiance")
