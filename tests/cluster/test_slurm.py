"""Workers as jobs of a real Slurm, from Debian's packages, on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helio_burst.cluster import open_cluster
from helio_burst.cluster.one_machine import Ports
from tests.cluster.conftest import until

pytestmark = pytest.mark.slow

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """munge, the controller and one node; SLURM_CONF points at them."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (Debian: apt-get install slurm-wlm munge)")
    if os.getuid() != 0:
        pytest.skip("slurmd starts jobs as their users and must run as root")
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "spool").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    ports = Ports()
    configuration.write_text(
        CONFIGURATION.format(host=host, folder=folder, controller_port=ports.take(), node_port=ports.take())
    )
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
    daemons = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", host],
    ]
    with pytest.MonkeyPatch.context() as patch, ports, contextlib.ExitStack() as stack:
        patch.setenv("SLURM_CONF", str(configuration))
        for daemon in daemons:
            log = stack.enter_context((folder / f"{daemon[0]}.log").open("w"))
            process = subprocess.Popen(daemon, env=environment, stdout=log, stderr=log)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            if daemon[0] == "munged":
                until((folder / "munge.socket").exists, 20)
        until(lambda: "idle" in _run("sinfo", "--noheader", "--format=%T"), 30)
        yield folder
        until(lambda: not _run("squeue", "--noheader"), 30)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout


def test_jobs_come_and_go(slurm: Path) -> None:
    cluster = open_cluster(
        "slurm",
        workers=(1, 2),
        cores=1,
        memory="512 MiB",
        environment={"SIGN": 7},
        start_timeout="60 s",
        options={"queue": "short", "walltime": "00:10:00", "log_directory": str(slurm)},
    )
    with cluster as client:
        assert client.submit(lambda: os.environ["SIGN"]).result(timeout=60) == "7"
        assert len(_run("squeue", "--noheader", "--states=R").splitlines()) == 1
        cluster.scale(2)
        until(lambda: cluster.size().workers == 2)
    until(lambda: not _run("squeue", "--noheader", "--states=R"), 30)
