"""The platform's servers as child processes of this one, on free loopback ports."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from helio_burst.cluster import child
from helio_burst.errors import ClusterError

STOP_SECONDS = 30.0


def platform_files() -> Path:
    """Return the folder of configuration files that the Helm chart mounts: in a wheel, or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "platform", package.parent / "helm" / "helio-daskhub" / "files"):
        if (folder / "one-machine" / "gateway.py").is_file():
            return folder
    raise ClusterError("The platform's configuration files are not installed; reinstall helio-burst.")


class Ports(contextlib.ExitStack):
    """Free loopback ports, held until `close` or the end of a ``with`` block.

    Servers take seconds to start. A port that was only found to be free may be another program's by then;
    one that is bound is given to nobody else, and a server that sets SO_REUSEADDR can listen at it.
    """

    def take(self) -> int:
        """Return one more port, at which nobody listens."""
        held = self.enter_context(socket.socket())
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Server:
    """A server in a child process that ends with this one; a context manager.

    Parameters
    ----------
    name : str
        What it is called in messages.
    module, arguments : str, sequence of str
        What ``python -m`` runs.
    environment : mapping
        Variables beside those of this process.
    health : str
        The URL that answers when the server is ready.
    ports : Ports
        Those that the server is to listen at.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        health: str,
        ports: Ports,
    ) -> None:
        self.name = name
        self._health = health
        self._ports = ports
        self._command = [*child.command(module), *arguments]
        self._environment = {**os.environ, **environment}
        # Servers start others by name (dask, configurable-http-proxy); those of this Python are meant.
        path = self._environment.get("PATH", os.defpath)
        self._environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])
        self._folder = tempfile.TemporaryDirectory(prefix="helio-burst-")
        self.folder = Path(self._folder.name)
        self.log = self.folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 60.0) -> None:
        """Start the server and wait until it answers."""
        if sys.platform != "linux":  # elsewhere a port that is bound cannot be listened at
            self._ports.close()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we end it in good order
            )
        try:
            self._wait(time.monotonic() + seconds)
        except BaseException:
            self._end()
            raise

    def _wait(self, deadline: float) -> None:
        assert self._process is not None
        while (error := self._unhealthy()) is not None:
            if self._process.poll() is not None:
                raise ClusterError(f"The {self.name} ended at once:\n{self.log_tail()}") from error
            if time.monotonic() > deadline:
                raise ClusterError(f"The {self.name} did not start:\n{self.log_tail()}") from error
            time.sleep(0.1)

    def _unhealthy(self) -> OSError | None:
        """Return why the server does not answer yet, or None."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy
        try:
            opener.open(self._health, timeout=5).close()
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it is an answer too, and holds its connection
            return error
        return None

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that the server wrote."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End the server and what it has started; the log goes with it."""
        self._end()

    def _end(self) -> None:
        self._terminate()
        self._ports.close()
        self._folder.cleanup()

    def _terminate(self) -> int:
        """End the process and return its exit code, which is 0 if it could do what it had to do before."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class LocalGateway(Server):
    """A real Dask gateway on this machine, with a random password; no Kubernetes.

    Attributes
    ----------
    address : str
        The URL for ``open_cluster`` and ``dask_gateway.Gateway``.
    user, password : str
        What basic authentication asks for.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        ports = Ports()
        public = f"127.0.0.1:{ports.take()}"
        self.address = f"http://{public}"
        self.user = "me"
        self.password = secrets.token_urlsafe(16)
        files = platform_files()
        super().__init__(
            "gateway",
            "dask_gateway_server",
            ["--config", str(files / "one-machine" / "gateway.py")],
            {
                "HELIO_BURST_PLATFORM_FILES": str(files),
                "HELIO_BURST_GATEWAY_API_ADDRESS": f"127.0.0.1:{ports.take()}",
                "HELIO_BURST_GATEWAY_ADDRESS": public,
                "HELIO_BURST_GATEWAY_PASSWORD": self.password,
                "DASK_GATEWAY_ENCRYPT_KEYS": secrets.token_hex(16),  # 32 characters
                **(environment or {}),
            },
            f"{self.address}/api/health",
            ports,
        )
        # A hub's token in the environment of a user's server is not for this gateway.
        self._environment.pop("JUPYTERHUB_API_TOKEN", None)

    def stop(self) -> None:
        """End the gateway and its clusters; also if it has died or hangs: its successor knows them too."""
        if self._terminate() != 0:
            self.start()
        super().stop()
