"""An encoder whose output layer is a task's own, for episodes of any number of classes. Imports torch at its top."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from harness.core.errors import HarnessError
from harness.modeling.inference.batching import DataCollator
from harness.training.meta.methods import Episode, Weights

WEIGHT, BIAS = "output.weight", "output.bias"
"""The output layer of an episode."""
BODY, GENERATOR, HEADS = "body.", "generator.", "heads."
PROBE = 7
"""Outputs of a head by which it is told which of a model's layers is the last."""


@dataclass(frozen=True)
class Examples:
    """A batch of encoded texts: a model's inputs, the class of each in its episode, and how many classes there are."""

    inputs: Mapping[str, torch.Tensor]
    labels: torch.Tensor
    classes: int


class Generator(nn.Module):
    """The weights and the bias of a class from the mean of its encoded examples (Bansal et al. 2020)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width + 1)

    def forward(self, means: torch.Tensor) -> torch.Tensor:
        """Means (classes, width) to weights with bias (classes, width + 1)."""
        return self.outer(torch.tanh(self.inner(means)))


def class_means(features: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """The mean of the features (n, width) of each class: (classes, width)."""
    members = nn.functional.one_hot(labels, classes).to(features.dtype)
    return (members.T @ features) / members.sum(0).unsqueeze(1).clamp_min(1)


def without_output_layer(model: nn.Module) -> int:
    """Take the output layer out of a classifier with `PROBE` outputs, which then gives what went into it.

    Returns:
        Its width.

    Raises:
        HarnessError: it has none that could be told.
    """
    last = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    last = [(name, part) for name, part in last if part.out_features == PROBE]
    if not last:
        raise HarnessError(f"meta: {type(model).__name__} has no linear output layer, which an episode makes anew")
    name, layer = last[-1]
    model.set_submodule(name, nn.Identity())
    return int(layer.in_features)


class EpisodeClassifier(nn.Module):
    """The shared weights, and as a `Problem` what they lose on an episode.

    `body` is a classifier of `transformers` without its output layer; that of an episode is zero or `generated`, or
    there is one for each of `tasks`, with so many classes.
    """

    def __init__(
        self, body: nn.Module, width: int, generated: bool = False, tasks: Mapping[str, int] | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.width = width
        self.generator = Generator(width) if generated else None
        heads = {_key(number): nn.Linear(width, count) for number, count in enumerate((tasks or {}).values())}
        self.heads = nn.ModuleDict(heads)
        self._numbers = {task: _key(number) for number, task in enumerate(tasks or {})}

    def start(self, weights: Weights, episode: Episode) -> Weights:
        shared = {name: tensor for name, tensor in weights.items() if name.startswith(BODY)}
        if self._numbers:
            place = f"{HEADS}{self._numbers[episode.task]}."
            return shared | {WEIGHT: weights[f"{place}weight"], BIAS: weights[f"{place}bias"]}
        support: Examples = episode.support
        if self.generator is None:
            zeros = support.labels.new_zeros((support.classes, self.width + 1), dtype=torch.float32)
            return shared | {WEIGHT: zeros[:, :-1].clone(), BIAS: zeros[:, -1].clone()}
        means = class_means(self.features(weights, support), support.labels, support.classes)
        layers = {
            name.removeprefix(GENERATOR): tensor for name, tensor in weights.items() if name.startswith(GENERATOR)
        }
        made = functional_call(self.generator, layers, (means,))
        return shared | {WEIGHT: made[:, :-1], BIAS: made[:, -1]}

    def features(self, weights: Weights, batch: Examples) -> torch.Tensor:
        """What the output layer would be given: (n, width)."""
        layers = {name.removeprefix(BODY): tensor for name, tensor in weights.items() if name.startswith(BODY)}
        return functional_call(self.body, layers, (), dict(batch.inputs)).logits

    def loss(self, weights: Weights, batch: Examples) -> torch.Tensor:
        logits = nn.functional.linear(self.features(weights, batch), weights[WEIGHT], weights[BIAS])
        return nn.functional.cross_entropy(logits, batch.labels)

    def of_task(self, names: Collection[str]) -> Collection[str]:
        return [name for name in names if name in (WEIGHT, BIAS)]


def _key(number: int) -> str:
    return f"task{number}"


def shared_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that the outer loop trains, each once, by name."""
    return dict(model.named_parameters())


def examples(
    rows: Sequence[Mapping[str, Any]], labels: Sequence[int], classes: int, pad: DataCollator, device: torch.device
) -> Examples:
    """A batch of rows of token ids; `pad` makes tensors of them."""
    batch = {name: tensor.to(device) for name, tensor in pad(rows).items()}
    return Examples(batch, torch.tensor(list(labels), device=device), classes)
