"""Six days of a satellite, counted in one piece and in blocks of a day: the two maps are the same picture.

    python examples/seasonal_occurrence.py [--data DIR] [--out out/season]

Where do magnetic perturbations happen? For each bin of longitude and latitude: in what part of the
orbits through it did dB_mer exceed 0? The data are made up in the form of C/NOFS VEFI files, unless
--data names a pysat data directory with true ones. "full" is pysatSeasons' own by_orbit2D over all days
(or one walk of ours, without pysat), "agg" is merged from blocks of one day that a Dask cluster counted,
"multiplied" is what multiplying the blocks' probabilities gives, and is wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from helio_burst import open_cluster, plot, season

START, STOP = "2010-05-09", "2010-05-15"
LONGITUDE = season.Bins(variable="longitude", start=0, stop=360, number=144)
LATITUDE = season.Bins(variable="latitude", start=-13, stop=13, number=104)
GATES = {"dB_mer": 0.0}


def in_blocks(files: pd.DataFrame) -> xr.Dataset:
    """Count each day on a cluster of two workers, and merge."""
    with open_cluster(workers=2) as client:
        return season.occurrence(
            files,
            START,
            STOP,
            x=LONGITUDE,
            y=LATITUDE,
            gates=GATES,
            read=season.read_vefi,
            freq="1D",
            client=client,
        )


def in_one_piece(files: pd.DataFrame, folder: str) -> tuple[xr.Dataset, str]:
    """Count all days in one walk, with pysatSeasons if it is installed."""
    days = season.FileDays(files, ["longitude", "latitude", "dB_mer"], read=season.read_vefi)
    (whole,) = season.blocks_of(season.seasons(START, STOP), "1000D").itertuples()
    ours = season.probability(season.orbit_tally(whole, days=days, x=LONGITUDE, y=LATITUDE, gates=GATES))
    if importlib.util.find_spec("pysatSeasons") is None:
        return ours, "one walk"
    # In a process of its own: pysat writes its settings to the home directory.
    with tempfile.TemporaryDirectory() as home:
        found = str(Path(home, "full.npz"))
        command = [sys.executable, "-W", "ignore", __file__, "--data", folder, "--stock", found]
        done = subprocess.run(command, env={**os.environ, "HOME": home}, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"pysatSeasons could not count the season:\n{done.stderr}")
        stock = np.load(found)
        return ours.assign(
            prob=ours["prob"].copy(data=stock["prob"]),
            count=ours["count"].copy(data=stock["count"].astype("i4")),
        ), "pysatSeasons"


def stock(folder: str, out: str) -> None:
    """Run pysatSeasons as its documentation does, with nothing of this package."""
    import pysat

    pysat.params["data_dirs"] = folder
    import pysatNASA
    from pysatSeasons.occur_prob import by_orbit2D

    vefi = pysat.Instrument(
        inst_module=pysatNASA.instruments.cnofs_vefi,
        tag="dc_b",
        clean_level="clean",
        orbit_info={"kind": "longitude", "index": "longitude"},
        temporary_file_list=True,
    )
    last = pd.Timestamp(STOP) - pd.Timedelta(days=1)
    vefi.bounds = (pd.Timestamp(START).to_pydatetime(), last.to_pydatetime())
    found = by_orbit2D(vefi, [0, 360, 144], "longitude", [-13, 13, 104], "latitude", ["dB_mer"], [0.0])
    np.savez(out, prob=found["dB_mer"]["prob"], count=found["dB_mer"]["count"])


def multiplied(files: pd.DataFrame) -> xr.DataArray:
    """Do what must not be done: multiply the days' probabilities, bin by bin."""
    days = season.FileDays(files, ["longitude", "latitude", "dB_mer"], read=season.read_vefi)
    product = None
    for block in season.blocks_of(season.seasons(START, STOP), "1D").itertuples():
        tally = season.orbit_tally(block, days=days, x=LONGITUDE, y=LATITUDE, gates=GATES)
        with np.errstate(invalid="ignore"):
            of_day = tally.hits[0] / tally.total[0]
        # A bin that was not seen on a day says nothing about it.
        factor = np.where(np.isnan(of_day), 1.0, of_day)
        product = factor if product is None else product * factor
    return xr.DataArray(product, dims=("latitude", "longitude"))


def draw(data: xr.DataArray, title: str, path: Path, **limits: object) -> None:
    """Draw one map."""
    figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
    plot.bin_map(data, ax=ax, **limits)
    ax.set_title(title)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)


def main() -> int:
    """Count, draw and compare; 0 if the pictures are equal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="pysat data directory; by default files are made up")
    parser.add_argument("--out", default="out/season", help="folder for the pictures")
    parser.add_argument("--stock", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stock:
        stock(given.data, given.stock)
        return 0
    out = Path(given.out)
    out.mkdir(parents=True, exist_ok=True)
    folder = given.data or str(out / "data")
    if given.data is None:
        season.make_vefi(folder, START, STOP)
    files = season.pysat_files(folder)

    agg = in_blocks(files)
    full, how = in_one_piece(files, folder)
    wrong = agg["prob"].copy(data=multiplied(files).to_numpy()).where(agg["count"] > 0)
    difference = (agg["prob"] - full["prob"]).assign_attrs(long_name="difference of probability", units="1")
    agg.to_netcdf(out / "season.nc")

    title = f"dB_mer > 0 nT by orbit, {START} to {STOP}"
    draw(full["prob"], title, out / "full.png")
    draw(agg["prob"], title, out / "agg.png")
    draw(difference, "agg - full", out / "difference.png", vmin=-1, vmax=1, cmap="RdBu_r")
    draw(wrong, "WRONG: the days' probabilities multiplied", out / "multiplied.png")

    seen = int((full["count"] > 0).sum())
    equal = np.array_equal(plt.imread(out / "full.png"), plt.imread(out / "agg.png"))
    off = int(((wrong != full["prob"]) & (full["count"] > 0)).sum())
    differ = int((difference.fillna(0) != 0).sum())
    print(f"full (by {how}) and agg: {differ} of {seen} bins differ")
    print(f"full.png and agg.png are {'equal, pixel by pixel' if equal else 'NOT equal'}")
    print(f"multiplied: {off} of {seen} bins are wrong")
    return 0 if equal and differ == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
