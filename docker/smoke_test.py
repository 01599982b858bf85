"""The last step of the image's build: everything the image is for starts, as the user it will run as."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import dask

# What a notebook, a scheduler and a worker import. A broken wheel or a missing system library shows here.
MODULES = (
    "astropy.io.fits",
    "cdflib",
    "dask_gateway",
    "distributed",
    "helio_burst",
    "matplotlib.pyplot",
    "netCDF4",
    "obstore",
    "polars",
    "pysat",
    "s3fs",
    "xarray",
    "zarr",
)
# What the gateway and the hub start in this image, by these words.
COMMANDS = (
    ("dask", "scheduler", "--version"),
    ("dask", "worker", "--version"),
    ("jupyterhub-singleuser", "--version"),
    ("jupyter", "lab", "--version"),
    ("helio-burst", "--help"),
)


def main() -> None:
    """Raise at the first thing that does not work."""
    if os.getuid() == 0:
        raise SystemExit("the image must not run as root")
    for module in MODULES:
        importlib.import_module(module)
    for command in COMMANDS:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    extensions = subprocess.run(
        ("jupyter", "labextension", "list"), check=True, capture_output=True, text=True, timeout=120
    )
    listing = extensions.stdout + extensions.stderr
    if "dask-labextension" not in listing:
        raise SystemExit(f"the Dask extension of JupyterLab is missing; installed:\n{listing}")
    if dask.config.get("labextension.factory.module") != "dask_gateway":
        raise SystemExit("dask does not read /etc/dask/helio-burst.yaml")
    python = sys.version.split()[0]
    print(f"smoke test passed: Python {python}, {len(MODULES)} modules, {len(COMMANDS)} commands")


if __name__ == "__main__":
    main()
