"""Whether the workers have the same Python and packages as this session."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Sequence
from importlib import metadata

from distributed import Client

from helio_burst.cluster.deadline import within
from helio_burst.errors import ClusterError, HelioBurstWarning

# Objects of these travel between session and workers, or the science depends on them.
PACKAGES = (
    "helio-burst", "dask", "distributed", "cloudpickle", "numpy", "pandas", "pyarrow", "xarray", "astropy",
    "scipy", "sunpy", "obspy", "pysat", "msgpack",
)  # fmt: skip
# Pickles of one major version of these cannot be read by another.
STRICT = ("numpy", "pandas", "xarray", "astropy")


def check_versions(client: Client, also: Sequence[str] = (), seconds: float = 60.0) -> None:
    """Compare Python and packages here and on one worker.

    Parameters
    ----------
    client : distributed.Client
        A client of a cluster with at least one worker.
    also : sequence of str, optional
        Names of further distributions, beside `PACKAGES`.
    seconds : float, optional
        The deadline.

    Raises
    ------
    ClusterError
        If what is sent to the workers could not be read there: another minor version of Python, another
        major version of numpy and the like, or no `helio_burst`.
    """
    names = (*PACKAGES, *also)

    # A function inside a function goes to the worker by value: there, helper modules may be missing.
    def versions_there(names: Sequence[str]) -> dict[str, str]:
        import importlib.util
        import platform
        from importlib import metadata

        found = {"python": platform.python_version()}
        for name in names:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                if importlib.util.find_spec(name.replace("-", "_")):
                    found[name] = "?"
        return found

    worker = next(iter(client.scheduler_info(n_workers=1)["workers"]), None)
    if worker is None:
        return
    try:
        answer = within(seconds, lambda: client.run(versions_there, names, workers=[worker]))
    except TimeoutError as error:
        raise ClusterError(f"Worker {worker} does not answer within {seconds:g} s.") from error
    compare(versions_here(names), answer[worker])


def versions_here(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that this session has."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def compare(here: dict[str, str], there: dict[str, str]) -> None:
    """Raise for differences that break a job, warn of the others.

    Examples
    --------
    >>> here = {"python": "3.11.7", "helio-burst": "0.1.0"}
    >>> compare(here, {**here, "python": "3.11.9"})
    """
    fatal, harmless = [], []
    if "helio-burst" not in there:
        fatal.append("helio_burst is missing there")
    for name, version in here.items():
        other = there.get(name)
        if other == version or (other == "?"):
            continue
        words = f"{name} {version} here, {other or 'missing'} there"
        depth = {"python": 2, **dict.fromkeys(STRICT, 1)}.get(name)
        if depth is not None and (other is None or version.split(".")[:depth] != other.split(".")[:depth]):
            fatal.append(words)
        elif other is None or name != "python":
            harmless.append(words)
    if fatal:
        raise ClusterError(
            f"This session and the workers do not fit together: {'; '.join(fatal + harmless)}. "
            "Choose an image or an environment that both have (open_cluster(image=...))."
        )
    if harmless:
        warnings.warn(
            f"Versions differ between this session and the workers: {'; '.join(harmless)}.",
            HelioBurstWarning,
            stacklevel=3,
        )
