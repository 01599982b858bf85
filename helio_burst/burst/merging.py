"""Merged states, brought together in a tree on the workers, so that only the last one comes to the client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import Client, Future

from helio_burst.burst.ledger import Ledger
from helio_burst.burst.worker import Report, load_job
from helio_burst.errors import BurstError

FAN_IN = 8


@dataclass
class _State:
    """A merged state and which batches are in it, with the failures that each had."""

    state: Any
    failed: dict[int, int]


def summary_of(report: Report) -> Report:
    """Return a report without its merged state."""
    assert report.shard is not None
    return replace(report, shard=replace(report.shard, state=None))


def _merge(blob: bytes, *parts: Report | _State) -> _State:
    combine = load_job(blob).combine
    assert combine is not None
    merged = _State(combine.identity(), {})
    for part in parts:
        if isinstance(part, _State):
            merged.failed |= part.failed
            state = part.state
        else:
            merged.failed[part.number] = part.failed
            state = part.shard.state if part.shard is not None else combine.identity()
        merged.state = combine.merge(merged.state, state)
    return merged


def _merge_stored(blob: bytes, ledger: Ledger, names: Sequence[str]) -> _State:
    combine = load_job(blob).combine
    assert combine is not None
    state = combine.identity()
    for name in names:
        state = combine.merge(state, ledger.read_state(name))
    return _State(state, {})


class MergeTree:
    """Merges the states of batches, eight at a time, where they are.

    Dask keeps how each state came about, so what is lost with a worker is computed again.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._held: dict[int, Future[Any]] = {}
        self._ready: list[Future[Any]] = []
        self._failed: dict[int, int] = {}

    def hold(self, number: int, future: Future[Any]) -> None:
        """Keep the future of a batch until its summary has come."""
        self._held[number] = future

    def add(self, number: int, failed: int) -> None:
        """Count a batch in, now that it is done."""
        self._ready.append(self._held.pop(number))
        self._failed[number] = failed

    def result(self, blob: Future[Any]) -> Any:
        """Return the state of all.

        Raises
        ------
        BurstError
            A state was lost with its worker, and on its way again another number of items failed.
        """
        level = self._ready
        while len(level) > 1 or (level and level is self._ready):
            level = [
                self._client.submit(_merge, blob, *level[i : i + FAN_IN], pure=False)
                for i in range(0, len(level), FAN_IN)
            ]
        if not level:
            return None
        merged: _State = level[0].result()
        if merged.failed != self._failed:
            raise BurstError(
                "A worker was lost with merged results, and when they were computed again other files failed "
                "than before. Run it again with store=..., where merged results are written down at once."
            )
        return merged.state


def merge_stored(client: Client, blob: bytes, ledger: Ledger, names: Sequence[str]) -> Any:
    """Merge the states of shards in a ledger, on the workers."""
    if not names:
        return None
    job = client.submit(bytes, blob, pure=False)
    level = [
        client.submit(_merge_stored, job, ledger, list(names[i : i + FAN_IN]), pure=False)
        for i in range(0, len(names), FAN_IN)
    ]
    while len(level) > 1:
        level = [
            client.submit(_merge, job, *level[i : i + FAN_IN], pure=False)
            for i in range(0, len(level), FAN_IN)
        ]
    merged: _State = level[0].result()
    return merged.state
