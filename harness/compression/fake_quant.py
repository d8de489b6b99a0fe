"""A model in float that rounds as its int8 graph will. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.functional import embedding, linear
from transformers import PreTrainedModel

from harness.compression.groups import Chosen
from harness.modeling.weights.layers import embeddings, output_axis


@contextmanager
def fake_quantized(
    model: PreTrainedModel, wanted: Chosen, per_channel: bool = True, reduce_range: bool = True
) -> Iterator[int]:
    """Within it the wanted layers, and the embeddings where they are wanted, compute with rounded weights, the layers
    with rounded inputs too; gives how many layers. The parameters stay float, and gradients pass the rounding as if it
    were not there (straight-through; Bengio et al. 2013, Jacob et al. 2018).
    """
    layers = wanted.linear
    tables = embeddings(model) if wanted.embeddings else {}
    levels = 64 if reduce_range else 127

    def product(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
        axis = output_axis(layer)
        weight = rounded_weight(layer.weight, levels, axis if per_channel else None)
        return linear(rounded_range(inputs), weight if axis == 0 else weight.T, layer.bias)

    def row(table: Any, ids: torch.Tensor) -> torch.Tensor:
        return embedding(ids, rounded_range(table.weight), table.padding_idx)

    replaced: dict[nn.Module, Any] = dict.fromkeys(layers.values(), product)
    replaced |= dict.fromkeys(tables.values(), row)
    for module, compute in replaced.items():
        module.forward = compute.__get__(module)
    try:
        yield len(layers)
    finally:
        for module in replaced:
            del module.forward


def rounded_weight(weight: torch.Tensor, levels: int, axis: int | None) -> torch.Tensor:
    """A weight rounded to -levels…levels times a scale, absmax over all of it or for each index of `axis`."""
    if axis is None:
        scale = weight.detach().abs().amax() / levels
    else:
        scale = weight.detach().abs().amax([dim for dim in range(weight.dim()) if dim != axis], keepdim=True) / levels
    scale = scale.clamp(min=torch.finfo(weight.dtype).tiny)
    return _straight_through(weight, (weight.detach() / scale).round() * scale)


def rounded_range(tensor: torch.Tensor) -> torch.Tensor:
    """Activations or a table rounded to 256 levels from the least to the greatest value, zero among them, as
    DynamicQuantizeLinear of ONNX defines it: one range for the whole tensor, padding included.
    """
    values = tensor.detach()
    low, high = values.amin().clamp(max=0), values.amax().clamp(min=0)
    scale = ((high - low) / 255).clamp(min=torch.finfo(values.dtype).tiny)
    zero = (-low / scale).round().clamp(0, 255)
    levels = ((values / scale).round() + zero).clamp(0, 255)
    return _straight_through(tensor, (levels - zero) * scale)


def _straight_through(exact: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
    return exact + (rounded - exact).detach() if exact.requires_grad else rounded
