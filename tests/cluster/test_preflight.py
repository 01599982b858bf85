from __future__ import annotations

import pytest
from distributed import Client, LocalCluster

from helio_burst import storage
from helio_burst.cluster import check_access, root_cause
from helio_burst.cluster.cost import CountUse, Use
from helio_burst.cluster.one_machine import Ports
from helio_burst.cluster.prices import Prices
from helio_burst.cluster.versions import PACKAGES, check_versions, compare, versions_here
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import AccessDeniedError, ClusterError, HelioBurstWarning


def test_a_worker_asks_for_a_file(client: Client, s3: EmbeddedS3, ports: Ports) -> None:
    s3.create_bucket("closed")
    s3.create_bucket("open", public=True)
    for name in ("closed/one", "closed/two", "open/one"):
        storage.write(f"s3://{name}.fits", b"1234567")
    check_access(client, ["s3://closed/one.fits"])

    nobody = s3.options.model_copy(update={"anonymous": True})
    with pytest.raises(AccessDeniedError, match=r"closed/one\.fits: access denied") as caught:
        check_access(client, ["s3://closed/one.fits", "s3://closed/two.fits"], nobody)
    assert "A worker said so" in caught.value.__notes__[0]
    # One refusal, one file that is missing, and a server that does not answer now are the job's to deal with.
    check_access(client, ["s3://closed/one.fits", "s3://open/one.fits"], nobody)
    check_access(client, ["s3://open/none.fits"], nobody)
    check_access(client, [f"http://127.0.0.1:{ports.take()}/one.fits"])


def test_the_first_worker_is_waited_for_until_one_gives_up() -> None:
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        answers = iter([False, True])
        check_access(client, ["s3://closed/one.fits"], given_up=lambda: next(answers))
        assert next(answers, None) is None


def test_versions_of_a_worker(client: Client) -> None:
    check_versions(client)
    assert versions_here(PACKAGES)["numpy"]


HERE = {"python": "3.11.7", "numpy": "2.1.0", "astropy": "6.1.0", "dask": "2026.8.0"}


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"numpy": "1.26.4"}, "numpy 2.1.0 here, 1.26.4 there"),
        ({"python": "3.12.1"}, "python 3.11.7 here, 3.12.1 there"),
        ({"astropy": None}, "astropy 6.1.0 here, missing there"),
        ({"helio-burst": None}, "helio_burst is missing there"),
    ],
)
def test_versions_that_break_a_job(there: dict[str, str | None], message: str) -> None:
    found = {name: version for name, version in {**HERE, "helio-burst": "?", **there}.items() if version}
    with pytest.raises(ClusterError, match=rf"{message}.*Choose an image"):
        compare(HERE, found)


def test_versions_that_may_matter() -> None:
    with pytest.warns(HelioBurstWarning, match=r"dask 2026\.8\.0 here, 2026\.6\.0 there"):
        compare(HERE, {**HERE, "helio-burst": "?", "python": "3.11.9", "dask": "2026.6.0"})


def test_the_reason_behind_an_error_of_deserialisation(client: Client) -> None:
    class Unreadable:
        """As an object of another version of numpy: pickled here, refused there."""

        def __reduce__(self) -> object:
            return __import__, ("numpy_of_another_version",)

    unreadable = Unreadable()
    with pytest.raises(RuntimeError, match="Error during deserialization") as caught:
        client.submit(lambda: unreadable).result()
    cause = root_cause(caught.value)
    assert isinstance(cause, ModuleNotFoundError)
    assert "numpy_of_another_version" in str(cause)


def test_workers_that_have_gone_stay_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Worker:
        nthreads = 4

    class Scheduler:
        def __init__(self) -> None:
            self.workers = {"a": Worker(), "b": Worker()}

    clock = iter([0.0, 100.0, 300.0, 400.0])
    monkeypatch.setattr("helio_burst.cluster.cost.time", lambda: next(clock))
    count = CountUse()
    count.add_worker(Scheduler(), "a")
    count.add_worker(Scheduler(), "b")
    count.remove_worker(Scheduler(), "a")
    assert count.core_seconds() == 300 * 4 + 300 * 4
    prices = Prices(date="2026-01-01", currency="EUR", per_core_hour=0.05)
    assert Use(core_hours=30).cost(prices) == "1.50 EUR"
