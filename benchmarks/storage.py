"""Whole objects of 14 MB from a local S3 endpoint, with every client there is.

    python benchmarks/storage.py [--rounds 40] [--out benchmarks/results/storage.json]

Compared are megabytes a CPU second of the reading process (the server is another one): the median of rounds
in which all clients take their turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import obstore
import s3fs
from obstore.store import S3Store

from helio_burst import storage
from helio_burst.demo.server import EmbeddedS3

SIZE = 14_000_000
URL = "s3://benchmark/object"


def clients() -> dict[str, Callable[[], Any]]:
    store = S3Store("benchmark", client_options={"allow_http": True})
    kept = boto3.client("s3")
    files = s3fs.S3FileSystem()
    return {
        "helio_burst.storage.read_buffer": lambda: storage.read_buffer(URL),
        "helio_burst.storage.read": lambda: storage.read(URL),
        "obstore": lambda: obstore.get(store, "object").bytes(),
        "obstore, copied to bytes": lambda: obstore.get(store, "object").bytes().to_bytes(),
        "boto3, one client": lambda: kept.get_object(Bucket="benchmark", Key="object")["Body"].read(),
        "s3fs": lambda: files.cat_file("benchmark/object"),
        "boto3, one session a file": lambda: (
            boto3.Session().client("s3").get_object(Bucket="benchmark", Key="object")["Body"].read()
        ),
    }


def measure(rounds: int) -> list[dict[str, Any]]:
    data = np.random.default_rng(0).bytes(SIZE)
    storage.write(URL, data)
    calls = clients()
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    wall: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        assert bytes(call()) == data
    for number in range(rounds):
        for name, call in calls.items():
            if "session" in name and number % 8:
                continue  # ten times slower than the others
            began, clock = time.process_time(), time.perf_counter()
            call()
            cpu[name].append(time.process_time() - began)
            wall[name].append(time.perf_counter() - clock)
    base = statistics.median(cpu["helio_burst.storage.read_buffer"])
    return [
        {
            "client": name,
            "CPU ms": round(1e3 * statistics.median(cpu[name]), 2),
            "wall ms": round(1e3 * statistics.median(wall[name]), 2),
            "MB a CPU second": round(SIZE / 1e6 / statistics.median(cpu[name])),
            "CPU to ours": round(statistics.median(cpu[name]) / base, 2),
        }
        for name in calls
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/storage.json"))
    arguments = parser.parse_args()
    with EmbeddedS3() as server:
        os.environ.update(server.environment)
        server.create_bucket("benchmark")
        rows = measure(arguments.rounds)
    for row in rows:
        print("{client:42} {CPU ms:8.2f} ms CPU {wall ms:8.2f} ms {MB a CPU second:6} MB/CPU s".format(**row))
    result = {
        "title": "Storage clients",
        "command": "python benchmarks/storage.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "rounds": arguments.rounds,
        "clients": rows,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
