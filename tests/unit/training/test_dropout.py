"""Quick dropout: the share, the mean and the gradient of torch's, the same from the same seed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.training.dropout import QuickDropout, quick_dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_so_many_are_dropped_and_the_mean_stays(rate: float) -> None:
    torch.manual_seed(0)
    values = torch.ones(1000, 999)
    dropped = QuickDropout(rate)(values)
    assert float((dropped == 0).float().mean()) == pytest.approx(rate, abs=2e-3)
    assert float(dropped.mean()) == pytest.approx(1, abs=2e-2)
    assert len(dropped.unique()) == 2


def test_neighbours_are_dropped_independently_of_each_other() -> None:
    torch.manual_seed(0)
    dropped = (QuickDropout(0.5)(torch.ones(400_000)) == 0).float()
    for step in (1, 2, 3, 4):
        assert float((dropped[step:] * dropped[:-step]).mean()) == pytest.approx(0.25, abs=5e-3)


def test_the_gradient_flows_through_what_was_kept() -> None:
    values = torch.ones(7, 5, requires_grad=True)
    dropped = QuickDropout(0.5)(values)
    dropped.sum().backward()
    assert values.grad is not None and torch.equal(values.grad, dropped.detach())


def test_a_seed_gives_the_same_and_another_gives_others() -> None:
    def dropped(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return QuickDropout(0.3)(torch.ones(100))

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))


def test_nothing_is_dropped_out_of_training_and_all_at_a_rate_of_one() -> None:
    values = torch.ones(50)
    assert torch.equal(QuickDropout(0.5).eval()(values), values)
    assert not QuickDropout(1.0)(values).any()


def test_a_model_is_as_it_was_afterwards_even_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))
    with pytest.raises(KeyError), quick_dropout(model):
        assert type(model[1]) is QuickDropout
        raise KeyError
    assert type(model[1]) is nn.Dropout
