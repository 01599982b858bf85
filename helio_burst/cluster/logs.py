"""Logs of a cluster, saved while it is still there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import platformdirs
from distributed import Client

from helio_burst.cluster.deadline import within

SECONDS = 10.0


def save_logs(client: Client, name: str, folder: Path | None = None) -> Path:
    """Write the logs of scheduler, nannies and workers to files; return their folder.

    Parameters
    ----------
    client : distributed.Client
        A client of the cluster.
    name : str
        The cluster's name, which the folder gets.
    folder : path, optional
        Where the folder is made; the user's folder for logs if not given.

    Raises
    ------
    TimeoutError, OSError
        If the scheduler does not answer any more, or the files cannot be written.
    """
    base = folder or Path(platformdirs.user_log_path("helio-burst"))
    place = base / re.sub(r"[^\w.-]+", "-", name)
    place.mkdir(parents=True, exist_ok=True)
    # A worker that was killed takes its log along; what its nanny and the scheduler say of it is still there.
    _write(place / "scheduler.log", within(SECONDS, client.get_scheduler_logs))
    for kind in ("worker", "nanny"):
        ask = partial(client.get_worker_logs, nanny=kind == "nanny")
        for worker, lines in within(SECONDS, ask).items():
            _write(place / f"{kind}-{re.sub(r'[^0-9.]+', '-', worker).strip('-')}.log", lines)
    return place


def _write(path: Path, lines: Sequence[tuple[str, str]]) -> None:
    # Dask hands out the newest line first.
    path.write_text("".join(f"{text}\n" for _, text in reversed(lines)), encoding="utf-8")
