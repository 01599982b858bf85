"""How a cluster looks in a notebook: a table, the dashboard's link, a control for the number of workers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from dask.utils import format_bytes, format_time

from helio_burst.errors import ClusterError

if TYPE_CHECKING:
    from helio_burst.cluster.handle import Cluster


def in_notebook() -> bool:
    """Say whether this code runs in a notebook's kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def facts(cluster: Cluster) -> dict[str, str]:
    """Return what there is to say of a cluster, by its label."""
    found = {"Cluster": cluster.name, "Kind": f"{cluster.target.kind}, since {cluster.target.why}"}
    if cluster.closed:
        return {**found, "State": "closed"}
    try:
        found |= _now(cluster)
    except ClusterError as error:
        return {**found, "State": str(error)}
    if cluster.notes:
        found["Note"] = "; ".join(cluster.notes)
    if cluster.dashboard:
        found["Dashboard"] = cluster.dashboard
    return found


def _now(cluster: Cluster) -> dict[str, str]:
    size = cluster.size()
    asked = ""
    if cluster.bounds is not None:
        low, high = cluster.bounds
        asked = f" of {low}" if low == high else f" (between {low} and {high})"
    found = {
        "Workers": f"{size.workers}{asked}",
        "Cores": str(size.cores),
        "Memory": format_bytes(size.memory),
        "Open for": format_time(cluster.age()),
    }
    if cluster.counts_use:
        use = cluster.use()
        found["Cost so far"] = f"about {use.cost()} ({use.core_hours:.2f} core hours)"
    return found


def text(found: dict[str, str]) -> str:
    """Return `facts` as lines of text."""
    return "\n".join(f"{label:12} {value}" for label, value in found.items())


def html(found: dict[str, str]) -> str:
    """Return `facts` as a table in HTML, with a link to the dashboard."""
    cells = {label: escape(value) for label, value in found.items()}
    if "Dashboard" in cells:
        link = cells["Dashboard"]
        cells["Dashboard"] = f'<a href="{link}" target="_blank" style="text-decoration: underline">{link}</a>'
    rows = "".join(
        f'<tr><th style="text-align:left">{label}</th><td style="text-align:left">{value}</td></tr>'
        for label, value in cells.items()
    )
    return f"<table>{rows}</table>"


def controls(cluster: Cluster, found: dict[str, str]) -> Any:
    """Return an ipywidgets box: the table of `facts`, and a control that scales the cluster."""
    import ipywidgets as widgets

    table = widgets.HTML(html(found))
    low, high = cluster.bounds or (1, 1)
    bounds = [
        widgets.BoundedIntText(
            value,
            min=0,
            max=100_000,
            description=label,
            style={"description_width": "initial"},
            layout={"width": width},
        )
        for value, label, width in ((low, "Workers from", "180px"), (high, "to", "110px"))
    ]
    button = widgets.Button(description="Scale", button_style="primary", layout={"width": "90px"})
    refresh = widgets.Button(description="Refresh", layout={"width": "90px"})
    message = widgets.HTML()

    def show(_: Any = None) -> None:
        table.value = html(facts(cluster))

    def scale(_: Any) -> None:
        try:
            cluster.scale((bounds[0].value, bounds[1].value))
            message.value = ""
        except Exception as error:  # a click has no caller; the person who clicked is told
            message.value = f"<b>{escape(type(error).__name__)}</b>: {escape(str(error))}"
        show()

    button.on_click(scale)
    refresh.on_click(show)
    return widgets.VBox([table, widgets.HBox([*bounds, button, refresh]), message])


def mimebundle(cluster: Cluster) -> dict[str, Any]:
    """Return what Jupyter shows: the control where ipywidgets is there, the table everywhere else."""
    found = facts(cluster)
    bundle: dict[str, Any] = {"text/plain": text(found), "text/html": html(found)}
    if cluster.closed or not cluster.scalable:
        return bundle
    try:
        widget = controls(cluster, found)
    except ImportError:
        return bundle
    return {**widget._repr_mimebundle_(), **bundle}
