"""What the fault tests break on purpose: a cluster of real processes, a proxy before the S3 endpoint."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Client

_QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "20s"}


def until(condition: Callable[[], Any], what: str, seconds: float = 90.0) -> Any:
    """Poll until a condition holds; return what it returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


class BreakableCluster:
    """A scheduler and workers, each a process of its own, as on a real cluster."""

    def __init__(self, folder: Path, workers: int = 2, memory: str = "2 GiB") -> None:
        self.file = folder / f"scheduler-{random.getrandbits(32):x}.json"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("dask_scheduler", "--port", "0", "--no-dashboard")
        for _ in range(workers):
            self._start(
                "dask_worker",
                "--nthreads",
                "1",
                "--nworkers",
                "1",
                "--memory-limit",
                memory,
                "--no-dashboard",
            )

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"distributed.cli.{program}",
                "--scheduler-file",
                str(self.file),
                *arguments,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            env=os.environ | _QUIET | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._processes.append(process)
        return process

    def client(self) -> Client:
        until(self.file.exists, "the scheduler's file")
        client = Client(scheduler_file=str(self.file))
        client.wait_for_workers(1, timeout=60)
        return client

    def worker_pids(self, client: Client) -> list[int]:
        return list(client.run(os.getpid, on_error="ignore").values())

    def close(self) -> None:
        for process in self._processes:  # nannies take their workers along
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class FaultyProxy:
    """Passes requests on to an S3 endpoint, and spoils a given share of the reads.

    Parameters
    ----------
    rates : dict
        Share of GET requests, by what is done to them: "500", "503", "reset", "truncate", "slow".

    Attributes
    ----------
    is_down : bool
        Hang up on every request, as a server that is down.
    spoiled : Counter
        What was done to how many requests.
    """

    def __init__(self, target: str, rates: dict[str, float], seed: int = 0) -> None:
        self.rates = rates
        self.spoiled: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._host = urlsplit(target).netloc
        self.is_down = False
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                proxy._pass_on(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _any  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: object) -> None:
                return

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _fate(self) -> str:
        with self._lock:
            drawn = self._random.random()
            for fate, rate in self.rates.items():
                drawn -= rate
                if drawn < 0:
                    self.spoiled[fate] += 1
                    return fate
        return ""

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        if self.is_down:  # the port is kept, so that nobody else takes it meanwhile
            self.spoiled["down"] += 1
            self._hang_up(request)
            return
        fate = self._fate() if request.command == "GET" else ""
        if fate in ("500", "503"):
            self._answer(request, int(fate), b"<Error><Code>SlowDown</Code></Error>")
            return
        if fate == "reset":
            self._hang_up(request)
            return
        if fate == "slow":
            threading.Event().wait(0.5)
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        upstream = http.client.HTTPConnection(self._host, timeout=60)
        upstream.request(request.command, request.path, body, dict(request.headers))
        answer = upstream.getresponse()
        data = answer.read()
        headers = {
            k: v for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")
        }
        upstream.close()
        if fate == "truncate" and len(data) > 10:
            self._answer(
                request, answer.status, data[: len(data) // 2], {**headers, "Content-Length": str(len(data))}
            )
            request.wfile.flush()
            self._hang_up(request)
            return
        self._answer(request, answer.status, data, headers)

    def _hang_up(self, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        with contextlib.suppress(OSError):
            request.connection.shutdown(socket.SHUT_RDWR)

    def _answer(
        self, request: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str] | None = None
    ) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        if "content-length" not in {name.lower() for name in headers or {}}:
            request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)


class Killer:
    """Kills worker processes at random moments, in a thread, until it is told to stop."""

    def __init__(self, cluster: BreakableCluster, seed: int, every: tuple[float, float]) -> None:
        self.kills = 0
        self._cluster = cluster
        self._random = random.Random(seed)
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._kill, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _kill(self) -> None:
        with self._cluster.client() as client:
            while not self._stop.wait(self._random.uniform(*self._every)):
                pids = self._cluster.worker_pids(client)
                if len(pids) > 1:  # one is left, so that the run goes on meanwhile
                    os.kill(self._random.choice(pids), signal.SIGKILL)
                    self.kills += 1


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a given size; needs root."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)
