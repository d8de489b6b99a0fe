"""What a model says of a batch of examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Outputs:
    """What a model says of a batch: its `loss`, and of each target the `logits` (n, classes) or the number (n,) that it
    is made of. Of several tensors, such as one for starts and one for ends, the mean counts. `scale` is what a target
    counts in the loss: 1 in a sum, 1 / n in a mean.
    """

    loss: torch.Tensor
    logits: tuple[torch.Tensor, ...]
    scale: float = 1.0
