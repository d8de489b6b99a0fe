"""The sine waves of Finn et al. (2017), section 5.1: amplitude in [0.1, 5], phase in [0, π], inputs in [-5, 5]."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.func import functional_call

from harness.core.meta_spec import MetaSpec
from harness.training.meta import loop
from harness.training.meta.methods import Episode, InnerLoop, adapted

SHOTS = 10
WAVES = 40


class Net(nn.Module):
    """Two hidden layers of 40, as the paper has them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))

    def start(self, weights, episode):
        return weights

    def loss(self, weights, batch):
        layers = {name.removeprefix("layers."): tensor for name, tensor in weights.items()}
        return nn.functional.mse_loss(functional_call(self.layers, layers, (batch[0],)), batch[1])

    def of_task(self, names):
        return [name for name in names if name.startswith("layers.4")]


def wave(seed: int, queries: int = SHOTS) -> Episode:
    generator = torch.Generator().manual_seed(seed)
    amplitude = 0.1 + 4.9 * torch.rand(1, generator=generator)
    phase = math.pi * torch.rand(1, generator=generator)

    def points(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = 10 * torch.rand(count, 1, generator=generator) - 5
        return x, amplitude * torch.sin(x + phase)

    return Episode("", points(SHOTS), points(queries))


def trained(method: str, steps: int, inner_steps: int, inner_rate: float) -> Net:
    """Four waves a step, by Adam."""
    torch.manual_seed(0)
    net = Net()
    inner = {} if method == "multitask" else {"inner_steps": inner_steps, "inner_rate": inner_rate}
    spec = MetaSpec(
        method=method, tasks=["sine"], steps=steps, episodes=4, learning_rate=3e-3, weight_decay=0.0, max_grad_norm=100.0,
        **inner,
    )  # fmt: skip
    loop.train(net, net, lambda step: [wave(4 * step + number) for number in range(4)], spec)
    return net


def error_after(net: Net, steps: int, rate: float = 0.01) -> float:
    """Mean squared error on waves that were not trained on, after some steps on 10 points of each."""
    weights = dict(net.named_parameters())
    total = 0.0
    for seed in range(10**6, 10**6 + WAVES):
        episode = wave(seed, queries=100)
        fitted, _ = adapted(net.loss, weights, [episode.support], InnerLoop(steps, rate), weights.keys(), through=False)
        with torch.no_grad():
            total += float(net.loss(fitted, episode.query)) / WAVES
    return total
