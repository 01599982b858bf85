"""The whole platform on one machine: JupyterHub, its proxy, the gateway as its service (``make hub``)."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from helio_burst.cluster import child, ending
from helio_burst.cluster.one_machine import Ports, Server, platform_files

USER = "scientist"
ENDS = (signal.SIGINT, *ending.SIGNALS)


class LocalHub(Server):
    """A real JupyterHub on this machine, with users of one random password; a context manager.

    Parameters
    ----------
    users : sequence of str, optional
        Who may log in.
    port : int, optional
        Where browsers find it; 0 is any free port.
    homes : path, optional
        Where the users' home folders are; a temporary folder if not given.
    environment : mapping, optional
        Further variables of the hub; those of object storage reach the users' servers and the workers.

    Attributes
    ----------
    address, gateway_address, proxy_address : str
        Of the hub, of the gateway behind it, and of the gateway's proxy for schedulers.
    password : str
        The users' password.
    """

    def __init__(
        self,
        users: Sequence[str] = (USER,),
        port: int = 0,
        homes: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        ports = Ports()
        gateway = f"127.0.0.1:{ports.take()}"
        self.address = f"http://127.0.0.1:{port or ports.take()}"
        self.gateway_address = f"{self.address}/services/dask-gateway"
        self.proxy_address = gateway
        self.password = secrets.token_urlsafe(9)
        self._operator_token = secrets.token_hex(16)
        files = platform_files()
        super().__init__(
            "hub",
            "jupyterhub",
            ["--config", str(files / "one-machine" / "hub.py")],
            {
                "HELIO_BURST_PLATFORM_FILES": str(files),
                "HELIO_BURST_CHILD": child.__file__,
                "HELIO_BURST_HUB_ADDRESS": self.address,
                "HELIO_BURST_HUB_API_ADDRESS": f"http://127.0.0.1:{ports.take()}",
                "HELIO_BURST_PROXY_API_ADDRESS": f"http://127.0.0.1:{ports.take()}",
                "HELIO_BURST_GATEWAY_API_ADDRESS": f"127.0.0.1:{ports.take()}",
                "HELIO_BURST_GATEWAY_ADDRESS": gateway,
                "HELIO_BURST_HUB_USERS": ",".join(users),
                "HELIO_BURST_HUB_PASSWORD": self.password,
                "HELIO_BURST_HUB_OPERATOR_TOKEN": self._operator_token,
                "DASK_GATEWAY_ENCRYPT_KEYS": secrets.token_hex(16),  # 32 characters
                **(environment or {}),
            },
            f"{self.gateway_address}/api/health",
            ports,
        )
        self.homes = homes or self.folder / "homes"
        for user in users:
            (self.homes / user).mkdir(parents=True, exist_ok=True)
        self._environment["HELIO_BURST_HUB_HOMES"] = str(self.homes)

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Call the hub's REST API as its operator; return the answer's JSON, if any."""
        request = urllib.request.Request(
            f"{self.address}/hub/api{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self._operator_token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def token(self, user: str, scopes: Sequence[str] | None = None, expires_in: int | None = None) -> str:
        """Make a token of a user, as the hub's token page does."""
        body: dict[str, Any] = {"note": "helio_burst.cluster.hub"}
        if scopes is not None:
            body["scopes"] = list(scopes)
        if expires_in is not None:
            body["expires_in"] = expires_in
        return str(self.request("POST", f"/users/{user}/tokens", body)["token"])


def main(port: int = 8000) -> None:
    """Run the platform until Ctrl-C; print where it is and how to log in."""
    for number in ENDS:
        signal.signal(number, _end)
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise SystemExit(f"Port {port} is taken. Choose another: make hub PORT=8001") from error
    print("Starting JupyterHub, its proxy and the gateway ...", flush=True)
    notebooks = Path.cwd() / "notebooks"
    with LocalHub(port=port) as hub:
        if notebooks.is_dir():
            shutil.copytree(notebooks, hub.homes / USER / "notebooks")
        print(f"JupyterHub   {hub.address}")
        print(f"user         {USER}")
        print(f"password     {hub.password}")
        print("gateway      hb.open_cluster() in a notebook there finds it, dashboard included")
        print("notebooks    copies, which end with the hub; download what you want to keep")
        print("Ctrl-C ends it, with everything that it has started.", flush=True)
        signal.pause()


def _end(number: int, frame: FrameType | None) -> None:
    """Leave the `with` block, also while the hub still starts; asked once more, go on with that."""
    for other in ENDS:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
