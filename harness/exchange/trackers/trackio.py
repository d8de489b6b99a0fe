"""Trackio: a run each in one project, kept on this machine (`TRACKIO_DIR`), or where `TRACKIO_SPACE_ID` says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.exchange.trackers.base import PROJECT, RunWriter, TrackedRun, Tracker, TrackerPlace, flat


class TrackioRun(RunWriter):
    """`last` is the last step that was logged before."""

    def __init__(self, run: Any, last: int) -> None:
        self._run, self._last = run, last

    def log(self, values: Mapping[str, float], step: int) -> None:
        if step > self._last:
            self._run.log(dict(values), step=step)

    def finish(self) -> None:
        import trackio

        trackio.finish()  # the module's own, so that it does not finish the run once more as the program ends


class TrackioProject(TrackerPlace):
    def __init__(self, project: str, root: Path) -> None:
        self._project = project
        self.marks = root / "reported" / f"trackio-{project}"

    def begin(self, run: TrackedRun, from_step: int = 0) -> TrackioRun:
        import trackio

        made = trackio.init(
            self._project, name=run.name, group=run.group, resume="allow" if from_step else "never", embed=False,
            config={**flat(run.config), "id": run.id, "kind": run.kind}, auto_log_cpu=False, auto_log_gpu=False,
        )  # fmt: skip
        last = getattr(made, "_initial_last_step", None)
        return TrackioRun(made, -1 if last is None or not from_step else last)


class Trackio(Tracker):
    packages = ("trackio",)
    extra = "trackio"

    def open(self, place: str | None, root: Path) -> TrackioProject:
        return TrackioProject(place or os.environ.get("TRACKIO_PROJECT") or PROJECT, root)


TRACKER = Trackio()
