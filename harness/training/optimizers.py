"""The optimizers that pretraining and fine-tuning share. Imports torch: import it inside functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from harness.core.pretraining_specs import OptimizerName

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""AdamW's defaults in torch."""
NO_DECAY = ("bias", "norm", "layer_norm", "layernorm", "ln_")


def choice(name: OptimizerName) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """An optimizer's class and its arguments, but for learning rate and weight decay.

    `adamw` is Loshchilov & Hutter (2019). `adafactor` is Shazeer & Stern (2018): a weight's step is the learning rate
    times the root mean square of the weight, so that what is large and what is small learns at one pace. T5 needs it,
    whose embeddings start with a deviation of 1 and whose queries with one of 0.01. torch's never takes a step above
    1/sqrt(number of the step).
    """
    if name == "adafactor":
        return torch.optim.Adafactor, {}
    return torch.optim.AdamW, {"fused": True}


def optimizer(name: OptimizerName, groups: Iterable[dict[str, Any]], learning_rate: float) -> torch.optim.Optimizer:
    """The optimizer `name` of groups that hold `params` and `weight_decay`."""
    made, arguments = choice(name)
    return made(groups, lr=learning_rate, **arguments)  # type: ignore[call-arg]


class ClippedAdamW:
    """AdamW (Loshchilov & Hutter 2019) on a CPU that clips gradients by their norm in the same pass over the weights:
    the steps of `torch.nn.utils.clip_grad_norm_` and `torch.optim.AdamW` to rounding, with less around them.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], max_norm: float) -> None:
        """Of groups that hold `params` and `weight_decay`; a norm of 0 clips nothing."""
        self._max_norm = max_norm
        self._groups = [
            (float(group["weight_decay"]), [_state_of(weight) for weight in group["params"]]) for group in groups
        ]

    @torch.no_grad()
    def step(self, rate: float, others: Sequence[torch.Tensor] = ()) -> torch.Tensor | None:
        """Move the weights that have gradients, and drop these.

        Args:
            rate: The learning rate.
            others: Gradients that count in the norm, of weights that are moved elsewhere.

        Returns:
            What gradients were divided by; None where nothing is clipped.
        """
        moved = [(decay, [state for state in states if state[0].grad is not None]) for decay, states in self._groups]
        scale = None
        if self._max_norm > 0:
            gradients = [state[0].grad for _, states in moved for state in states]
            norms = torch._foreach_norm([*(each for each in gradients if each is not None), *others])
            scale = ((torch.linalg.vector_norm(torch.stack(norms)) + 1e-6) / self._max_norm).clamp_(min=1.0)
        for decay, states in moved:
            if not states:
                continue
            weights, first, second, steps = (list(part) for part in zip(*states, strict=True))
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                weights, [weight.grad for weight in weights], first, second, [], steps, lr=rate, beta1=BETA1,
                beta2=BETA2, weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
                grad_scale=scale,
            )  # fmt: skip
            for weight in weights:
                weight.grad = None
        return scale


def _state_of(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A weight, both moments, and how often it was moved."""
    return weight, torch.zeros_like(weight), torch.zeros_like(weight), torch.zeros(())


def groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The weights that are trained, for an optimizer: biases and norms are not decayed."""
    decayed: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        exempt = parameter.ndim < 2 or any(part in name.lower() for part in NO_DECAY)
        (others if exempt else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def rate(schedule: str, step: int, steps: int, warmup: int) -> float:
    """The fraction of the learning rate at `step` (0-based) of `steps`: from 0 up to all of it in `warmup` steps, then
    down to 0 in a line or as a cosine, or `constant`.
    """
    if step < warmup:
        return step / max(1, warmup)
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return max(0.0, (steps - step) / max(1, steps - warmup))
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))))
