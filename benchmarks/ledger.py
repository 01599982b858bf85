"""What the ledger costs: on the FITS job, for 1,000,000 items that do nothing, and to resume them.

    python benchmarks/ledger.py [--items 1000000] [--files 32] [--out benchmarks/results/ledger.json]

The same job with and without store=, in turns, on two worker processes; peak memory is that of the client's
process, which a child of this one is for each measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from distributed import Client, LocalCluster

import helio_burst as hb
from helio_burst import demo, readers, science, storage
from helio_burst.demo import archive


def _nothing(row: Any) -> int:
    return 0


def items(address: str, count: int, store: str | None) -> dict[str, float]:
    """Run the job that does nothing, in this process as the client."""
    files = pd.DataFrame({"datakey": [f"item-{i}" for i in range(count)]})
    with Client(address) as client:
        begin = time.perf_counter()
        outcome = hb.map_files(_nothing, files, read=readers.row, client=client, progress=False, store=store)
        seconds = time.perf_counter() - begin
        assert outcome.progress.done == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(seconds, 2), "peak client MB": round(peak)}


def in_a_child(count: int, store: str | None) -> dict[str, float]:
    """Run `items` in a process of its own, so that its peak memory is its own."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler_address
        command = [sys.executable, __file__, "--child", address, str(count), *([store] if store else [])]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(answer.splitlines()[-1])
    return found


def images(count: int, rounds: int) -> dict[str, Any]:
    """Run the FITS job with and without a ledger, in turns."""
    with demo.EmbeddedS3() as server, tempfile.TemporaryDirectory() as folder:
        os.environ.update(server.environment)
        registry = hb.open_registry(archive.fill(server, count=8))
        catalog = registry.open_catalog(registry.table["name"].iloc[0])
        entry = catalog.entries.iloc[0]
        files = catalog.file_list(entry["id"], entry["start"], entry["stop"])
        keys = list(files["datakey"])
        for i in range(len(keys), count):
            storage.write(f"{keys[i % 8]}.{i}.fits", storage.read(keys[i % 8]))
            keys.append(f"{keys[i % 8]}.{i}.fits")
        table = pd.DataFrame({"datakey": keys, "filesize": int(files["filesize"].mean())})
        taken: dict[bool, list[float]] = {True: [], False: []}
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
            Client(cluster) as client,
        ):
            for turn in range(rounds + 1):
                for with_store in (False, True):
                    store = f"{folder}/{turn}" if with_store else None
                    begin = time.perf_counter()
                    hb.map_files(
                        science.solar.mean_intensity,
                        table,
                        read=readers.fits,
                        client=client,
                        progress=False,
                        store=store,
                    )
                    if turn:
                        taken[with_store].append(time.perf_counter() - begin)
    plain, kept = statistics.median(taken[False]), statistics.median(taken[True])
    return {
        "files": count,
        "seconds without": round(plain, 2),
        "seconds with": round(kept, 2),
        "cost in percent": round(100 * (kept / plain - 1), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ledger.json"))
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        address, count, *store = arguments.child
        print(json.dumps(items(address, int(count), store[0] if store else None)))
        return
    folder = tempfile.mkdtemp()
    try:
        without = in_a_child(arguments.items, None)
        first = in_a_child(arguments.items, folder)
        resumed = in_a_child(arguments.items, folder)
    finally:
        shutil.rmtree(folder)
    results = {
        "title": "The ledger",
        "command": "python benchmarks/ledger.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "items": arguments.items,
        "without a ledger": without,
        "with a ledger": first,
        "cost of the ledger in seconds": round(first["seconds"] - without["seconds"], 2),
        "a finished job again": resumed,
        "images": images(arguments.files, arguments.rounds),
    }
    print(json.dumps(results, indent=2))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
