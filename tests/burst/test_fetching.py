"""Fetching ahead: how far, in which order, and over the end of a batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from distributed import Client, LocalCluster

from helio_burst import map_files, readers
from helio_burst.burst import fetching
from helio_burst.burst.fetching import Fetches
from helio_burst.burst.items import as_table, rows
from helio_burst.burst.job import Content, Job
from helio_burst.errors import MissingObjectError


def _fetches(keys: list[str], sizes: int, read: Any = readers.raw, at_last: Any = None) -> Fetches:
    table = as_table(pd.DataFrame({"datakey": keys, "filesize": sizes}), "files")
    return Fetches(Job(len, read), rows(table), at_last)


def test_bytes_come_in_order_and_the_last_is_announced_once() -> None:
    announced: list[int] = []
    fetches = _fetches([f"data:,{i}" for i in range(40)], 1, at_last=lambda: announced.append(len(taken)))
    taken: list[bytes] = []
    while len(taken) < 40:
        taken += [fetches.take().data]
    assert taken == [str(i).encode() for i in range(40)]
    assert announced == [39]


def test_no_more_than_the_window_is_fetched_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(Job, "fetch", lambda self, key: fetched.append(key) or Content(key.encode()))
    size = fetching.AHEAD_BYTES // 4
    fetches = _fetches([f"data:,{i}" for i in range(20)], size)
    begun = len(fetches._begun)
    assert begun == 4
    fetches.take()
    fetches.close()
    assert len(fetched) <= begun + 1


def test_a_file_larger_than_the_window_is_fetched_alone() -> None:
    fetches = _fetches(["data:,a", "data:,b"], 2 * fetching.AHEAD_BYTES)
    assert len(fetches._begun) == 1
    assert [fetches.take().data, fetches.take().data] == [b"a", b"b"]


def test_one_that_cannot_be_had_is_an_error_at_its_turn(tmp_path: Path) -> None:
    fetches = _fetches(["data:,a", str(tmp_path / "absent"), "data:,c"], 1)
    assert fetches.take().data == b"a"
    with pytest.raises(MissingObjectError):
        fetches.take()
    assert fetches.take().data == b"c"


def test_a_reader_that_wants_no_bytes_gets_none() -> None:
    assert _fetches(["absent"], 1, readers.row).take().data == b""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve any path, and note each in a log."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _note(tmp_path / "log", f"get {self.path.strip('/')}")
            self.send_response(200)
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(b"x")

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


def _note(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(line + "\n")


def test_the_next_batch_fetches_while_this_one_works_but_waits_for_its_turn(
    server: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def works(data: tuple[str, bytes], log: str) -> int:
        """End when the next file has been asked for, or much later."""
        import time

        number = int(data[0].rsplit("/", 1)[1])
        with open(log, "a+") as file:
            file.write(f"begin {number:02d}\n")
            file.flush()
            deadline = time.monotonic() + 30
            while number < 11 and time.monotonic() < deadline:
                file.seek(0)
                if f"get {number + 1:02d}" in file.read():
                    break
                time.sleep(0.02)
            file.write(f"end {number:02d}\n")
        return 0

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        outcome = map_files(
            works,
            [f"{server}/{i:02d}" for i in range(12)],
            read=lambda data, row: (row.datakey, data),
            options={"log": str(log)},
            client=client,
            progress=False,
        )
    assert outcome.failures.empty
    lines = log.read_text().splitlines()
    # One thread works on one file at a time, in order ...
    worked = [line for line in lines if not line.startswith("get")]
    assert worked == [f"{what} {i:02d}" for i in range(12) for what in ("begin", "end")]
    # ... and each file was asked for before the one ahead of it was done.
    for i in range(1, 12):
        assert lines.index(f"get {i:02d}") < lines.index(f"end {i - 1:02d}")
