"""Copies stay whole while several processes read and the file changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from helio_burst import storage
from helio_burst.catalog import cache
from helio_burst.demo.server import EmbeddedS3

READ = """
import sys
from helio_burst.catalog import cache
for _ in range(15):
    data = cache.read(sys.argv[1])
    assert len(data) == 200_000 and len(set(data)) == 1, (len(data), set(data))
"""


def test_several_processes(s3: EmbeddedS3, cache_folder: Path) -> None:
    s3.create_bucket("copies")
    url = "s3://copies/index.csv"
    storage.write(url, b"0" * 200_000)
    readers = [
        subprocess.Popen([sys.executable, "-c", READ, url], env=os.environ, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    number = 0
    while any(reader.poll() is None for reader in readers):
        number += 1
        storage.write(url, bytes([48 + number % 10]) * 200_000)
    for reader in readers:
        _, error = reader.communicate(timeout=60)
        assert reader.returncode == 0, error.decode()
    storage.write(url, b"x" * 200_000)
    assert cache.read(url) == b"x" * 200_000
    copies = [path for path in cache_folder.rglob("*") if path.is_file()]
    assert not [path for path in copies if path.name.startswith(".new-")]
    for path in copies:
        os.utime(path, (0, 0))
    storage.write(url, b"y" * 200_000)
    assert cache.read(url) == b"y" * 200_000
    assert [path.read_bytes()[:1] for path in cache_folder.rglob("*") if path.is_file()] == [b"y"]
