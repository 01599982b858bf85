"""The long runs: one job, many faults, one after the other; `make test-faults` runs them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from helio_burst.burst import attach
from tests.burst.breakable import BreakableCluster, Killer, until
from tests.burst.test_faults import _calls, _client_process, _expected, _in_ledger

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clients_workers_and_schedulers_killed_over_and_over(
    tmp_path: Path, seed: int, record_property: pytest.RecordProperty
) -> None:
    """Kill the client or the scheduler six times in one job, and workers all the while."""
    count, log, store = 3000, tmp_path / "calls", str(tmp_path / "store")
    chance = random.Random(seed)
    kills = {"client": 0, "scheduler": 0, "worker": 0}
    cluster = BreakableCluster(tmp_path, workers=3)
    try:
        for _ in range(6):
            with Killer(cluster, seed=chance.randrange(1000), every=(1.0, 4.0)) as killer:
                process = _client_process(cluster, log, store, count)
                done = len(_calls(log))
                until(lambda done=done: len(_calls(log)) > done + 60, "some more files", 120)  # type: ignore[misc]
                if chance.random() < 0.5:
                    process.kill()
                    process.communicate()
                    kills["client"] += 1
            kills["worker"] += killer.kills
            if process.poll() is None:
                cluster.scheduler.kill()
                process.communicate(timeout=300)
                assert process.returncode != 0
                kills["scheduler"] += 1
                cluster.close()
                cluster = BreakableCluster(tmp_path, workers=3)
        had = _in_ledger(store)
        with cluster.client() as client:
            outcome = attach(store, client=client).result(timeout=900)
    finally:
        cluster.close()
    calls = _calls(log)
    record_property("kills", kills)
    print(f"kills {kills}; {count} files, {sum(calls.values())} calls")
    assert outcome.failures.empty
    assert outcome.to_xarray().value.to_numpy().tolist() == _expected(count)
    assert outcome.progress.resumed >= len(had)
    assert set(calls) == {f"file-{i:05d}" for i in range(count)}
