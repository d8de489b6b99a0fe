"""A worker in a job of a batch system: takes cells from a file, stays warm between them, and ends with its run."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil

from harness.core.machine.processes import end_with, in_this_process
from harness.pipeline.executors.cell_json import cell_from_json
from harness.pipeline.executors.mailbox import BEAT, Mailbox, sign_of_life
from harness.pipeline.executors.remote_worker import RemoteWorker, Setup

LOST_AFTER = 24 * BEAT
"""Seconds without a sign of life after which a run on another machine counts as dead; file systems may show it late."""
LEAST_PAUSE, MOST_PAUSE = 0.005, 0.5
"""Seconds between two looks for a cell."""


def serve(folder: str, number: int, inside: bool = False) -> None:
    """Compute the cells in `NUMBER.in` one after another, answering in `NUMBER.out`, until it says that there are no
    more. A job that is started again goes on where it was. `inside`: in the process of the run, which goes on.
    """
    place = Path(folder)
    inbox, outbox = Mailbox(place / f"{number}.in"), Mailbox(place / f"{number}.out")
    outbox.end_line()
    answered = {message["key"] for message in outbox.read() if "key" in message and message["kind"] != "progress"}
    if not inside:
        logging.getLogger("submitit").setLevel(logging.WARNING)
        threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
        threading.Thread(target=_end_with_run, args=(place,), daemon=True).start()
    setup = Setup.from_json((place / f"{number}.setup").read_text(encoding="utf-8"))
    worker = RemoteWorker(setup, inside)
    outbox.add({"ready": worker.refusal})
    pause = LEAST_PAUSE
    with in_this_process(setup.threads) if inside else nullcontext():
        while True:
            messages = inbox.read()
            for message in messages:
                if "end" in message:
                    return
                if message["key"] in answered:
                    answered.discard(message["key"])
                    continue
                _answer(worker, message, outbox)
            pause = LEAST_PAUSE if messages else min(2 * pause, MOST_PAUSE)
            time.sleep(pause)


def _answer(worker: RemoteWorker, message: Any, outbox: Mailbox) -> None:
    key = message["key"]

    def report(fraction: float, detail: str) -> None:
        outbox.add({"key": key, "kind": "progress", "content": [fraction, detail]})

    kind, content = worker.compute(cell_from_json(message), report)
    outbox.add({"key": key, "kind": kind, "content": content})


def _end_with_run(folder: Path) -> None:
    """Leave when the run is gone, however it went: an orphan would hold locks and its place on the cluster."""
    last, seen = None, time.monotonic()
    process = _process_of(folder)
    while True:
        time.sleep(1.0)
        sign = sign_of_life(folder)
        if sign is not None and sign != last:
            last, seen = sign, time.monotonic()
        if (process is not None and not _lives(process)) or time.monotonic() - seen > LOST_AFTER:
            os._exit(1)


def _process_of(folder: Path) -> psutil.Process | None:
    """The process of the run, where it is one of this machine."""
    host, _, number = (folder / "run").read_text().partition(" ")
    if host != os.uname().nodename:
        return None
    try:
        return psutil.Process(int(number))
    except psutil.NoSuchProcess:
        os._exit(1)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
