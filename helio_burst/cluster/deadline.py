"""Calls that may hang, with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, action: Callable[[], T]) -> T:
    """Return what an action returns, or raise what it raises, but wait no longer than the deadline.

    It runs in a daemon thread, since neither a broken network nor a dead event loop may keep a session
    waiting or an interpreter from ending; a late one is left behind.

    Raises
    ------
    TimeoutError
        If the deadline has passed.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(action())
        except BaseException as error:  # raised again below, in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True, name="helio-burst deadline")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if failure:
        raise failure[0]
    return result[0]
