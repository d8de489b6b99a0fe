"""A model with some of its layers alone. Imports torch: import it inside functions."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from harness.core.errors import HarnessError

DEPTHS = (("num_hidden_layers", "n_layer", "n_layers"), ("num_decoder_layers",))
"""Names of the number of layers in a config, by stack: that of the only one or the encoder, and the decoder's."""
RELATIVE = "has_relative_attention_bias"
"""Whether an attention of T5 holds the table of relative positions, as that of a stack's first layer does."""


def from_layers(model: PreTrainedModel, count: int, chosen: Sequence[int] = ()) -> None:
    """Leave `count` layers of each stack of a model, its embeddings and its head: those `chosen`, in this order, or
    evenly spaced ones (Sanh et al. 2019).

    Raises:
        HarnessError: the model does not have more layers than that, or not all that are chosen.
    """
    config = model.config
    given = (next((name for name in names if getattr(config, name, None)), None) for names in DEPTHS)
    depths = {name: int(getattr(config, name)) for name in given if name is not None}
    stacks = {depth: _stacks(model, depth) for depth in depths.values()}
    for depth, same_depth in stacks.items():
        if not count < depth:
            raise HarnessError(f"distill: the model has {depth} layers; layers={count} must be fewer")
        if chosen and max(chosen) >= depth:
            raise HarnessError(f"distill: map names layer {max(chosen)}, but the teacher's last is {depth - 1}")
        kept = list(chosen) or evenly(count, depth)
        for stack in same_depth:
            _keep(stack, kept)
        if len(getattr(config, "layer_types", None) or ()) == depth:
            config.layer_types = [config.layer_types[index] for index in kept]
    for name in depths:
        setattr(config, name, count)


def depth_of(config: PretrainedConfig) -> int:
    """How many layers a model of one stack has, or the encoder of one of two."""
    return next(int(getattr(config, name)) for name in DEPTHS[0] if getattr(config, name, None))


def evenly(count: int, depth: int) -> list[int]:
    """`count` of `depth` layers, the last among them: `evenly(3, 12)` is [3, 7, 11]."""
    return [(number + 1) * depth // count - 1 for number in range(count)]


def _stacks(model: PreTrainedModel, depth: int) -> list[nn.ModuleList]:
    """Lists of so many modules that lie in no other such list: not the parts of a T5 layer, of which there are two or
    three.
    """
    lists = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == depth
    }
    return [module for name, module in lists.items() if not any(name.startswith(f"{other}.") for other in lists)]


def _keep(stack: nn.ModuleList, kept: Sequence[int]) -> None:
    first = stack[0]
    shared = {id(module.config): module.config for module in stack.modules() if hasattr(module, "config")}
    chosen = [copy.deepcopy(stack[index], dict(shared)) for index in kept]  # all layers go on sharing one config
    while len(stack):
        del stack[-1]
    stack.extend(chosen)
    for number, layer in enumerate(stack):
        for name, module in layer.named_modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = number
            if getattr(first.get_submodule(name), RELATIVE, False):
                _set_table(module, first.get_submodule(name).relative_attention_bias if number == 0 else None)


def _set_table(attention: nn.Module, table: nn.Module | torch.Tensor | None) -> None:
    setattr(attention, RELATIVE, table is not None)
    if table is not None:
        attention.relative_attention_bias = table
    elif hasattr(attention, "relative_attention_bias"):
        del attention.relative_attention_bias
