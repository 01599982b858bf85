"""Which clusters there are, and an end to all of them."""

from __future__ import annotations

from datetime import UTC
from functools import partial
from typing import Any

import pandas as pd

from helio_burst.cluster import ending
from helio_burst.cluster.gateway import ask, close_gateway, connect_gateway
from helio_burst.cluster.targets import Target, choose_target
from helio_burst.errors import InputError

COLUMNS = ("name", "kind", "status", "started", "detached", "here", "dashboard")


def list_clusters(target: str | None = None, *, token: str | None = None) -> pd.DataFrame:
    """List the clusters of this session, and all of the user's on a gateway.

    Parameters
    ----------
    target : str, optional
        A gateway, as in `open_cluster`; the configured one, if any, when not given.
    token : str, optional
        Token of the hub that the gateway belongs to.

    Returns
    -------
    DataFrame
        Columns name, kind, status, started (UTC), detached, here (whether this session opened it), dashboard.

    Raises
    ------
    ClusterError
        If the gateway does not answer or refuses the token.
    """
    rows: dict[str, dict[str, Any]] = {
        cluster.name: {
            "name": cluster.name,
            "kind": cluster.target.kind,
            "status": "running",
            "started": cluster.opened,
            "detached": cluster.detached,
            "here": True,
            "dashboard": cluster.dashboard,
        }
        for cluster in ending.open_clusters()
    }
    gateway = _gateway(target, token)
    if gateway is not None:
        try:
            for report in ask(gateway, "list its clusters", gateway.list_clusters):
                row = rows.setdefault(report.name, {"name": report.name, "kind": "gateway", "here": False})
                row["status"] = report.status.name.lower()
                row["started"] = report.start_time.astimezone(UTC)
                row["detached"] = bool((report.options or {}).get("detached"))
                row.setdefault("dashboard", report.dashboard_link)
        finally:
            close_gateway(gateway)
    frame = pd.DataFrame(list(rows.values()), columns=list(COLUMNS))
    return frame.astype({"started": "datetime64[ns, UTC]", "detached": bool, "here": bool})


def stop_all(target: str | None = None, *, token: str | None = None) -> list[str]:
    """Stop the clusters of this session and all of the user's on a gateway, detached ones too.

    Parameters
    ----------
    target, token
        As in `list_clusters`.

    Returns
    -------
    list of str
        The names of the clusters that were stopped.
    """
    stopped = [cluster.name for cluster in ending.open_clusters()]
    ending.close_all()
    gateway = _gateway(target, token)
    if gateway is not None:
        try:
            for report in ask(gateway, "list its clusters", gateway.list_clusters):
                ask(gateway, f"stop {report.name}", partial(gateway.stop_cluster, report.name))
                if report.name not in stopped:
                    stopped.append(report.name)
        finally:
            close_gateway(gateway)
    return stopped


def _gateway(target: str | None, token: str | None) -> Any:
    """Return the gateway to ask, or None if none was named and none is configured."""
    chosen: Target = choose_target(target)
    if chosen.kind == "gateway":
        return connect_gateway(chosen, token=token)
    if target is not None and chosen.kind != "local":
        raise InputError(f"{target!r} is no gateway; only gateways know of clusters beside this session's.")
    return None
