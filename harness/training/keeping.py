"""Which weights a training ends with: those of the best epoch, or the mean of the last. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from harness.training.devices import without_autocast


class BestEpoch:
    """Scores after each epoch, in the precision of the final predictions, and keeps the weights of the best, in
    memory.
    """

    def __init__(self, score: Callable[[Any], float]) -> None:
        self._score = score
        self.history: list[float] = []
        self.best_epoch = 0
        self._best_weights: dict[str, torch.Tensor] = {}

    def end_epoch(self, model: Any) -> None:
        """Take the model as it is after an epoch."""
        with without_autocast(model):
            value = self._score(model)
        if not self.history or value > max(self.history):
            self.best_epoch = len(self.history) + 1
            self._best_weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.history.append(value)

    def restore(self, model: Any) -> dict[str, Any]:
        """Put the best into the model; returns what the record says of the choice."""
        model.load_state_dict(self._best_weights)
        return {"mode": "best", "epoch": self.best_epoch, "history": self.history}


class MeanWeights:
    """The mean of the weights that the last of so many epochs end with, in float32 whatever the model is in."""

    def __init__(self, last: int, epochs: int) -> None:
        self._before = epochs - last
        self._ends = 0
        self._sums: dict[str, torch.Tensor] = {}

    def end_epoch(self, model: Any) -> None:
        """Take the model as it is after an epoch."""
        self._ends += 1
        if self._ends <= self._before:
            return
        for name, tensor in _weights(model):
            weights = tensor.detach().float().cpu()
            self._sums[name] = self._sums[name] + weights if name in self._sums else weights.clone()

    def restore(self, model: Any) -> dict[str, Any]:
        """Put the mean into the model; returns what the record says of it."""
        count = self._ends - max(0, self._before)
        for name, tensor in _weights(model):
            tensor.copy_(self._sums[name] / count)
        return {"mode": "mean", "epochs": count}


def _weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    return ((name, tensor) for name, tensor in model.state_dict().items() if tensor.is_floating_point())
