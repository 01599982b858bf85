"""The scripts of worker jobs have the form that each batch system documents."""

from __future__ import annotations

import pytest

from helio_burst.cluster.batch import job_script
from helio_burst.cluster.request import Request
from helio_burst.errors import InputError

GIB = 2**30
REQUEST = Request(
    cores=4,
    memory=8 * GIB,
    environment={"AWS_REGION": "us-east-1", "NOTE": "two words"},
    options={"queue": "short", "walltime": "01:30:00"},
)


def directives(script: str, mark: str) -> list[str]:
    return [line.removeprefix(mark).strip() for line in script.splitlines() if line.startswith(mark)]


def test_slurm() -> None:
    script = job_script(REQUEST, "slurm")
    assert script.startswith("#!")
    found = directives(script, "#SBATCH")
    assert {"-p short", "-n 1", "--cpus-per-task=4", "--mem=8G", "-t 01:30:00"} <= set(found)


def test_sge_asks_for_as_many_slots_as_cores() -> None:
    found = directives(job_script(REQUEST, "sge"), "#$")
    assert {"-q short", "-l h_rt=01:30:00", "-cwd", "-j y", "-pe smp 4"} <= set(found)
    own = Request(cores=4, options={"job_extra_directives": ["-pe mpi 4"]})
    assert [line for line in directives(job_script(own, "sge"), "#$") if "-pe" in line] == ["-pe mpi 4"]
    assert not any("-pe" in line for line in directives(job_script(Request(cores=1), "sge"), "#$"))


def test_pbs() -> None:
    found = directives(job_script(REQUEST, "pbs"), "#PBS")
    assert {"-q short", "-l walltime=01:30:00", "-l select=1:ncpus=4:mem=8192MB"} <= set(found)


@pytest.mark.parametrize("kind", ["slurm", "sge", "pbs"])
def test_the_worker_that_a_job_starts(kind: str) -> None:
    script = job_script(REQUEST, kind)
    assert "export AWS_REGION=us-east-1" in script
    assert "export NOTE='two words'" in script
    worker = script.strip().splitlines()[-1]
    for part in ("-m distributed.cli.dask_worker", "--nthreads 4", "--nanny", "--memory-limit 8.00GiB"):
        assert part in worker
    assert worker.index("tcp://scheduler:8786") > 0


def test_no_images() -> None:
    with pytest.raises(InputError, match="runs no images"):
        job_script(Request(image="a:1"), "pbs")
