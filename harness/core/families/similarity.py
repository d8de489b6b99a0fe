"""Similarity of a pair of texts as a number: regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.core.families.base import Labelling

if TYPE_CHECKING:
    import numpy as np
    import torch


class Similarity(Labelling):
    name = "similarity"
    required = ("text", "text_pair")
    predictions = "values"
    problem_type = "regression"

    def outputs(self, labels: Sequence[str]) -> int:
        return 1

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import mse_loss

        return mse_loss(logits.float().squeeze(-1), targets, reduction="sum")

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return logits[:, 0]


FAMILY = Similarity()
