"""What a user asks of a cluster, in the words of a gateway's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helio_burst.cluster.request import Request
from helio_burst.errors import InputError, nearest

if TYPE_CHECKING:
    from dask_gateway.options import Options

# What the arguments of `open_cluster` are called by gateways; the first that is offered is taken.
OPTION_NAMES = {
    "cores": ("worker_cores", "cores", "worker_cpu"),
    "memory": ("worker_memory", "memory"),
    "environment": ("environment",),
    "image": ("image",),
    "idle": ("idle_minutes",),
    "detached": ("detached",),
}


def choose(offered: Options, request: Request, address: str) -> dict[str, Any]:
    """Return the options of the gateway at an address for a request.

    Raises
    ------
    InputError
        If the gateway does not offer what is asked for; the message lists what it does.
    """
    wanted: dict[str, Any] = {}
    for argument, value in _asked_for(request).items():
        names = [name for name in OPTION_NAMES[argument] if name in offered]
        if not names and argument == "detached":  # other gateways know no difference
            continue
        if not names:
            raise InputError(
                f"The gateway at {address} lets nobody choose {argument}={value!r}. "
                f"It offers: {describe(offered)}."
            )
        wanted[names[0]] = value
    for name, value in request.options.items():
        if name not in offered:
            raise InputError(
                f"The gateway at {address} has no option {name!r}. {nearest(name, offered)} "
                f"It offers: {describe(offered)}."
            )
        wanted[name] = value
    for name, value in wanted.items():
        try:
            offered[name] = value
        except (TypeError, ValueError) as error:
            raise InputError(
                f"The gateway at {address} refuses {name}={value!r}: {error}. It offers: {describe(offered)}."
            ) from error
    return dict(offered)


def _asked_for(request: Request) -> dict[str, Any]:
    """Return what a request sets, in the units that gateways use: GiB and minutes."""
    asked: dict[str, Any] = {}
    if request.cores is not None:
        asked["cores"] = request.cores
    if request.memory is not None:
        asked["memory"] = request.memory / 2**30
    if request.environment:
        asked["environment"] = dict(request.environment)
    if request.image is not None:
        asked["image"] = request.image
    if request.idle is not None:
        asked["idle"] = request.idle / 60
    if request.detached:
        asked["detached"] = True
    return asked


def describe(offered: Options) -> str:
    """List a gateway's options with their bounds, for an error message."""
    words = []
    for name, field in offered._fields.items():
        low, high = getattr(field, "min", None), getattr(field, "max", None)
        choices = getattr(field, "options", None)
        if low is not None or high is not None:
            words.append(f"{name} ({'' if low is None else low} to {'' if high is None else high})")
        elif choices:
            words.append(f"{name} (one of {', '.join(choices)})")
        else:
            words.append(name)
    return ", ".join(words) or "no options at all"
