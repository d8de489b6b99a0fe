"""A worker process: takes cells one by one over a pipe, stays warm between them, and ends with its parent."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from harness.core.machine.processes import end_with, quiet_libraries
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.pipeline.executors.execute import execute

PROGRESS_EVERY = 0.5
"""Seconds between two messages about the progress of a cell."""


def main(pipe: Connection, root: str, include: Sequence[str], threads: int, started_by: int) -> None:
    """Answer cells until the pipe closes.

    In: a `Cell`. Out: `("progress", (fraction, detail))`, then one of `("done", summary)`,
    `("cached", summary)`, `("busy", None)`, `("failed", cause)`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=end_with, args=(started_by,), daemon=True).start()
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
