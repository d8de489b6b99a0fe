"""Weights held at zero while a model learns, and masks that grow meanwhile.

Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

UPDATES = 100
"""How often, at most, masks are chosen anew in the course of a training."""


def smallest(scores: Sequence[torch.Tensor], fraction: float) -> list[torch.Tensor]:
    """Masks in the shapes of the scores, false for exactly that fraction of all their entries, the smallest; ties by
    position.
    """
    flat = torch.cat([score.flatten() for score in scores])
    keep = torch.ones_like(flat, dtype=torch.bool)
    keep[flat.argsort(stable=True)[: round(fraction * len(flat))]] = False
    parts = keep.split([score.numel() for score in scores])
    return [part.view_as(score) for part, score in zip(parts, scores, strict=True)]


class Masks:
    """Weights whose zeros are to stay: gradients there are dropped, and what an optimizer's momentum moves is set back
    by `after_step`. A context manager: outside it nothing is watched.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        self.weights = dict(weights)
        self.masks = {name: weight.detach() != 0 for name, weight in self.weights.items()}
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        for name, weight in self.weights.items():
            self._hooks.append(weight.register_post_accumulate_grad_hook(self._watch(name)))
        return self

    def __exit__(self, *raised: Any) -> None:
        for hook in self._hooks:
            hook.remove()

    def after_step(self, fraction: float) -> None:
        """To be called after each step of the optimizer, with the fraction of the training done (0…1)."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.mul_(self.masks[name])

    def _watch(self, name: str) -> Any:
        def drop(weight: torch.Tensor) -> None:
            assert weight.grad is not None
            self._seen(name, weight)
            weight.grad.mul_(self.masks[name])

        return drop

    def _seen(self, name: str, weight: torch.Tensor) -> None:
        """A gradient has come, in `weight.grad`, that of the masked weight as the model used it."""


@dataclass(frozen=True)
class Schedule:
    """The fraction of zeros in the course of a training: from none at `begin` to `final` at `end` (fractions of it),
    fast at first and slower as less is left (Zhu & Gupta 2017).
    """

    final: float
    begin: float
    end: float

    def sparsity(self, done: float) -> float:
        past = min(1.0, max(0.0, (done - self.begin) / (self.end - self.begin)))
        return self.final * (1 - (1 - past) ** 3)


class Growing(Masks):
    """Masks that grow by a schedule, over all weights together or, with `by_layer`, in each.

    Ranked by magnitude (Zhu & Gupta 2017) or by `movement` (Sanh et al. 2020): S = -Σ ∂L/∂W' · W over the steps, W' the
    masked weight and W the one behind the mask. That is what plain gradient descent makes of scores that are learned
    through the straight-through estimator, up to its rate, which changes no rank. What a mask hides keeps the value it
    had, and may come back until `end`.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], schedule: Schedule, by_layer: bool, movement: bool) -> None:
        super().__init__(weights)
        self.masks = {name: torch.ones_like(mask) for name, mask in self.masks.items()}
        self.schedule = schedule
        self._groups = [[name] for name in self.weights] if by_layer else [list(self.weights)]
        self._hidden = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self._movement = {name: torch.zeros_like(weight) for name, weight in self.weights.items()} if movement else None
        self._updates = 0
        self._settled = False

    def after_step(self, fraction: float) -> None:
        with torch.no_grad():
            due = int(fraction * UPDATES + 1e-9)
            super().after_step(fraction)
            if due > self._updates and not self._settled:
                self._updates, self._settled = due, fraction >= self.schedule.end
                for group in self._groups:
                    self._choose(group, self.schedule.sparsity(fraction))

    def _choose(self, names: list[str], fraction: float) -> None:
        whole = {name: self.weights[name] + self._hidden[name] for name in names}
        scores = [whole[name].abs() if self._movement is None else self._movement[name] for name in names]
        for name, mask in zip(names, smallest(scores, fraction), strict=True):
            self.masks[name] = mask
            self.weights[name].copy_(whole[name] * mask)
            self._hidden[name] = whole[name] * ~mask

    def _seen(self, name: str, weight: torch.Tensor) -> None:
        if self._movement is not None:
            assert weight.grad is not None
            self._movement[name] -= weight.grad * (weight.detach() + self._hidden[name])
