"""MLflow: a run each in one experiment, on a server, in a database or in a folder."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.hashing import hash_json
from harness.exchange.trackers.base import PROJECT, RunWriter, TrackedRun, Tracker, TrackerPlace, flat

ID = "harness.id"
ADDRESS = r"[a-z][a-z+-]+:|databricks$|uc$"
"""What the address of a server or of a database begins with; anything else is a folder."""
MOST_METRICS, MOST_PARAMETERS = 1000, 100
"""What one request may hold."""
LONGEST_NAME, LONGEST_VALUE = 250, 500
SEND_EVERY = 5.0
"""Seconds that values wait for others before they are sent."""


class MlflowRun(RunWriter):
    """`last` is the last step that was logged before."""

    def __init__(self, client: Any, run_id: str, last: int) -> None:
        self._client, self._id, self._last = client, run_id, last
        self._waiting: list[Any] = []
        self._sent = time.monotonic()

    def log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        if step <= self._last:
            return
        now = int(1000 * time.time())
        self._waiting += [Metric(_plain(name), float(value), now, step) for name, value in values.items()]
        if len(self._waiting) >= MOST_METRICS or time.monotonic() - self._sent >= SEND_EVERY:
            self._send()

    def finish(self) -> None:
        self._send()
        self._client.set_terminated(self._id)

    def _send(self) -> None:
        for start in range(0, len(self._waiting), MOST_METRICS):
            self._client.log_batch(self._id, metrics=self._waiting[start : start + MOST_METRICS])
        self._waiting.clear()
        self._sent = time.monotonic()


class MlflowExperiment(TrackerPlace):
    def __init__(self, address: str, root: Path) -> None:
        for library in ("mlflow", "alembic"):
            logging.getLogger(library).setLevel(logging.WARNING)
        from mlflow import MlflowClient

        self.marks = root / "reported" / f"mlflow-{hash_json(address)[:16]}"
        self._client = MlflowClient(tracking_uri=address)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        experiment = self._client.get_experiment_by_name(name)
        self._experiment = experiment.experiment_id if experiment else self._client.create_experiment(name)

    def begin(self, run: TrackedRun, from_step: int = 0) -> MlflowRun:
        from mlflow.entities import Param

        before = self._client.search_runs([self._experiment], f"tags.`{ID}` = '{run.id}'", max_results=1)
        if before and from_step:
            known = before[0].info.run_id
            history = self._client.get_metric_history(known, "loss")
            return MlflowRun(self._client, known, max((metric.step for metric in history), default=-1))
        if before:
            self._client.delete_run(before[0].info.run_id)
        tags = {ID: run.id, "harness.group": run.group, "harness.kind": run.kind}
        made = self._client.create_run(self._experiment, run_name=run.name, tags=tags).info.run_id
        parameters = [
            Param(_plain(name), (value if isinstance(value, str) else json.dumps(value, default=str))[:LONGEST_VALUE])
            for name, value in flat(run.config).items()
        ]
        for start in range(0, len(parameters), MOST_PARAMETERS):
            self._client.log_batch(made, params=parameters[start : start + MOST_PARAMETERS])
        return MlflowRun(self._client, made, -1)


def _plain(name: str) -> str:
    """A name of letters that MLflow takes."""
    return re.sub(r"[^\w. /-]", "_", name)[:LONGEST_NAME]


class Mlflow(Tracker):
    packages = ("mlflow",)
    extra = "mlflow"

    def open(self, place: str | None, root: Path) -> MlflowExperiment:
        address = place or os.environ.get("MLFLOW_TRACKING_URI")
        if address is None or not re.match(ADDRESS, address):
            folder = Path(address).expanduser() if address else root / "mlflow"
            folder.mkdir(parents=True, exist_ok=True)
            address = f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        return MlflowExperiment(address, root)


TRACKER = Mlflow()
