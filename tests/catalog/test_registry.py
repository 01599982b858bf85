"""The registry over file, HTTP and S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from helio_burst import storage
from helio_burst.catalog import cache, lint, open_catalog, open_registry
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import (
    AccessDeniedError,
    CatalogError,
    CatalogWarning,
    InputError,
    StorageError,
)

from .conftest import Publish

REGISTRY: dict[str, Any] = {
    "version": "0.5",
    "modification": "2024-01-01T00:00Z",
    "registry": [
        {"endpoint": "s3://one/", "name": "Twin", "region": "us-east-1"},
        {"endpoint": "s3://two/", "name": "Twin", "region": "us-west-2", "provider": "aws"},
        {"endpoint": "s3://three/", "name": "Single", "region": "us-east-1"},
    ],
}


class Web:
    """A real web server on a folder, on a free port; `denied` paths answer 403."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.denied: set[str] = set()
        web = self

        class Handler(SimpleHTTPRequestHandler):
            def send_head(self) -> Any:
                web.requests.append(f"{self.command} {self.path}")
                if self.path in web.denied:
                    self.send_error(403)
                    return None
                return super().send_head()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    folder = tmp_path / "web"
    folder.mkdir()
    server = Web(folder)
    yield server
    server.close()


def write(path: Path, document: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


def test_table_and_names(tmp_path: Path) -> None:
    registry = open_registry(write(tmp_path / "registry.json", REGISTRY))
    assert registry.table.columns.tolist() == ["name", "endpoint", "region", "provider"]
    assert registry.table["provider"].tolist() == ["aws"] * 3
    assert len(registry) == 3
    assert "Single" in registry._repr_html_()
    with pytest.raises(InputError, match=r"2 catalogs of the name 'Twin'.*s3://one/, s3://two/"):
        registry.open_catalog("Twin")
    with pytest.raises(InputError, match=r"no catalog of name or endpoint 'Singel'. Nearest: Single"):
        registry.open_catalog("Singel")


def test_the_old_version_key(tmp_path: Path) -> None:
    old = {"CloudMe": "0.1", **{key: value for key, value in REGISTRY.items() if key != "version"}}
    assert len(open_registry(write(tmp_path / "registry.json", old))) == 3


def test_the_environment_names_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "registry.json", REGISTRY)
    monkeypatch.setenv("ROOT_CATALOG_REGISTRY_URL", f"file://{path}")
    assert open_registry().url == f"file://{path}"


def test_lines_that_are_wrong(tmp_path: Path) -> None:
    bad = {
        **REGISTRY,
        "registry": [
            *REGISTRY["registry"],
            {"name": "No endpoint"},
            {"endpoint": "s3://one/"},
            {"endpoint": "s3://x/"},
        ],
    }
    with pytest.warns(CatalogWarning) as told:
        registry = open_registry(write(tmp_path / "registry.json", bad))
    assert len(registry) == 4
    said = " ".join(str(warning.message) for warning in told)
    for part in ("has no endpoint", "s3://one/ occurs again", "s3://x/ has no name", "s3://x/ has no region"):
        assert part in said


@pytest.mark.parametrize("text", ['{"catalog": []}', "[", "<html>"])
def test_what_is_no_registry(tmp_path: Path, text: str) -> None:
    (tmp_path / "registry.json").write_text(text)
    with pytest.raises(CatalogError, match=r"registry\.json"):
        open_registry(str(tmp_path / "registry.json"))


def test_unreachable() -> None:
    options = storage.StorageOptions(retries=0, connect_timeout=1, timeout=1)
    with pytest.raises(StorageError, match=r"The registry cannot be reached.*set ROOT_CATALOG_REGISTRY_URL"):
        open_registry("http://127.0.0.1:9/registry.json", options=options)


def test_iterating_leaves_out_what_cannot_be_opened(publish: Publish, tmp_path: Path) -> None:
    endpoint = publish({}).endpoint
    listed = [
        {"endpoint": f"{tmp_path}/nowhere/", "name": "Gone", "region": "x"},
        {"endpoint": endpoint, "name": "Test", "region": "x"},
    ]
    registry = open_registry(write(tmp_path / "registry.json", {"version": "1.1", "registry": listed}))
    with pytest.warns(CatalogWarning, match="Left out Gone"):
        assert [catalog.name for catalog in registry] == ["Test"]
    assert registry.open_catalog("Test").endpoint == endpoint
    assert registry.open_catalog(endpoint.rstrip("/")).name == "Test"


def catalog_json(index: str) -> dict[str, Any]:
    entry = {
        "id": "aia",
        "index": index,
        "title": "AIA",
        "start": "2020-01-01T00:00Z",
        "stop": "2020-12-31T00:00Z",
    }
    return {"version": "1.1", "name": "Web", "status": {"code": 1200}, "catalog": [entry]}


ROWS = "2020-01-01T00:00Z,2020-01-02T00:00Z,s3://b/1.fits,1\n"


def test_over_http_with_copies(web: Web, tmp_path: Path, cache_folder: Path) -> None:
    write(
        tmp_path / "web" / "registry.json",
        {"version": "1.1", "registry": [{"endpoint": web.url, "name": "Web", "region": "x"}]},
    )
    write(tmp_path / "web" / "catalog.json", catalog_json(f"{web.url}/index/"))
    (tmp_path / "web" / "index").mkdir()
    index = tmp_path / "web" / "index" / "aia_2020.csv"
    index.write_text(ROWS)
    catalog = open_registry(f"{web.url}/registry.json").open_catalog("Web")
    assert len(catalog.file_list("aia")) == 1
    assert any(request.startswith("GET /index/") for request in web.requests)
    web.requests.clear()
    assert len(catalog.file_list("aia")) == 1
    assert web.requests == ["HEAD /index/aia_2020.csv"]
    index.write_text(ROWS + ROWS.replace("1.fits", "2.fits"))
    assert len(catalog.file_list("aia")) == 2
    assert len([path for path in cache_folder.rglob("*") if path.is_dir()]) == 3


def test_denied_over_http_names_the_entry(web: Web, tmp_path: Path) -> None:
    write(tmp_path / "web" / "catalog.json", catalog_json(f"{web.url}/index/"))
    web.denied.add("/index/aia_2020.csv")
    with pytest.raises(AccessDeniedError, match="The index of aia may not be read"):
        open_catalog(web.url).file_list("aia")


def test_over_s3(s3: EmbeddedS3) -> None:
    s3.create_bucket("catalog-registry")
    storage.write(
        "s3://catalog-registry/r.json",
        json.dumps(
            {
                "version": "1.1",
                "registry": [{"endpoint": "s3://catalog-registry/", "name": "S3", "region": "us-east-1"}],
            }
        ).encode(),
    )
    storage.write(
        "s3://catalog-registry/catalog.json", json.dumps(catalog_json("s3://catalog-registry/i/")).encode()
    )
    storage.write("s3://catalog-registry/i/aia_2020.csv", ROWS.encode())
    files = (
        open_registry("s3://catalog-registry/r.json")
        .open_catalog("S3")
        .file_list("aia", "2020-01-01T12", "2020-02")
    )
    assert files["datakey"].tolist() == ["s3://b/1.fits"]
    storage.write("s3://catalog-registry/i/aia_2020.csv", ROWS.replace("1.fits", "9.fits").encode())
    again = open_catalog("s3://catalog-registry").file_list("aia")
    assert again["datakey"].tolist() == ["s3://b/9.fits"]


@pytest.mark.parametrize("off", ["off", "0", ""])
def test_copies_can_be_off(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    monkeypatch.setenv("HELIO_BURST_CACHE", off)
    (tmp_path / "web" / "x.json").write_text("{}")
    for _ in range(2):
        assert cache.local(f"{web.url}/x.json") == b"{}"
    assert cache.folder() is None
    assert web.requests == ["GET /x.json"] * 2


def test_clear(web: Web, tmp_path: Path, cache_folder: Path) -> None:
    (tmp_path / "web" / "x.json").write_text("{}")
    copy = cache.local(f"{web.url}/x.json")
    assert isinstance(copy, Path)
    assert copy.is_relative_to(cache_folder)
    cache.clear()
    assert not cache_folder.exists()


def test_a_server_without_head_is_read_without_copies(cache_folder: Path) -> None:
    class OnlyGet(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), OnlyGet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    options = storage.StorageOptions(retries=0)
    assert cache.read(f"http://127.0.0.1:{server.server_port}/x.json", options) == b"{}"
    server.shutdown()
    server.server_close()
    assert not cache_folder.exists()


def test_without_etag_and_time_a_change_is_seen(cache_folder: Path) -> None:
    class Terse(BaseHTTPRequestHandler):
        content = b"[1]"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(self.content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Terse) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/x.json"
        assert cache.read(url) == b"[1]"
        Terse.content = b"[2]"
        assert cache.read(url) == b"[2]"
        server.shutdown()
        thread.join()
    assert not cache_folder.exists()


def test_what_was_opened_by_a_relative_path_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "index").mkdir(parents=True)
    write(tmp_path / "there" / "catalog.json", catalog_json("index"))
    (tmp_path / "there" / "index" / "aia_2020.csv").write_text(ROWS)
    for folder, endpoint in ((tmp_path, "there"), (tmp_path / "there", "catalog.json")):
        monkeypatch.chdir(folder)
        catalog = open_catalog(endpoint)
        monkeypatch.chdir("/")
        files = catalog.file_list("aia")
        assert files.attrs["endpoint"] == f"{tmp_path}/there/"
        assert len(files) == 1
        monkeypatch.chdir(folder)
        assert "error" not in set(lint(endpoint)["severity"])


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("HELIO_BURST_CACHE", str(blocked / "cache"))
    (tmp_path / "web" / "x.json").write_text("{}")
    assert cache.read(f"{web.url}/x.json") == b"{}"
