"""Seasonal occurrence against pysatSeasons, and a year on two workers against reading its files.

    python benchmarks/season.py [--days 31] [--year 365] [--out benchmarks/results/season.json]

Compared are CPU seconds of one process on the same files in the same run; that both give the same bits is
checked. pysatSeasons needs the extra season-pysat, and minutes. The files are made up (season.make_vefi):
1 Hz, compressed, as large as the true ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from distributed import Client, LocalCluster

from helio_burst import season

START = pd.Timestamp("2010-01-01", tz="UTC")
QUESTION: dict[str, Any] = {
    "x": season.Bins(variable="longitude", start=0, stop=360, number=144),
    "y": season.Bins(variable="latitude", start=-13, stop=13, number=104),
    "gates": {"dB_mer": 0.0},
}
NAMES = ("longitude", "latitude", "dB_mer")


def whole(days: int) -> SimpleNamespace:
    stop = START + pd.Timedelta(days=days)
    return SimpleNamespace(start=START, stop=stop, padded_start=START, padded_stop=stop)


def fast(folder: str, days: int) -> tuple[season.Tally, float]:
    files = season.pysat_files(folder)
    began = time.process_time()
    read = season.FileDays(files, NAMES, read=season.read_vefi)
    tally = season.orbit_tally(whole(days), days=read, **QUESTION)
    return tally, time.process_time() - began


def by_blocks(folder: str, days: int, freq: str) -> tuple[season.Tally, float]:
    table = season.blocks_of(season.seasons(START, START + pd.Timedelta(days=days)), freq)
    read = season.FileDays(season.pysat_files(folder), NAMES, read=season.read_vefi)
    began = time.process_time()
    merged = None
    for partition in table.itertuples():
        part = season.orbit_tally(partition, days=read, **QUESTION)
        merged = part if merged is None else season.merge(merged, part)
    assert merged is not None
    return merged, time.process_time() - began


def stock(folder: str, days: int, out: str) -> None:
    """Run in a child process: pysatSeasons over the whole season, with nothing of ours in it."""
    warnings.simplefilter("ignore")
    pysat = __import__("pysat")
    pysat.params["data_dirs"] = [folder]
    import pysatNASA
    from pysatSeasons.occur_prob import by_orbit2D

    instrument = pysat.Instrument(
        inst_module=pysatNASA.instruments.cnofs_vefi,
        tag="dc_b",
        clean_level="clean",
        orbit_info={"kind": "longitude", "index": "longitude"},
        temporary_file_list=True,
    )
    first = START.tz_localize(None).to_pydatetime()
    instrument.bounds = (first, first + pd.Timedelta(days=days - 1).to_pytimedelta())
    began = time.process_time()
    found = by_orbit2D(instrument, [0, 360, 144], "longitude", [-13, 13, 104], "latitude", ["dB_mer"], [0.0])[
        "dB_mer"
    ]
    seconds = time.process_time() - began
    np.savez(out, seconds=seconds, prob=found["prob"], count=found["count"])


def against_pysat(folder: str, days: int) -> dict[str, Any]:
    fast(folder, 2)  # imports and caches
    ours, seconds = min((fast(folder, days) for _ in range(3)), key=lambda run: run[1])
    merged, merged_seconds = by_blocks(folder, days, "7D")
    with tempfile.TemporaryDirectory() as home:
        out = os.path.join(home, "stock.npz")
        command = [sys.executable, "-W", "ignore", __file__, "--stock", folder, out, "--days", str(days)]
        subprocess.run(command, check=True, env={**os.environ, "HOME": home}, stderr=subprocess.DEVNULL)
        theirs = np.load(out)
    ours_prob = season.probability(ours)["prob"].to_numpy()
    return {
        "days": days,
        "pysatSeasons_cpu_seconds": float(theirs["seconds"]),
        "one_block_cpu_seconds": seconds,
        "7_day_blocks_cpu_seconds": merged_seconds,
        "ratio": float(theirs["seconds"]) / seconds,
        "bit_equal": bool(np.array_equal(ours_prob, theirs["prob"], equal_nan=True))
        and bool(np.array_equal(ours.total[0], theirs["count"])),
        "merged_equal": bool(
            np.array_equal(merged.hits, ours.hits) and np.array_equal(merged.total, ours.total)
        ),
    }


def _read_one(partition: Any, days: season.FileDays) -> int:
    count = 0
    for day in range(partition.start.value // season.orbits.DAY, partition.stop.value // season.orbits.DAY):
        rows = days(day)
        count += 0 if rows is None else len(rows.time)
    return count


def _cpu(client: Client) -> float:
    """CPU seconds of all workers so far."""
    return sum(client.run(time.process_time).values())


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def year(folder: str, days: int) -> dict[str, Any]:
    from helio_burst.burst import map_partitions

    stop = START + pd.Timedelta(days=days)
    files = season.pysat_files(folder)
    table = season.blocks_of(season.seasons(START, stop), "14D")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        season.occurrence(
            files,
            START,
            START + pd.Timedelta(days=4),
            read=season.read_vefi,
            freq="1D",
            client=client,
            progress=False,
            **QUESTION,
        )  # imports on the workers
        idle = max(client.run(_peak_memory).values())
        began, cpu = time.perf_counter(), _cpu(client)
        read = partial(_read_one, days=season.FileDays(files, NAMES, read=season.read_vefi))
        map_partitions(read, table, client=client, combine=sum_of, progress=False)
        reading, reading_cpu = time.perf_counter() - began, _cpu(client) - cpu
        began, cpu = time.perf_counter(), _cpu(client)
        result = season.occurrence(
            files, START, stop, read=season.read_vefi, client=client, progress=False, **QUESTION
        )
        counting, counting_cpu = time.perf_counter() - began, _cpu(client) - cpu
        peak = max(client.run(_peak_memory).values())
    return {
        "days": days,
        "orbits": int(result.attrs["number_of_orbits"]),
        "certificate": result.attrs["certificate"],
        "reading_seconds": reading,
        "occurrence_seconds": counting,
        "occurrence_over_reading": counting / reading,
        "reading_cpu_seconds": reading_cpu,
        "occurrence_cpu_seconds": counting_cpu,
        "occurrence_over_reading_cpu": counting_cpu / reading_cpu,
        "worker_memory_before_MiB": idle,
        "worker_memory_peak_MiB": peak,
    }


def sum_of(one: int, other: int) -> int:
    return one + other


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=31, help="days against pysatSeasons")
    parser.add_argument("--year", type=int, default=365, help="days on two workers; 0 leaves it out")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results" / "season.json"))
    parser.add_argument("--stock", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stock:
        stock(given.stock[0], given.days, given.stock[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        length = max(given.days, given.year)
        print(f"making {length} days of files", flush=True)
        season.make_vefi(folder, START, START + pd.Timedelta(days=length))
        results: dict[str, Any] = {
            "title": "Seasonal occurrence",
            "command": "python benchmarks/season.py",
        }
        results |= {"against_pysatSeasons": against_pysat(folder, given.days)}
        if given.year:
            results["two_workers"] = year(folder, given.year)
    results["machine"] = {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": sys.version.split()[0],
    }
    for part, numbers in list(results.items())[2:]:
        print(f"\n{part}")
        for name, value in numbers.items():
            print(f"  {name:28} {value:.3f}" if isinstance(value, float) else f"  {name:28} {value}")
    Path(given.out).parent.mkdir(parents=True, exist_ok=True)
    Path(given.out).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
