"""Run a module as ``python -m`` does, but end it when the process that started it is gone.

Servers on one machine are started so: even a parent that is killed leaves nothing behind. It is run as a
file, not as a module of its package, whose import would take longer than the start of the server.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time


def command(module: str) -> list[str]:
    """Return the command that runs a module as a child of this process; its arguments are to follow."""
    # The child gets our id, since we may be gone before it can look who has started it.
    return [sys.executable, "-P", __file__, str(os.getpid()), module]


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Watch the parent and run the module that the command line names."""
    _, parent, module, *_ = sys.argv
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
