"""Masks that grow while a model learns, and zeros that stay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.compression.masks import Growing, Masks, Schedule, smallest
from harness.compression.methods import parse_method
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.layers import linear_layers


def test_the_share_of_zeros_grows_as_a_cube_between_begin_and_end():
    schedule = Schedule(final=0.8, begin=0.25, end=0.75)
    assert [schedule.sparsity(done) for done in (0.0, 0.25, 0.75, 1.0)] == [0.0, 0.0, 0.8, 0.8]
    assert schedule.sparsity(0.5) == pytest.approx(0.8 * (1 - 0.5**3))


def test_exactly_the_share_goes_also_between_equal_scores():
    masks = smallest([torch.tensor([[1.0, 1.0], [3.0, 0.0]]), torch.tensor([1.0, 1.0])], 0.5)
    assert [mask.tolist() for mask in masks] == [[[False, False], [True, False]], [True, True]]


def test_zeros_stay_whatever_the_optimizer_does():
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight[1] = 0.0
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    before = layer.weight.detach().clone()
    with Masks({"a": layer.weight}) as masks:
        for step in range(5):
            optimizer.zero_grad()
            layer(torch.randn(8, 4)).pow(2).sum().backward()
            assert (layer.weight.grad[1] == 0).all()
            optimizer.step()
            masks.after_step(step / 5)
    assert (layer.weight[1] == 0).all()
    assert (layer.weight[0] != before[0]).all()


def learn(target: torch.Tensor, start: torch.Tensor, movement: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight (inputs,) taught to be `target` by gradient descent, half of it pruned; and scores of movement, each
    step's -∂L/∂W' · W added up by hand.
    """
    weight = nn.Parameter(start.clone())
    masks = Growing({"w": weight}, Schedule(0.5, 0.0, 0.2), by_layer=False, movement=movement)
    summed = torch.zeros_like(start)
    with masks:
        for step in range(1, 101):
            weight.grad = None
            behind = weight.detach() + masks._hidden["w"]
            (weight - target).pow(2).sum().backward()
            summed -= 2 * (weight.detach() - target) * behind
            with torch.no_grad():
                weight -= 0.02 * weight.grad
            masks.after_step(step / 100)
    return weight.detach(), summed


def test_movement_keeps_what_grows_and_magnitude_what_is_large():
    start = torch.tensor([1.0, 0.9, 0.1, 0.12])
    target = torch.tensor([0.0, 0.0, 0.5, 0.6])
    by_magnitude, _ = learn(target, start, movement=False)
    by_movement, summed = learn(target, start, movement=True)
    assert (by_magnitude != 0).tolist() == [True, True, False, False]
    assert (by_movement != 0).tolist() == [False, False, True, True]
    assert (by_movement != 0).tolist() == (summed >= summed.sort().values[2]).tolist()


def test_what_was_hidden_comes_back_with_the_value_it_had():
    weight = nn.Parameter(torch.tensor([1.0, 0.5]))
    masks = Growing({"w": weight}, Schedule(0.5, 0.0, 0.25), by_layer=False, movement=True)
    masks.after_step(0.2)
    assert weight.tolist() == [0.0, 0.5]
    masks._movement["w"] = torch.tensor([2.0, 1.0])
    masks.after_step(0.25)
    assert weight.tolist() == [1.0, 0.0]
    masks._movement["w"] = torch.tensor([0.0, 1.0])
    masks.after_step(0.5)
    assert weight.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("method", ["prune-magnitude:sparsity=0.8,epochs=2", "prune-movement:sparsity=0.8,epochs=2,scope=layer"])  # fmt: skip
def test_gradual_pruning_ends_with_the_share_and_a_model_that_does_its_task(trained, compressed, method):
    model = trained("bert")
    folder, said = compressed(model, f"{method},skip=pooler.dense,learning_rate=0.001")
    step = said["steps"][0]
    pruned = {name: fraction for name, fraction in step["layers"].items() if name != "bert.pooler.dense"}
    weights = {name: layer.weight for name, layer in linear_layers(load(folder)[0]).items()}
    zeros = sum(int((weights[name] == 0).sum()) for name in pruned)
    assert zeros / sum(weights[name].numel() for name in pruned) == pytest.approx(0.8, abs=1e-3)
    assert step["layers"]["bert.pooler.dense"] == 0
    if "scope=layer" in method:
        assert all(fraction == pytest.approx(0.8, abs=0.01) for fraction in pruned.values())
    assert model.accuracy(folder) > 0.8


def test_only_pruning_that_trains_asks_for_examples():
    assert not parse_method("prune-magnitude:0.5").uses_data
    assert parse_method("prune-magnitude:epochs=1").uses_data
    assert parse_method("prune-movement:0.5").uses_data


def test_distillation_leaves_the_zeros_of_an_earlier_step(trained, compressed):
    folder, said = compressed(trained("bert"), "prune-magnitude:0.5|distill:epochs=1")
    before = said["steps"][0]["layers"]
    after = {name: layer.weight for name, layer in linear_layers(load(folder)[0]).items()}
    assert {
        name: pytest.approx(float((weight == 0).float().mean()), abs=1e-3) for name, weight in after.items()
    } == before
