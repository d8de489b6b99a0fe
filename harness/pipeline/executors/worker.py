"""A worker process: takes cells one by one over a pipe, stays warm between them, and ends with its parent."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.core.processes import end_with, quiet_libraries

PROGRESS_EVERY = 0.5
"""Seconds between two messages about the progress of a cell."""


def main(pipe: Connection, root: str, include: Sequence[str], threads: int, started_by: int) -> None:
    """Answer cells until the pipe closes.

    In: `{"kind", "key", "spec", "job"}`. Out: `("progress", (share, detail))`, then one of `("done", summary)`,
    `("cached", summary)`, `("busy", None)`, `("failed", cause)`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=end_with, args=(started_by,), daemon=True).start()
    from harness.core.registry import load_registry
    from harness.core.store import Store

    quiet_libraries()
    load_registry([Path(path) for path in include])
    store = Store(Path(root))
    while True:
        try:
            cell = pipe.recv()
        except (EOFError, OSError):
            return
        last = [time.monotonic()]

        def report(share: float, detail: str = "", last: list[float] = last) -> None:
            if time.monotonic() - last[0] >= PROGRESS_EVERY:
                last[0] = time.monotonic()
                pipe.send(("progress", (share, detail)))

        pipe.send(execute(cell, store, threads, report))


def execute(cell: Mapping[str, Any], store: Any, threads: int, report: Callable[..., None]) -> tuple[str, Any]:
    """Compute one cell into the store, unless it is there or another process is at it."""
    from harness.core.errors import HarnessError
    from harness.core.machine.environment import describe
    from harness.pipeline.steps import compress, finetune, measure, pretrain, score

    kinds = {
        "pretrain": pretrain.run, "finetune": finetune.run, "compress": compress.run, "score": score.run,
        "measure": measure.run,
    }  # fmt: skip
    key = cell["key"]
    with store.try_lock(key) as mine:
        if not mine:
            return "busy", None
        started = time.time()
        try:
            if store.has(key):
                return "cached", summary(store.read(key))
            with store.building(key) as folder:
                clock = time.perf_counter()
                body = kinds[cell["kind"]](cell["spec"], cell["job"], store, folder, report)
                record = {
                    "kind": cell["kind"],
                    "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                    "seed": cell["spec"].get("seed"),
                    "environment": describe(threads),
                    **body,
                    "spec": dict(cell["spec"]),
                    "timings": {"seconds": round(time.perf_counter() - clock, 3)},
                }
                return "done", summary(store.commit(key, folder, record))
        except Exception as error:
            cause = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
            failure = {"kind": cell["kind"], "cause": " ".join(cause.split()), "traceback": traceback.format_exc()}
            with suppress(OSError, HarnessError):
                store.fail(key, failure | {"spec": dict(cell["spec"]), "environment": describe(threads)})
            return "failed", failure["cause"]


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record a progress line shows."""
    scores = {name: score["value"] for name, score in record.get("scores", {}).items()}
    return {"seconds": record["timings"]["seconds"], "scores": scores, "verdict": record.get("verdict", "")}
