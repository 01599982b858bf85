"""Run a module as ``python -m`` does, but end it when the process that started it is gone.

``python -m helio_burst.cluster.child MODULE ARGUMENTS`` is how servers on one machine are started: even a
parent that is killed leaves nothing behind.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Watch the parent and run the module that the command line names."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
