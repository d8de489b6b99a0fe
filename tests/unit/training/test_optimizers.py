"""AdamW with clipping in one pass, against torch's two."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from harness.training import optimizers
from harness.training.optimizers import ClippedAdamW


class Branches(nn.Module):
    """A model that does not use all of itself in every step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(9, 7), nn.Linear(9, 7), nn.Linear(7, 3)

    def forward(self, values: torch.Tensor, step: int) -> torch.Tensor:
        way = self.first if step % 3 else self.second
        return self.last(nn.functional.gelu(way(values)))


@pytest.mark.parametrize("max_norm", [0.0, 0.05, 1e9])
def test_weights_are_those_of_clipping_and_adamw(max_norm: float) -> None:
    torch.manual_seed(0)
    model = Branches()
    other = deepcopy(model)
    ours = ClippedAdamW(optimizers.groups(model, 0.1), max_norm)
    theirs = optimizers.optimizer("adamw", optimizers.groups(other, 0.1), 1e-3)
    for step in range(12):
        values, labels = torch.randn(16, 9), torch.randint(0, 3, (16,))
        for each in (model, other):
            nn.functional.cross_entropy(each(values, step), labels).backward()
        if max_norm:
            norm = nn.utils.clip_grad_norm_(other.parameters(), max_norm)
        for group in theirs.param_groups:
            group["lr"] = 1e-2 / (1 + step)
        theirs.step()
        theirs.zero_grad()
        scale = ours.step(1e-2 / (1 + step))
        assert (
            (scale is None)
            if not max_norm
            else float(scale) == pytest.approx(max(1.0, float(norm) / max_norm), rel=1e-4)
        )
        assert all(weight.grad is None for weight in model.parameters())
    for weight, expected in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-5)


def test_gradients_of_others_count_in_the_norm() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 0.0])
    scale = ClippedAdamW([{"params": [weight], "weight_decay": 0.0}], 1.0).step(0.1, [torch.tensor([[4.0]])])
    assert float(scale) == pytest.approx(5.0)
