"""How a cluster looks in a notebook: a table, the dashboard's link, a control for the number of workers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from dask.utils import format_bytes, format_time

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
    if cluster.closed:
        return {"Cluster": cluster.name, "Kind": cluster.target.kind, "State": "closed"}
    size = cluster.size()
    asked = ""
    if cluster.bounds is not None:
        low, high = cluster.bounds
        asked = f" of {low}" if low == high else f" (between {low} and {high})"
    found = {
        "Cluster": cluster.name,
        "Kind": f"{cluster.target.kind}, since {cluster.target.why}",
        "Workers": f"{size.workers}{asked}",
        "Cores": str(size.cores),
        "Memory": format_bytes(size.memory),
        "Open for": format_time(cluster.age()),
    }
    if cluster.counts_use:
        use = cluster.use()
        found["Cost so far"] = f"about {use.cost()} ({use.core_hours:.2f} core hours)"
    if cluster.notes:
        found["Note"] = "; ".join(cluster.notes)
    return found


def html(cluster: Cluster) -> str:
    """Return the table of `facts` as HTML, with the link to the dashboard."""
    rows = [(label, escape(value)) for label, value in facts(cluster).items()]
    if cluster.dashboard and not cluster.closed:
        link = escape(cluster.dashboard, quote=True)
        rows.append(("Dashboard", f'<a href="{link}" target="_blank">{link}</a>'))
    cells = "".join(
        f'<tr><th style="text-align:left">{label}</th><td style="text-align:left">{value}</td></tr>'
        for label, value in rows
    )
    return f"<table>{cells}</table>"


def controls(cluster: Cluster) -> Any:
    """Return an ipywidgets box: the table, and a control that scales the cluster."""
    import ipywidgets as widgets

    table = widgets.HTML(html(cluster))
    low, high = cluster.bounds or (1, 1)
    bounds = [
        widgets.BoundedIntText(value, min=0, max=100_000, description=text, layout={"width": "180px"})
        for value, text in ((low, "Workers from"), (high, "to"))
    ]
    button = widgets.Button(description="Scale", button_style="primary", layout={"width": "90px"})
    refresh = widgets.Button(description="Refresh", layout={"width": "90px"})
    message = widgets.HTML()

    def show(_: Any = None) -> None:
        table.value = html(cluster)

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
    bundle: dict[str, Any] = {"text/plain": repr(cluster), "text/html": html(cluster)}
    if cluster.closed or not cluster.scalable:
        return bundle
    try:
        widget = controls(cluster)
    except ImportError:
        return bundle
    return {**widget._repr_mimebundle_(), **bundle}
