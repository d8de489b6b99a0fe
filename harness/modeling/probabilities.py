"""Probabilities of classes, of what a model predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.core.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6
"""To which they are rounded: the last bits depend on what stands beside a text in a batch."""


def probabilities_of(predicted: Predictions, classes: int) -> np.ndarray:
    """The probability of each class (n, classes). Where there are no logits the class that is named has all."""
    import numpy as np

    logits = predicted.columns.get("logits")
    if not isinstance(logits, np.ndarray) or logits.shape != (len(predicted.values), classes):
        return np.eye(classes)[predicted.values.astype(np.int64)]
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.round(shifted / shifted.sum(axis=1, keepdims=True), DIGITS)
