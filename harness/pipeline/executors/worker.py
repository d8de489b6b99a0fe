"""A worker process: takes cells one by one over a pipe, stays warm between them, and ends with its parent."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from harness.core.machine.processes import end_with_parent, quiet_libraries
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.pipeline.executors.execute import execute

PROGRESS_EVERY = 0.5
"""Seconds between two messages about the progress of a cell."""


def main(pipe: Connection, root: str, include: Sequence[str], threads: int, environment: Mapping[str, str]) -> None:
    """Answer cells until the pipe closes, in an environment and with so many intra-op threads.

    In: a `Cell`. Out: `("progress", (fraction, detail))`, then one of `("done", summary)`,
    `("cached", summary)`, `("busy", None)`, `("failed", cause)`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    if "torch" in sys.modules:  # of a process that had other threads
        sys.modules["torch"].set_num_threads(threads)
    gc.freeze()  # what is imported stays, and is shared with the process that this is a copy of
    gc.enable()
    quiet_libraries()
    load_registry(include)
    store = Store(Path(root))
    while True:
        try:
            cell = pipe.recv()
        except (EOFError, OSError):
            return
        last = [time.monotonic()]

        def report(fraction: float, detail: str = "", last: list[float] = last) -> None:
            if time.monotonic() - last[0] >= PROGRESS_EVERY:
                last[0] = time.monotonic()
                pipe.send(("progress", (fraction, detail)))

        pipe.send(execute(cell, store, threads, report))
