"""Storage on a real S3 server, on a server that misbehaves on purpose, on disk and in memory."""

from __future__ import annotations

import os
import pickle
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from helio_burst import storage
from helio_burst.demo.server import EmbeddedS3
from helio_burst.errors import (
    AccessDeniedError,
    InputError,
    MissingObjectError,
    StorageError,
    TransientStorageError,
)

KEYS = ["plain", "with space", "100%", "a%20b", "hash#a", "what?", "plus+and=", "ümlaut", "deep/er/key.nc"]


@pytest.fixture
def bucket(s3: EmbeddedS3, request: pytest.FixtureRequest) -> str:
    name = "test-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    s3.create_bucket(name)
    return f"s3://{name}"


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An account without any AWS setting, and no machine role."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


# --- every place


@pytest.fixture(params=["s3", "file", "path", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/folder"
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    return str(tmp_path) if request.param == "path" else tmp_path.as_uri()


@pytest.mark.parametrize("key", KEYS)
def test_write_look_up_read_delete(place: str, key: str) -> None:
    if place.startswith("file:"):
        key = (
            key.replace("%", "%25").replace("#", "%23").replace("?", "%3F")
        )  # a file URL is encoded, a key is not
    url = storage.join(place, key)
    assert not storage.exists(url)
    storage.write(url, b"first")
    storage.write(url, b"second")
    assert storage.read(url) == b"second"
    info = storage.info(url)
    assert (info.url, info.size) == (url, 6)
    assert abs(datetime.now(UTC) - info.modified).total_seconds() < 3600
    storage.delete(url)
    storage.delete(url)
    with pytest.raises(MissingObjectError, match="there is no such object"):
        storage.read(url)


def test_list(place: str) -> None:
    assert list(storage.list_objects(storage.join(place, "nothing"))) == []
    for key in ("a/1", "a/2", "a/b/3", "ab/4"):
        storage.write(storage.join(place, key), key.encode())
    found = {item.url: item.size for item in storage.list_objects(storage.join(place, "a"))}
    assert found == {storage.join(place, "a", key): len(key) + 2 for key in ("1", "2", "b/3")}
    assert all(storage.read(url) for url in found)


def test_what_is_listed_can_be_read(place: str) -> None:
    # A key is written as it is, a file URL is encoded.
    folder = str(storage.local_path(place)) if place.startswith("file:") else place
    for key in KEYS:
        storage.write(storage.join(folder, key), key.encode())
    found = [storage.read(item.url).decode() for item in storage.list_objects(place)]
    assert sorted(found) == sorted(KEYS)


def test_write_if_absent(place: str) -> None:
    url = storage.join(place, "once")
    storage.write(url, b"first", if_absent=True)
    with pytest.raises(FileExistsError, match="once exists already"):
        storage.write(url, b"second", if_absent=True)
    assert storage.read(url) == b"first"


def test_buffers_are_read_without_a_copy(place: str) -> None:
    storage.write(storage.join(place, "buffer"), b"some bytes")
    view = storage.read_buffer(storage.join(place, "buffer"))
    assert view.readonly
    assert view.tobytes() == b"some bytes"


def test_bytes_come_with_what_was_told_of_them(place: str) -> None:
    url = storage.join(place, "told")
    storage.write(url, b"some bytes")
    assert storage.read_with_info(url) == (b"some bytes", storage.info(url))


def test_empty_object(place: str) -> None:
    storage.write(storage.join(place, "empty"), b"")
    assert storage.read(storage.join(place, "empty")) == b""


# --- addresses


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("data:,a%20b", b"a b"),
        ("data:text/plain,hello", b"hello"),
        ("data:application/octet-stream;base64,AAEC", b"\x00\x01\x02"),
    ],
)
def test_data_urls(url: str, data: bytes) -> None:
    assert storage.read(url) == data


@pytest.mark.parametrize("url", ["data:;base64,###", "data:nothing"])
def test_broken_data_urls(url: str) -> None:
    with pytest.raises(StorageError, match="is not a data URL"):
        storage.read(url)


@pytest.mark.parametrize("url", ["gs://bucket/key", "ftp://host/file"])
def test_unknown_scheme(url: str) -> None:
    with pytest.raises(InputError, match=r"known are s3, https, http, file, memory, data"):
        storage.read(url)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("", "The address is empty"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("file://data/a.nc", "the path alone"),
    ],
)
def test_addresses_without_a_place_are_refused(url: str, advice: str) -> None:
    with pytest.raises(InputError, match=advice):
        storage.read(url)


def test_a_key_with_an_empty_part_is_refused(bucket: str) -> None:
    with pytest.raises(StorageError, match="empty path segment"):
        storage.read(f"{bucket}/a//b")


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage.write("folder/../a.txt", b"here")
    assert (tmp_path / "a.txt").read_bytes() == b"here"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage.read("~/a.txt") == b"here"


# --- disks


def run(script: str, *arguments: str) -> str:
    """Run a script, given as its text or its path, in a process of its own; return what it prints."""
    command = [sys.executable, script] if script.endswith(".py") else [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONPATH": str(Path(storage.__file__).parents[2])}
    done = subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LITTLE_ROOM = """
import resource, sys
from helio_burst import errors, storage
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # as on a full disk: the write fails half way
try:
    storage.write(sys.argv[1], bytes(1_000_000))
except errors.StorageError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    said = run(LITTLE_ROOM, f"{tmp_path}/big")
    assert "the disk is full, or its quota. Nothing was written" in said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"file")
    with pytest.raises(StorageError, match=r"Could not write .*/a/b"):
        storage.write(f"{tmp_path}/a/b", b"x")
    with pytest.raises(StorageError, match="Could not read"):
        storage.read(str(tmp_path))


AS_NOBODY = """
import os, sys
from helio_burst import errors, storage
storage.read("data:,")
os.setuid(65534)
try:
    storage.read(sys.argv[1])
except errors.AccessDeniedError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_file_of_someone_else() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "secret")
        path.write_bytes(b"x")
        path.chmod(0o600)
        assert "Check the owner and the mode" in run(AS_NOBODY, str(path))


# --- a server that misbehaves

BODY = bytes(range(256)) * 400
QUICK = storage.StorageOptions(region="us-east-1", timeout=30, connect_timeout=30, retries=3)


class _Misbehaving(BaseHTTPRequestHandler):
    """Answers as the key says: ``<what>-<number of times>``, then as it should."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        key = self.path.partition("?")[0].rpartition("/")[2]
        what, _, times = key.partition("-")
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.server.counts[key] += 1
        broken = times.isdigit() and self.server.counts[key] <= int(times)
        if broken and what.isdigit():
            self._answer(int(what), b"<Error><Code>Broken</Code></Error>")
        elif broken and what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif broken and what == "slow":
            self.server.stopped.wait(5)
        elif broken and what == "cut":
            self._answer(200, BODY, send=5000)
        elif what == "moved" and "/eu-west-1/" not in self.headers.get("Authorization", "eu-west-1"):
            self._answer(301, b"", {"x-amz-bucket-region": "eu-west-1"})
        elif what == "lost":
            self._answer(301, b"")
        else:
            self._answer(200, BODY)

    def do_HEAD(self) -> None:
        """Only a bucket is looked up so; S3 tells its region to anyone."""
        region = {"x-amz-bucket-region": "eu-west-1"} if self.path == "/moved" else {}
        self._answer(403, b"", region)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, send: int | None = None
    ) -> None:
        headers = headers or {}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if status == 200 and asked:
            first, last = int(asked[1]), int(asked[2])
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            status, body = 206, body[first : last + 1]
        self.send_response(status)
        headers |= {"ETag": '"1"', "Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT"}
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if send is None else body[:send])
        self.close_connection = send is not None

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Misbehaving)
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.counts: Counter[str] = Counter()
        self.stopped = threading.Event()

    def handle_error(self, *args: object) -> None:
        """A client that gave up is what these tests are about."""


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["s3", "http"])
def base(request: pytest.FixtureRequest, server: _Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The misbehaving server as an S3 endpoint and as a web server."""
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    return "s3://bucket" if request.param == "s3" else f"{address}/folder"


@pytest.mark.parametrize("key", ["500-2", "502-1", "503-2", "504-1", "429-1", "reset-2", "cut-1", "cut-3"])
def test_what_passes_is_repeated(base: str, server: _Server, key: str) -> None:
    assert storage.read(f"{base}/{key}", QUICK) == BODY
    assert server.counts[key] == int(key[-1]) + 1


def test_a_server_that_falls_silent_is_asked_again(base: str, server: _Server) -> None:
    impatient = QUICK.model_copy(update={"timeout": 0.5})
    assert storage.read(f"{base}/slow-1", impatient) == BODY
    assert server.counts["slow-1"] >= 2  # a machine that is busy elsewhere falls silent, too


@pytest.mark.parametrize("key", ["500-99", "503-99", "429-99", "reset-99", "cut-99"])
def test_what_lasts_is_transient_and_says_so(base: str, key: str) -> None:
    with pytest.raises(TransientStorageError, match=rf"Could not read {base}/{key} after the retries: "):
        storage.read(f"{base}/{key}", QUICK)


@pytest.mark.parametrize(
    ("key", "kind"),
    [("403-99", AccessDeniedError), ("401-99", AccessDeniedError), ("404-99", MissingObjectError)],
)
def test_what_is_refused_is_not_repeated(base: str, server: _Server, key: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=f"{base}/{key}"):
        storage.read(f"{base}/{key}", QUICK)
    assert server.counts[key] == 1


def test_what_the_server_does_not_know_is_not_transient(base: str) -> None:
    with pytest.raises(StorageError, match=f"{base}/501-99") as caught:
        storage.read(f"{base}/501-99", QUICK)
    assert not isinstance(caught.value, TransientStorageError)


def test_what_is_told_costs_no_request(base: str, server: _Server) -> None:
    data, info = storage.read_with_info(f"{base}/key", QUICK)
    assert (data, info.size, info.etag) == (BODY, len(BODY), '"1"')
    assert [command for command, _, _ in server.seen] == ["GET"]


def test_asking_takes_nothing(base: str, server: _Server) -> None:
    storage.request(f"{base}/key", QUICK)
    with pytest.raises(MissingObjectError, match=f"Could not read {base}/404-99"):
        storage.request(f"{base}/404-99", QUICK)
    assert [command for command, _, _ in server.seen] == ["GET", "GET"]


def test_numbers_in_a_name_are_no_status(base: str) -> None:
    with pytest.raises(StorageError) as caught:
        storage.read(f"{base}/500/timeout/connection/400-99", QUICK)
    assert not isinstance(caught.value, TransientStorageError)


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and kept, so that nobody else listens there
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
        with pytest.raises(TransientStorageError) as caught:
            storage.read(url, storage.StorageOptions(retries=1))
    reason = "HTTP error: error sending request"
    assert str(caught.value).startswith(f"Could not read {url} after the retries: {reason}. Trying again")


def test_web_addresses_are_asked_for_as_written(server: _Server) -> None:
    address = f"http://127.0.0.1:{server.server_port}"
    for path in (
        "/a%20b/c%25.nc",
        "/a%23b.nc",
        "/%C3%BC.nc",
        "/signed/a%20b.nc?X-Amz-Signature=1%2B2&versionId=3",
    ):
        assert storage.read(address + path, QUICK) == BODY
        assert server.seen[-1][1] == path


def test_a_bucket_in_another_region_is_found(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    for _ in range(2):
        assert storage.read("s3://moved/moved-0", QUICK) == BODY
    # Wrong region, question, right region; then right at once.
    assert [command for command, *_ in server.seen] == ["GET", "GET", "GET"]
    with pytest.raises(StorageError, match=r"lives in another region.*HELIO_BURST_STORAGE_REGION"):
        storage.read("s3://lost/lost-0", QUICK)


def test_requester_pays(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HELIO_BURST_STORAGE_REQUESTER_PAYS", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    storage.read("s3://bucket/key")
    headers = {name.lower(): value for name, value in server.seen[-1][2].items()}
    assert headers["x-amz-request-payer"] == "requester"


# --- who asks


def _authorization(server: _Server, options: storage.StorageOptions | None = None) -> str:
    address = f"http://127.0.0.1:{server.server_port}"
    options = (options or storage.StorageOptions()).model_copy(update={"endpoint_url": address})
    storage.read("s3://bucket/key", options)
    headers = {name.lower(): value for name, value in server.seen[-1][2].items()}
    return headers.get("authorization", "")


@pytest.mark.usefixtures("no_aws")
def test_anonymous_where_there_are_no_credentials(server: _Server) -> None:
    assert _authorization(server) == ""
    with pytest.raises(AccessDeniedError, match="No AWS credentials were found"):
        _authorization(server, storage.StorageOptions(anonymous=False))


@pytest.mark.usefixtures("no_aws")
def test_credentials_of_the_environment(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert "from-environment" in _authorization(server)
    assert "/eu-west-3/" in _authorization(server)
    assert "/ap-south-1/" in _authorization(server, storage.StorageOptions(region="ap-south-1"))
    assert _authorization(server, storage.StorageOptions(anonymous=True)) == ""
    # The environment may change under a running process, as in a notebook.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "changed")
    assert "changed" in _authorization(server)


@pytest.mark.usefixtures("no_aws")
def test_credentials_of_profiles(server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = from-default\naws_secret_access_key = x\n"
        "[lab]\naws_access_key_id = from-lab\naws_secret_access_key = x\n"
    )
    (tmp_path / "config").write_text("[profile lab]\nregion = eu-north-1\n")
    assert "from-default" in _authorization(server)
    assert "from-lab" in _authorization(server, storage.StorageOptions(profile="lab"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert "from-lab" in _authorization(server)
    assert "/eu-north-1/" in _authorization(server)
    with pytest.raises(InputError, match="There is no AWS profile 'nobody'"):
        _authorization(server, storage.StorageOptions(profile="nobody"))


@pytest.mark.usefixtures("no_aws")
def test_credentials_of_a_machine_role(monkeypatch: pytest.MonkeyPatch, server: _Server) -> None:
    """The service that cloud machines have, on a port of our own."""
    with _machine_role() as address:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        assert "from-role" in _authorization(server)


class _machine_role:  # noqa: N801
    def __enter__(self) -> str:
        answers = {
            "/latest/api/token": b"token",
            "/latest/meta-data/iam/security-credentials/": b"lab-role",
            "/latest/meta-data/iam/security-credentials/lab-role": (
                b'{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "from-role", "SecretAccessKey": "x",'
                b'"Token": "t", "Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2020-01-01T00:00:00Z"}'
            ),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = answers.get(self.path, b"")
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_options_travel_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIO_BURST_STORAGE_RETRIES", "7")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell")
    options = pickle.loads(pickle.dumps(storage.StorageOptions(region="eu-west-1")))
    assert (options.retries, options.region) == (7, "eu-west-1")
    assert b"do-not-tell" not in pickle.dumps(options)
    with pytest.raises(ValueError, match="retires"):
        storage.StorageOptions(retires=3)  # type: ignore[call-arg]


def test_options_of_the_process(s3: EmbeddedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.create_bucket("options-of-the-process", public=True)
    storage.write("s3://options-of-the-process/key", b"x")
    for name in s3.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    storage.use(s3.options)
    try:
        assert storage.read("s3://options-of-the-process/key") == b"x"
    finally:
        storage.use(None)


def test_a_private_bucket_is_not_for_everyone(s3: EmbeddedS3, bucket: str) -> None:
    storage.write(f"{bucket}/key", b"x")
    with pytest.raises(AccessDeniedError, match="HELIO_BURST_STORAGE_ANONYMOUS"):
        storage.read(f"{bucket}/key", s3.options.model_copy(update={"anonymous": True}))
    with pytest.raises(MissingObjectError):
        storage.read("s3://there-is-no-such-bucket/key")


# --- processes and file systems


IN_ANOTHER_PROCESS = """
import multiprocessing, sys
from helio_burst import errors, storage

def read(url, answer):
    try:
        answer.send(storage.read(url))
    except errors.StorageError as error:
        answer.send(error)

if __name__ == "__main__":
    method, url = sys.argv[1:]
    storage.read(url)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context(method).Process(target=read, args=(url, theirs))
    process.start()
    print(ours.recv() if ours.poll(40) else "waits for ever")
    process.kill()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes(bucket: str, method: str, tmp_path: Path) -> None:
    storage.write(f"{bucket}/key", b"x")
    (tmp_path / "job.py").write_text(IN_ANOTHER_PROCESS)
    said = run(str(tmp_path / "job.py"), method, f"{bucket}/key")
    if method == "fork":
        assert "was forked from one that had used storage" in said
        assert "forkserver" in said
    else:
        assert said.strip() == "b'x'"


def test_filesystem_for_xarray_and_zarr(bucket: str) -> None:
    cube = xr.Dataset({"t": (("y", "x"), np.arange(6.0).reshape(2, 3))})
    files = storage.filesystem(bucket)
    cube.to_zarr(files.get_mapper(f"{bucket}/cube.zarr"), consolidated=False)
    loaded = xr.open_zarr(
        storage.filesystem(bucket).get_mapper(f"{bucket}/cube.zarr"), consolidated=False
    ).load()
    xr.testing.assert_identical(loaded, cube)
    assert any("cube.zarr" in item.url for item in storage.list_objects(f"{bucket}/cube.zarr"))
    storage.write(f"{bucket}/a.txt", b"text")
    assert files.cat_file(f"{bucket}/a.txt") == b"text"


@pytest.mark.usefixtures("no_aws")
def test_filesystem_has_the_same_options() -> None:
    options = storage.StorageOptions(
        endpoint_url="http://127.0.0.1:9", requester_pays=True, timeout=7, region="eu-west-1"
    )
    files = storage.filesystem("s3://bucket", options)
    assert files.anon
    assert files.endpoint_url == "http://127.0.0.1:9"
    assert files.req_kw == {"RequestPayer": "requester"}
    assert files.config_kwargs["read_timeout"] == 7
    assert files.client_kwargs["region_name"] == "eu-west-1"
    assert storage.filesystem("/tmp").protocol[0] == "file"
    with pytest.raises(InputError, match="known are"):
        storage.filesystem("gs://bucket")
