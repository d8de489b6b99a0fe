"""Exact match by question, as SuperGLUE scores MultiRC (Khashabi et al. 2018): the fraction of questions of which every
answer is labelled right. The answers to a question are a group of examples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.core.grouped import groups_of
from harness.metrics.base import Metric
from harness.metrics.resampling import by_weights, divide


def by_question(predictions: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the first answer to each of g questions stands, (g,), and 1 where all its answers are right, else 0."""
    groups = groups_of(references)
    assert groups is not None
    _, firsts = np.unique(groups, return_index=True)
    wrong = np.bincount(groups, weights=predictions != np.asarray(references))
    return firsts, (wrong == 0).astype(float)


def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A question is drawn as often as its first answer."""
    firsts, right = by_question(predictions, references)
    return lambda weights: divide(weights[:, firsts] @ right, weights[:, firsts].sum(axis=1))


def chance(references: np.ndarray) -> float:
    """The same label for every answer: of the labels the best one."""
    labels = np.unique(np.asarray(references))
    return max(by_question(np.full(len(references), label), references)[1].mean() for label in labels)


METRIC = Metric(
    name="question_exact_match",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: by_question(predictions, references)[1].mean(),
    chance=chance,
    counts_groups=True,
    draws=lambda predictions, references: len(by_question(predictions, references)[0]),
    resample=by_weights(prepare),
)
