"""Dropout on a CPU without the cost of torch's draws there. Imports torch: import it inside functions.

torch takes one draw of its Mersenne twister an element on a CPU, a fifth of a small model's training step; here one of
them seeds a quicker generator, of which one 64-bit draw serves four elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

LEVELS = 1 << 16
"""Of a 16-bit draw: the probability of a drop is the multiple of 1 / LEVELS nearest to the one asked for."""


def keep(shape: torch.Size, probability: float, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """A mask (`shape`) of zeros and, with about `probability`, of what makes its mean one. It depends on the state of
    torch's generator alone, so that what is restored or recomputed with that is the same.
    """
    kept = round(probability * LEVELS)
    size = shape.numel()
    seed = int(torch.empty((), dtype=torch.int64).random_())
    draws = np.random.SFC64(seed).random_raw(-(-size // 4)).view(np.uint16)[:size]
    mask = (draws < kept).view(np.uint8) * np.float32(LEVELS / kept)  # twice as fast as torch's operations
    return torch.from_numpy(mask).to(kind).view(shape)


def drops(probability: float) -> bool:
    """Whether `keep` can make the mask of a dropout: not of one that drops nothing, or all."""
    return probability > 0 and round((1 - probability) * LEVELS) > 0


class QuickDropout(nn.Dropout):
    """`nn.Dropout` but for which elements a seed drops."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or not drops(self.p):
            return super().forward(input)
        return input * keep(input.shape, 1 - self.p, input.dtype)


def seed_dropout(*numbers: int) -> None:
    """Seed what is dropped from here on by all of `numbers`: processes that train together drop different elements."""
    torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1))


@contextmanager
def quick_dropout(model: nn.Module) -> Iterator[None]:
    """Within it `model` drops as `QuickDropout` does where its modules are torch's own and on a CPU.

    Attention weights that `scaled_dot_product_attention` drops stay as they are.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    modules = [module for module in model.modules() if on_cpu and type(module) is nn.Dropout]
    for module in modules:
        module.__class__ = QuickDropout
    try:
        yield
    finally:
        for module in modules:
            module.__class__ = nn.Dropout
