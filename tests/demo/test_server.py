"""The embedded S3 server ends with its parent, however that ends."""

from __future__ import annotations

import subprocess
import sys

import psutil

PARENT = """
import sys
from helio_burst.demo.server import EmbeddedS3
with EmbeddedS3() as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


def test_it_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    server.wait(timeout=120)
