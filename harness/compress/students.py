"""Students of a distillation, before they learn. Imports torch: import it inside functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import HarnessError
from harness.models.transformer import LEARNER

if TYPE_CHECKING:
    from harness.heads import Head
    from harness.models.base import FitRequest


def from_recipe(request: FitRequest) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, Head]:
    """The model a recipe starts with: random or pretrained weights, its own tokenizer."""
    return LEARNER.start(request)


def from_layers(model: PreTrainedModel, count: int) -> None:
    """Leave `count` evenly spaced layers of a model (Sanh et al. 2019), its embeddings and its head.

    Raises:
        HarnessError: the model does not have more layers than that.
    """
    config = model.config
    name = next((name for name in ("num_hidden_layers", "n_layer", "n_layers") if hasattr(config, name)), "")
    depth = int(getattr(config, name, 0))
    if not count < depth:
        raise HarnessError(f"distill: the model has {depth} layers; layers={count} must be fewer")
    kept = evenly(count, depth)
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == depth]
    for stack in stacks:
        chosen = [stack[index] for index in kept]
        while len(stack):
            del stack[-1]
        stack.extend(chosen)
        for number, layer in enumerate(stack):
            for module in layer.modules():
                if hasattr(module, "layer_idx"):
                    module.layer_idx = number  # type: ignore[assignment]
    setattr(config, name, count)


def evenly(count: int, depth: int) -> list[int]:
    """`count` of `depth` layers, the last among them: `evenly(3, 12)` is [3, 7, 11]."""
    return [(number + 1) * depth // count - 1 for number in range(count)]
