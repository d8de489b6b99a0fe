"""The optimizers that pretraining and fine-tuning share. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from harness.core.pretraining_specs import OptimizerName


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
