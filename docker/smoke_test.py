"""The last step of the image's build: everything the image is for starts, as the user it will run as."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys

import dask
import numpy as np
from astropy.io import fits

from helio_burst import readers

# What a notebook, a scheduler and a worker import. A broken wheel or a missing system library shows here.
MODULES = (
    "cdflib",
    "dask_gateway",
    "distributed",
    "matplotlib.pyplot",
    "netCDF4",
    "numba",
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


def read_rice_image() -> None:
    """Read a compressed image; the machine code that this makes stays in the image, for its workers."""
    values = np.arange(64 * 64, dtype="i2").reshape(64, 64)
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type="RICE_1")]).writeto(file)
    if not (readers.fits(file.getvalue()).values == values).all():
        raise SystemExit("a Rice-compressed image is not read as it was written")


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
    read_rice_image()
    python = sys.version.split()[0]
    print(f"smoke test passed: Python {python}, {len(MODULES)} modules, {len(COMMANDS)} commands")


if __name__ == "__main__":
    main()
