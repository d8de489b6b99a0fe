"""Which predictions are right, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import metrics
from harness.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np


def judge(scored: Iterable[str], counted: Iterable[str]) -> Metric | None:
    """The metric by which a prediction is right or wrong: of those a task is scored with the first that counts
    successes; accuracy, where those its score is the mean of are of classes; None for what is nearer or farther.

    Raises:
        HarnessError: a metric that is not known.
    """
    counting = [metric for metric in map(metrics.get, scored) if metric.counts_successes]
    if counting:
        return counting[0]
    return metrics.get("accuracy") if any(metrics.get(name).inputs == "labels" for name in counted) else None


def right(metric: Metric, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Which predictions are right, (n,) of 0 and 1, for a metric that counts successes."""
    import numpy as np

    checked, true = metric.check(predictions, references)
    if metric.inputs == "labels":
        return (checked == true).astype(float)
    return np.asarray([metric.compute(checked[at : at + 1], true[at : at + 1]) for at in range(len(true))], dtype=float)
