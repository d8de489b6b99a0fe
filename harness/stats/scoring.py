"""Scores of predictions: each metric's value with its interval, chance and ceiling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.stats import bootstrap

if TYPE_CHECKING:
    import numpy as np


def score_all(
    names: Sequence[str], predictions: np.ndarray, references: np.ndarray | None, oracle: np.ndarray | None
) -> dict[str, dict[str, Any]]:
    """Each metric's value, bootstrap interval, n, chance and ceiling; without references those that need none.

    The ceiling is what the noise-free labels score against the observed ones: no model can be expected above it.
    """
    scores: dict[str, dict[str, Any]] = {}
    for name in names:
        metric = metrics.get(name)
        if references is None and metric.references != "unused":
            continue
        predicted, true = metric.check(predictions, references)
        interval = bootstrap.interval(metric, predicted, true)
        ceiling = None
        if oracle is not None:
            bounds = bootstrap.interval(metric, oracle, true)
            ceiling = {"value": metric.score(oracle, true), "low": bounds.low, "high": bounds.high}
        scores[name] = {
            "value": metric.score(predicted, true),
            "low": interval.low,
            "high": interval.high,
            "level": interval.level,
            "method": interval.method,
            "n": len(predicted),
            "chance": metric.chance(true),
            "ceiling": ceiling,
            "bounds": [metric.low if math.isfinite(metric.low) else None, metric.high],
            "greater_is_better": metric.greater_is_better,
            "version": metric.version,
            **({"signature": metric.signed(true)} if metric.signature else {}),
        }
    return scores
