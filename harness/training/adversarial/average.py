"""The moving average of a model's weights. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class MovingAverage:
    """`momentum` times itself and the rest of the weights at each step, from the weights at the first."""

    def __init__(self, momentum: float) -> None:
        self._momentum = momentum
        self._weights: list[torch.Tensor] = []

    @torch.no_grad()
    def follow(self, model: Any) -> None:
        """Take a step."""
        weights = [parameter.detach() for parameter in model.parameters() if parameter.requires_grad]
        if not self._weights:
            self._weights = [weight.clone() for weight in weights]
            return
        torch._foreach_lerp_(self._weights, weights, 1 - self._momentum)

    @contextmanager
    def in_place_of(self, model: Any) -> Iterator[None]:
        """Within it the model has these weights."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for index, parameter in enumerate(parameters):
            parameter.data, self._weights[index] = self._weights[index], parameter.data
        try:
            yield
        finally:
            for index, parameter in enumerate(parameters):
                parameter.data, self._weights[index] = self._weights[index], parameter.data
