"""An S3 endpoint on this machine: the moto server, in a process of its own on a free loopback port."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Self

from helio_burst import storage
from helio_burst.errors import HelioBurstError

# Its input ends with the process that started it, even if that is killed; then it ends too.
_SERVE = """
import os, sys, threading

def end_with_parent():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()
from werkzeug.serving import make_server
from moto.server import create_backend_app
# Only S3: finding out which of all services a request is for takes moto longer than to answer it.
server = make_server("127.0.0.1", int(sys.argv[1]), create_backend_app("s3"), threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


class EmbeddedS3:
    """A context manager: a real S3 endpoint for demonstrations and tests; what it holds ends with it.

    Attributes
    ----------
    url : str
        The endpoint.
    environment : dict
        The variables with which any S3 client finds it: endpoint, region and throw-away credentials.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """The variables for a process that is to use this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def pid(self) -> int:
        """The id of the server's process."""
        if self._process is None:
            raise HelioBurstError("The embedded S3 server is not running; use it in a with block.")
        return self._process.pid

    @property
    def options(self) -> storage.StorageOptions:
        """Storage options that point at this server."""
        return storage.StorageOptions(endpoint_url=self.url, region="us-east-1")

    def create_bucket(self, name: str, *, public: bool = False) -> None:
        """Make a bucket; a public one can be read without credentials."""
        import boto3

        credentials = {"aws_access_key_id": "demo", "aws_secret_access_key": "demo"}
        s3 = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **credentials)
        s3.create_bucket(Bucket=name)
        if public:
            resource = f"arn:aws:s3:::{name}"
            statements = [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": action,
                    "Resource": [resource, f"{resource}/*"],
                }
                for action in ("s3:GetObject", "s3:HeadObject", "s3:ListBucket")
            ]
            s3.put_bucket_policy(
                Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
            )

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _SERVE, str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            self.__exit__(None, None, None)
            raise HelioBurstError(
                "The embedded S3 server did not start. Is moto installed? pip install 'helio-burst[demo]'"
            )
        self.url = f"http://127.0.0.1:{line}"
        self._wait()
        return self

    def _wait(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/", timeout=5):
                    return
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > deadline:
                    self.__exit__(None, None, None)
                    raise HelioBurstError(f"The embedded S3 server at {self.url} does not answer.") from error
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.communicate(timeout=60)
