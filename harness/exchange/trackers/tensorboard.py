"""TensorBoard: a folder a run, with the scalars of its steps, and its settings as a text and in `run.json`.

The event files are written record by record: the library's own writer puts the name of the machine into theirs.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.atomic import write_atomically
from harness.exchange.trackers.base import RunWriter, TrackedRun, Tracker, TrackerPlace

FACTS = "run.json"
FLUSH_EVERY = 2.0
"""Seconds between two times that what was logged is put on disk."""


class EventFile(RunWriter):
    """An event file; values of steps from `from_step` on that files before it hold are void."""

    def __init__(self, folder: Path, config: Mapping[str, Any], from_step: int) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.plugins.text import metadata
        from tensorboard.summary.writer.record_writer import RecordWriter
        from tensorboard.util.tensor_util import make_tensor_proto

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        written = len(list(folder.glob("events.out.tfevents.*")))
        self._records = RecordWriter((folder / f"events.out.tfevents.{time.time():.0f}.{written}").open("wb"))
        self._flushed = time.monotonic()
        self._write(self._event(wall_time=time.time(), file_version="brain.Event:2"))
        if from_step:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(self._event(wall_time=time.time(), step=from_step + 1, session_log=start))
        else:
            text = "```json\n" + json.dumps(config, indent=1, ensure_ascii=False, default=str) + "\n```"
            value = self._summary.Value(
                tag="config",
                metadata=metadata.create_summary_metadata(display_name="", description=""),
                tensor=make_tensor_proto([text.encode()], dtype="string"),
            )
            self._write(self._event(wall_time=time.time(), step=0, summary=self._summary(value=[value])))
        self._records.flush()

    def log(self, values: Mapping[str, float], step: int) -> None:
        scalars = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(self._event(wall_time=time.time(), step=step, summary=self._summary(value=scalars)))
        if time.monotonic() - self._flushed >= FLUSH_EVERY:
            self._records.flush()
            self._flushed = time.monotonic()

    def finish(self) -> None:
        self._records.close()

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())


class LogFolder(TrackerPlace):
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.marks = folder / ".reported"

    def begin(self, run: TrackedRun, from_step: int = 0) -> EventFile:
        folder = self._folder_of(run)
        folder.mkdir(parents=True, exist_ok=True)
        if not from_step:
            for file in folder.glob("events.out.tfevents.*"):
                file.unlink()
        write_atomically(
            folder / FACTS, json.dumps({"id": run.id, "kind": run.kind, "config": run.config}, default=str)
        )
        return EventFile(folder, run.config, from_step)

    def _folder_of(self, run: TrackedRun) -> Path:
        """The folder of a run's name; of the name and the id where another run has that one."""
        plain = "/".join(re.sub(r"[^\w.=+-]", "-", part).lstrip(".") or "-" for part in run.name.split("/"))
        folder = self._folder / plain
        try:
            holder = json.loads((folder / FACTS).read_text(encoding="utf-8"))["id"]
        except (OSError, ValueError, KeyError, TypeError):
            return folder
        return folder if holder == run.id else folder.with_name(f"{folder.name}-{run.id[:8]}")


class TensorBoard(Tracker):
    packages = ("tensorboard",)
    extra = "tensorboard"

    def open(self, place: str | None, root: Path) -> LogFolder:
        return LogFolder(Path(place).expanduser() if place else root / "tensorboard")


TRACKER = TensorBoard()
