"""Configuration of a Dask gateway on one machine; helio_burst.cluster.one_machine starts it.

What the Helm chart sets by its values stands here; the rest is `gateway/clusters.py`, the file that the chart
mounts. The addresses and the password come from the environment. `c` is the configuration so far.
"""
# ruff: noqa: F821

import os
from pathlib import Path

from dask_gateway_server.backends.local import UnsafeLocalBackend

c.DaskGateway.address = os.environ["HELIO_BURST_GATEWAY_API_ADDRESS"]
c.Proxy.address = os.environ["HELIO_BURST_GATEWAY_ADDRESS"]
c.Proxy.prefix = os.environ.get("HELIO_BURST_GATEWAY_PREFIX", "")

if "JUPYTERHUB_API_TOKEN" in os.environ:  # the hub started this gateway as its service
    c.DaskGateway.authenticator_class = "dask_gateway_server.auth.JupyterHubAuthenticator"
else:
    c.SimpleAuthenticator.password = os.environ["HELIO_BURST_GATEWAY_PASSWORD"]

# A busy machine delays heartbeats; the default of 30 s would end clusters in the middle of their work.
c.UnsafeLocalBackend.cluster_heartbeat_timeout = 90
c.UnsafeLocalBackend.cluster_heartbeat_period = 5
c.UnsafeLocalBackend.worker_start_timeout = 90
c.UnsafeLocalBackend.sigint_timeout = 3

# A gateway that is killed and started again knows its clusters; DASK_GATEWAY_ENCRYPT_KEYS opens its file.
c.UnsafeLocalBackend.db_url = "sqlite:///gateway.sqlite"
# The proxy of the one before may hold the port a moment longer: the new one is soon tried again.
c.Proxy.proxy_status_period = 1

# Credentials and settings reach the workers as they do on this machine.
PASSED_ON = ("AWS_", "DASK_", "HELIO_BURST_STORAGE_", "CONDA_", "LC_", "SSL_", "COVERAGE_")
c.UnsafeLocalBackend.inherited_environment = [
    "HOME", "LANG", "PATH", "PYTHONPATH", "PYTHONWARNINGS", "TMPDIR", "TZ", "VIRTUAL_ENV",
    *(name for name in os.environ if name.startswith(PASSED_ON) and not name.startswith("DASK_GATEWAY")),
]  # fmt: skip

shared = Path(os.environ["HELIO_BURST_PLATFORM_FILES"], "gateway", "clusters.py")
exec(compile(shared.read_text(encoding="utf-8"), str(shared), "exec"))


class LimitedLocalBackend(LimitedClusters, UnsafeLocalBackend):
    """The backend for one machine, with the limit on a user's clusters."""


c.DaskGateway.backend_class = LimitedLocalBackend
