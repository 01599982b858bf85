"""Seasonal occurrence against pysatSeasons, and a year on two workers against reading its files.

    python benchmarks/season.py [--days 31] [--year 365] [--data DIR] [--out benchmarks/results/season.json]

against pysatSeasons
    CPU seconds of one process on the same files in the same run: of one run of pysatSeasons, and the median
    of five runs of ours before it and five after. That both give the same bits is checked.
    It needs the extra season-pysat, and minutes.
two workers
    Two worker processes of one thread each read the files, and count the season, in turns. Reading is the
    least that can be done: each worker has half of the days as one task, and for each day fetches the file,
    decodes what the season needs by the same reader into arrays, and drops them. Counting is the whole call
    of season.occurrence: blocks, padding, orbits, bins, merges, certificate and Dataset.
memory
    The most that a worker held at a time in counting two blocks, above what it holds when idle.

The files are made up (season.make_vefi): 1 Hz, compressed, as large as the true ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from distributed import Client

from helio_burst import open_cluster, season

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
    runs = [fast(folder, days) for _ in range(5)]
    merged, merged_seconds = by_blocks(folder, days, "7D")
    with tempfile.TemporaryDirectory() as home:
        out = os.path.join(home, "stock.npz")
        command = [sys.executable, "-W", "ignore", __file__, "--stock", folder, out, "--days", str(days)]
        done = subprocess.run(command, env={**os.environ, "HOME": home}, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"pysatSeasons could not count the season:\n{done.stderr}")
        theirs = np.load(out)
    runs += [fast(folder, days) for _ in range(5)]
    ours, seconds = runs[0][0], statistics.median(seconds for _, seconds in runs)
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


def read_days(days: season.FileDays, first: int, stop: int) -> int:
    """Fetch and decode the files of the days [first, stop), and do nothing with them; return the rows."""
    return sum(len(rows.time) for rows in map(days, range(first, stop)) if rows is not None)


def reading(client: Client, days: season.FileDays, first: int, stop: int) -> int:
    """Read each file once: every worker has an equal share of the days, as one task."""
    workers = list(client.nthreads())
    edges = np.linspace(first, stop, len(workers) + 1).astype(int).tolist()
    shares = zip(workers, edges[:-1], edges[1:], strict=True)
    tasks = [
        client.submit(read_days, days, *share, workers=[worker], pure=False) for worker, *share in shares
    ]
    return sum(client.gather(tasks))


def counting(client: Client, files: pd.DataFrame, days: int, freq: str | None = None) -> xr.Dataset:
    stop = START + pd.Timedelta(days=days)
    blocks = {"freq": freq} if freq is not None else {}
    return season.occurrence(
        files, START, stop, read=season.read_vefi, client=client, progress=False, **blocks, **QUESTION
    )


def timed(client: Client, work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall seconds, CPU seconds of the workers, and what the work returns."""
    began, cpu = time.perf_counter(), _cpu(client)
    found = work()
    return time.perf_counter() - began, _cpu(client) - cpu, found


def _cpu(client: Client) -> float:
    return sum(client.run(time.process_time).values())


def year(folder: str, days: int, rounds: int = 3) -> dict[str, Any]:
    """Read the files, and count the season, in turns on the same workers; medians are taken."""
    files = season.pysat_files(folder)
    reader = season.FileDays(files, NAMES, read=season.read_vefi)
    first = START.value // season.orbits.DAY
    read_days(reader, first, first + 4)
    began = time.perf_counter()
    rows = read_days(reader, first, first + days)
    alone = time.perf_counter() - began
    reads, counts = [], []
    with open_cluster("local", workers=2, cores=1) as client:
        counting(client, files, 4, "1D")  # what a process does once
        for _ in range(rounds):
            reads.append(timed(client, lambda: reading(client, reader, first, first + days)))
            counts.append(timed(client, lambda: counting(client, files, days)))
    assert {found for _, _, found in reads} == {rows}
    result = counts[0][2]
    ratios = [count[0] / read[0] for read, count in zip(reads, counts, strict=True)]
    read_seconds, read_cpu, count_seconds, count_cpu = (
        statistics.median(run[field] for run in runs) for runs in (reads, counts) for field in (0, 1)
    )
    return {
        "days": days,
        "files": len(files),
        "gigabytes": int(files["filesize"].sum()) / 1e9,
        "rows": rows,
        "orbits": int(result.attrs["number_of_orbits"]),
        "certificate": result.attrs["certificate"],
        "rounds": rounds,
        "reading_in_one_process_seconds": alone,
        "reading_seconds": read_seconds,
        "occurrence_seconds": count_seconds,
        "occurrence_over_reading": statistics.median(ratios),
        "occurrence_over_reading_each_round": ", ".join(f"{ratio:.2f}" for ratio in ratios),
        "reading_cpu_seconds": read_cpu,
        "occurrence_cpu_seconds": count_cpu,
        "occurrence_over_reading_cpu": count_cpu / read_cpu,
    }


def memory(folder: str, most: int) -> dict[str, float]:
    """Return the peak memory of a worker (MiB above that of an idle one), by the length of the blocks."""
    files = season.pysat_files(folder)
    peaks = {}
    for length in (7, 28, 90, 182):
        if 2 * length <= most:
            with open_cluster("local", workers=2, cores=1) as client:
                counting(client, files, 2, "1D")
                idle = max(client.run(_resident, "VmRSS").values())
                counting(client, files, 2 * length, f"{length}D")
                peaks[f"{length} days"] = max(client.run(_resident, "VmHWM").values()) - idle
    return peaks


def _resident(field: str) -> float:
    """Return this process's resident memory in MiB: now (VmRSS), or at most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{field}:"))


def make_files(folder: str, days: int) -> None:
    """Make the files that are not there yet, in two processes."""
    there = Path(folder, "cnofs", "vefi", "dc_b")
    if there.is_dir() and any(there.iterdir()):
        return
    print(f"making {days} days of files", flush=True)
    edges = [START + pd.Timedelta(days=share) for share in (0, days // 2, days)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(season.make_vefi, [folder] * 2, edges[:-1], edges[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=31, help="days against pysatSeasons; 0 leaves it out")
    parser.add_argument("--year", type=int, default=365, help="days on two workers; 0 leaves it out")
    parser.add_argument("--data", help="folder for the files; those that are there are used again")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results" / "season.json"))
    parser.add_argument("--stock", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stock:
        stock(given.stock[0], given.days, given.stock[1])
        return
    results: dict[str, Any] = {"title": "Seasonal occurrence", "command": "python benchmarks/season.py"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.data or temporary
        make_files(folder, max(given.days, given.year))
        if given.days:
            results["against_pysatSeasons"] = against_pysat(folder, given.days)
        if given.year:
            results["two_workers"] = year(folder, given.year)
            results["worker_memory_MiB_by_block"] = memory(folder, given.year)
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
