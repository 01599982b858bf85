"""map_files over 64 Rice-compressed images of 4096 x 4096 pixels, and over 130,000 items that do nothing.

    python benchmarks/map_files.py [--files 64] [--rounds 3] [--out benchmarks/results/map_files.json]

Three ways over the same files, taken in turns on two worker processes with one thread each:

in memory
    decode and mean, the bytes being in the worker's memory already: the most there can be
map_files
    from a local S3 endpoint (moto server, a process on the same two cores), with all that map_files
    does: batches, fetching ahead, failures, progress, assembly
plain
    the way of many notebooks: one boto3 session a file, astropy.io.fits.open, one task a file, gather

The endpoint takes its share of the two cores, which is said as CPU seconds a file.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from distributed import Client, LocalCluster, get_worker

import helio_burst as hb
from helio_burst import demo, readers, science, storage
from helio_burst.demo import archive


def plain(url: str) -> float:
    import boto3
    from astropy.io import fits

    bucket, _, key = url.removeprefix("s3://").partition("/")
    body = boto3.session.Session().client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with fits.open(io.BytesIO(body)) as hdus:
        return float(hdus[1].data.mean())


def keep(urls: list[str]) -> int:
    """Bring some files into this worker's memory."""
    worker = get_worker()
    worker.kept = [storage.read(url) for url in urls]
    return len(worker.kept)


def from_memory(count: int) -> float:
    kept = get_worker().kept
    return sum(float(science.solar.mean_intensity(readers.fits(kept[i % len(kept)]))) for i in range(count))


def seconds_of(action: Any) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def images(count: int, rounds: int) -> dict[str, Any]:
    with demo.EmbeddedS3() as server:
        os.environ.update(server.environment)
        registry = archive.fill(server, count=min(count, 16))
        entry = hb.open_registry(registry)
        catalog = entry.open_catalog(entry.table["name"].iloc[0])
        ids = catalog.entries
        files = catalog.file_list(ids["id"].iloc[0], ids["start"].iloc[0], ids["stop"].iloc[0])
        # The archive holds some images; the list names each of them several times, as other files.
        source = list(files["datakey"])
        for i in range(len(source), count):
            key = source[i % len(source)]
            storage.write(f"{key}.{i}.fits", storage.read(key))
            source.append(f"{key}.{i}.fits")
        size = int(files["filesize"].mean())
        table = pd.DataFrame({"datakey": source, "filesize": size})
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
            Client(cluster) as client,
        ):
            workers = list(client.nthreads())
            client.gather([client.submit(keep, source[:4], workers=[w], pure=False) for w in workers])

            def in_memory() -> None:
                half = count // 2
                client.gather([client.submit(from_memory, half, workers=[w], pure=False) for w in workers])

            def ours() -> None:
                outcome = hb.map_files(
                    science.solar.mean_intensity, table, read=readers.fits, client=client, progress=False
                )
                assert len(outcome.to_xarray(name="irradiance").irradiance) == count

            def theirs() -> None:
                client.gather(client.map(plain, source, pure=False))

            ways = {"in memory": in_memory, "map_files": ours, "plain": theirs}
            for way in ways.values():
                way()
            taken: dict[str, list[float]] = {name: [] for name in ways}
            served = cpu_of(server.pid)
            for _ in range(rounds):
                for name, way in ways.items():
                    taken[name].append(seconds_of(way))
            served = (cpu_of(server.pid) - served) / (2 * rounds * count)
    best = {name: count / statistics.median(times) for name, times in taken.items()}
    return {
        "files": count,
        "megabytes a file": round(size / 1e6, 1),
        "files per second": {name: round(rate, 2) for name, rate in best.items()},
        "map_files to in memory": round(best["map_files"] / best["in memory"], 2),
        "map_files to plain": round(best["map_files"] / best["plain"], 2),
        "CPU seconds a file of the S3 endpoint": round(served, 4),
    }


def nothing(rounds: int) -> dict[str, Any]:
    files = pd.DataFrame({"datakey": [f"item-{i}" for i in range(130_000)]})
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        taken = [
            seconds_of(
                lambda: hb.map_files(lambda row: 0, files, read=readers.row, client=client, progress=False)
            )
            for _ in range(rounds)
        ]
    return {"items": 130_000, "seconds": round(statistics.median(taken), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/map_files.json"))
    arguments = parser.parse_args()
    results = {
        "title": "map_files",
        "command": "python benchmarks/map_files.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "images": images(arguments.files, arguments.rounds),
        "items that do nothing": nothing(arguments.rounds),
    }
    print(json.dumps(results, indent=2))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
