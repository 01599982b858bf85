"""Files are fetched once, ahead of their use, and kept in a cache that workers share."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from helio_burst import storage
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import InputError, MissingObjectError
from helio_burst.season.fetching import Fetcher, file_name
from helio_burst.storage import StorageOptions


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "there" / "a.cdf"
    path.parent.mkdir()
    path.write_bytes(b"first")
    return str(path)


@pytest.fixture
def options_of_the_process() -> Iterator[None]:
    yield
    storage.use(None)


@pytest.mark.parametrize("cache", ["folder", "memory://cache-of-test/cnofs"])
def test_a_cache_keeps_what_was_fetched(source: str, tmp_path: Path, cache: str) -> None:
    cache = cache if "://" in cache else str(tmp_path / "datasets" / "cnofs")
    assert Fetcher([source], cache)(source) == b"first"
    assert storage.read(f"{cache}/a.cdf") == b"first"
    Path(source).unlink()
    assert Fetcher([source], cache)(source) == b"first", "another worker finds it"
    with pytest.raises(MissingObjectError, match=r"a\.cdf"):
        Fetcher([source])(source)


def test_a_cache_in_the_folder_of_the_client_is_found_from_elsewhere(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fetch = Fetcher([source], "datasets/cnofs")
    monkeypatch.chdir(tmp_path.parent)
    fetch(source)
    assert (tmp_path / "datasets" / "cnofs" / "a.cdf").read_bytes() == b"first"


def test_a_cache_cannot_tell_files_of_one_name_apart(tmp_path: Path) -> None:
    keys = ["s3://bucket/2010/day.cdf", "s3://bucket/2011/day.cdf"]
    with pytest.raises(InputError, match=r"2010/day\.cdf and s3://bucket/2011/day\.cdf have the same"):
        Fetcher(keys, tmp_path)
    Fetcher([keys[0], keys[0]], tmp_path)
    Fetcher(keys)


@pytest.mark.parametrize(
    "datakey", ["a.cdf", "/data/a.cdf", "s3://bucket/2010/a.cdf", "https://host/a.cdf?version=5"]
)
def test_names_of_files(datakey: str) -> None:
    assert file_name(datakey) == "a.cdf"


def test_files_are_fetched_ahead_once(source: str) -> None:
    fetch = Fetcher([source])
    fetch.ahead([source, source])
    assert fetch(source) == b"first"
    Path(source).write_bytes(b"second")
    assert fetch(source) == b"second", "what was fetched ahead is handed out once"


def test_what_fails_ahead_fails_when_it_is_needed(tmp_path: Path) -> None:
    lost = str(tmp_path / "lost.cdf")
    fetch = Fetcher([lost])
    fetch.ahead([lost])
    with pytest.raises(MissingObjectError, match=r"lost\.cdf"):
        fetch(lost)


def test_what_is_on_its_way_does_not_travel(source: str) -> None:
    fetch = Fetcher([source])
    fetch.ahead([source])
    assert pickle.loads(pickle.dumps(fetch))(source) == fetch(source) == b"first"


@pytest.mark.usefixtures("options_of_the_process")
def test_options_of_the_client_hold_on_the_workers(
    s3_server: EmbeddedS3, s3: EmbeddedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.create_bucket("season-options")
    url = "s3://season-options/a.cdf"
    storage.write(url, b"first")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    storage.use(StorageOptions(endpoint_url=s3_server.environment["AWS_ENDPOINT_URL"]))
    fetch = pickle.dumps(Fetcher([url]))
    storage.use(None)  # as in a worker's process
    assert pickle.loads(fetch)(url) == b"first"
