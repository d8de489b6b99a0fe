"""Classification of a text or a pair of texts into named classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.core.families.base import Labelling

if TYPE_CHECKING:
    import numpy as np
    import torch


class Classification(Labelling):
    name = "classification"
    required: tuple[str, ...] = ("text",)
    optional: tuple[str, ...] = ("text_pair",)
    predictions = "labels"
    problem_type = "single_label_classification"

    def outputs(self, labels: Sequence[str]) -> int:
        return len(labels)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits.float(), targets, reduction="sum")

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return logits.argmax(axis=1)


FAMILY = Classification()
