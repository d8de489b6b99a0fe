"""Weights & Biases: a run each, those of a task and a model in a group. `WANDB_MODE=offline` keeps them here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.exchange.trackers.base import PROJECT, RunWriter, TrackedRun, Tracker, TrackerPlace

LOGIN_SECONDS = 30
"""How long a terminal is asked for a key."""


class WandbRun(RunWriter):
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        self._run.finish()


class WandbProject(TrackerPlace):
    def __init__(self, entity: str | None, project: str | None, root: Path) -> None:
        self._entity, self._project = entity, project
        self._folder = root
        self.marks = root / "reported" / "-".join(["wandb", *filter(None, (entity, project))])

    def begin(self, run: TrackedRun, from_step: int = 0) -> WandbRun:
        import wandb

        self._folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, host="harness", program="harness",
            login_timeout=LOGIN_SECONDS, x_disable_meta=True, x_disable_machine_info=True, x_disable_stats=True,
        )  # fmt: skip
        return WandbRun(
            wandb.init(
                entity=self._entity,
                project=self._project or os.environ.get("WANDB_PROJECT") or PROJECT,
                dir=self._folder,
                id=run.id[:32],
                name=run.name,
                group=run.group,
                job_type=run.kind,
                config=dict(run.config),
                resume="allow" if from_step else None,
                reinit="create_new",
                settings=settings,
            )
        )


class WeightsAndBiases(Tracker):
    packages = ("wandb",)
    extra = "wandb"

    def open(self, place: str | None, root: Path) -> WandbProject:
        entity, _, project = (place or "").rpartition("/")
        return WandbProject(entity or None, project or None, root)


TRACKER = WeightsAndBiases()
