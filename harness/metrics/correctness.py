"""Which predictions are right, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import metrics
from harness.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np


BY_INPUTS = {"labels": "accuracy", "ranks": "item_retrieval_recall_1"}
"""By which metric predictions are right or wrong where those of their score do not say it."""


def judge(scored: Iterable[str], counted: Iterable[str]) -> Metric | None:
    """The metric by which a prediction is right or wrong: of those a task is scored with the first that counts
    successes; where those its score is the mean of are of classes accuracy, of ranks whether its item is the first for
    a caption; None for what is nearer or farther.

    Raises:
        HarnessError: a metric that is not known.
    """
    counting = [metric for metric in map(metrics.get, scored) if metric.counts_successes]
    if counting:
        return counting[0]
    judges = [BY_INPUTS[inputs] for name in counted if (inputs := metrics.get(name).inputs) in BY_INPUTS]
    return metrics.get(judges[0]) if judges else None


def right(metric: Metric, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Which predictions are right, (n,) of 0 and 1, for a metric that counts them or tells them."""
    import numpy as np

    checked, true = metric.check(predictions, references)
    if metric.right is not None:
        return metric.right(checked, true).astype(float)
    if metric.inputs == "labels":
        return (checked == true).astype(float)
    return np.asarray([metric.compute(checked[at : at + 1], true[at : at + 1]) for at in range(len(true))], dtype=float)
