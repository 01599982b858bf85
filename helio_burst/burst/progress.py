"""How far a run is: the numbers, and their display on a terminal, in a notebook and in a log."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self

from helio_burst.cluster.view import in_notebook


@dataclass(frozen=True)
class Progress:
    """The state of a run at one moment.

    Attributes
    ----------
    total, done, failed, resumed : int
        Items in all; done (failed ones included); failed; done by earlier runs.
    bytes : int
        Bytes read in this run.
    seconds : float
        Time since the run began.
    threads : int
        Worker threads at present.
    cost : float
        US dollars spent by this run, by the price table.
    note : str
        What the user should know at this moment, such as that there is no worker yet.
    unit : str
        What the items are.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    resumed: int = 0
    bytes: int = 0
    seconds: float = 0.0
    threads: int = 0
    cost: float = 0.0
    note: str = ""
    unit: str = "files"

    @property
    def items_per_second(self) -> float:
        """Items of this run per second."""
        return (self.done - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes of this run per second."""
        return self.bytes / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds until the end at the present rate; None where nothing is known yet."""
        rate = self.items_per_second
        return (self.total - self.done) / rate if rate > 0 else None

    def line(self) -> str:
        """Return it as one line of text."""
        parts = [f"{self.done:,}/{self.total:,}", f"{self.items_per_second:,.1f} {self.unit}/s"]
        if self.bytes:
            parts.append(f"{self.bytes_per_second / 1e6:,.1f} MB/s")
        remaining = self.remaining_seconds
        if self.done < self.total:
            parts.append(f"ETA {duration(remaining)}" if remaining is not None else "ETA unknown")
        else:
            parts.append(f"in {duration(self.seconds)}")
        parts.append(f"{self.failed:,} failed" if self.failed else "no failures")
        if self.resumed:
            parts.append(f"{self.resumed:,} from the ledger")
        if self.cost >= 0.005:
            parts.append(f"${self.cost:,.2f}")
        if self.note:
            parts.append(self.note)
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """Write a time span for people.

    Examples
    --------
    >>> duration(3.21), duration(75), duration(7384)
    ('3.2 s', '1 min 15 s', '2 h 03 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Display(Protocol):
    """Something that shows the progress of a run while it is in its ``with`` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, progress: Progress) -> None:
        """Show this state."""


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def update(self, progress: Progress) -> None:
        """Show nothing."""


class TerminalDisplay(Silent):
    """A bar on a terminal, by rich."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[line]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(title, total=None, line="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(self._task, total=progress.total, completed=progress.done, line=progress.line())


class NotebookDisplay(Silent):
    """A bar in a notebook's output; what it shows last stays in the saved notebook."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._handle: Any = None
        self._shown = ""

    def update(self, progress: Progress) -> None:
        """Draw the bar anew if anything has changed."""
        from IPython.display import HTML, display

        if progress.line() == self._shown:
            return
        self._shown = progress.line()
        page = HTML(_bar_html(self._title, progress))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)


def _bar_html(title: str, progress: Progress) -> str:
    from html import escape

    share = 100 * progress.done / progress.total if progress.total else 0
    colour = "#c0392b" if progress.failed else "#2a7f62"
    return (
        f'<div class="helio-burst-progress" data-done="{progress.done}" data-total="{progress.total}" '
        'style="max-width:60em;font-size:90%">'
        f"<div><b>{escape(title)}</b> {escape(progress.line())}</div>"
        '<div style="background:#8884;border-radius:3px;height:8px;margin-top:3px">'
        f'<div style="background:{colour};border-radius:3px;height:8px;width:{share:.1f}%"></div></div></div>'
    )


class LogDisplay(Silent):
    """A line on standard error now and then: in a log or a batch job."""

    def __init__(self, title: str, every: float = 30.0) -> None:
        self._title = title
        self._every = every
        self._next = time.monotonic() + every
        self._last: Progress | None = None

    def __exit__(self, *exception: object) -> None:
        if self._last is not None:
            print(f"{self._title}: {self._last.line()}", file=sys.stderr)

    def update(self, progress: Progress) -> None:
        """Write a line if the last one is long ago."""
        self._last = replace(progress)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            print(f"{self._title}: {progress.line()}", file=sys.stderr)


def open_display(title: str, show: bool | None) -> Display:
    """Choose the display: none if not wanted, else that of the place where the code runs."""
    if show is False:
        return Silent()
    if in_notebook():
        return NotebookDisplay(title)
    if sys.stderr.isatty():
        return TerminalDisplay(title)
    return LogDisplay(title) if show else LogDisplay(title, every=60.0)
