"""SmoothQuant (Xiao et al. 2023): a part of what makes activations hard to quantize moves into the weights.

A few channels of a language model's activations are far larger than the rest, and one scale for all of them leaves the
rest with few levels. Each input channel j of a linear layer is divided by s = max|x|^a / max|w|^(1-a), and the weights
that multiply it are multiplied by s, so that the layer computes the same. Imports torch: import it inside functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.compression.base import Request
from harness.compression.texts import before_labels, checking_texts
from harness.core.errors import HarnessError
from harness.modeling.inference.batching import DataCollator, scoring_batches
from harness.modeling.weights.layers import linear_layers
from harness.modeling.weights.settings import read_settings

EXAMPLES = 32
TOKENS = 1024
SMALLEST = 1e-5


def smooth(model: Any, tokenizer: Any, request: Request, strength: float) -> int:
    """Smooth the linear layers of a model in place, but for those of its head; Conv1D must be Linear already.

    Args:
        model: The model, whose activations are looked at.
        tokenizer: Its tokenizer.
        request: Whose examples are read; a causal language model without any reads generated English.
        strength: a in the formula, 0 to 1: how much moves into the weights.

    Returns:
        How many layers were smoothed.

    Raises:
        HarnessError: there are no texts to look at activations by.
    """
    texts = checking_texts(read_settings(request.source), tokenizer, request.examples, request.seed, EXAMPLES)
    if texts is None:
        raise HarnessError("smooth: it looks at activations by examples; name the model's task with --task")
    layers = {name: layer for name, layer in linear_layers(model).items() if isinstance(layer, nn.Linear)}
    largest = _largest_inputs(model, tokenizer, layers, texts[0])
    for name, inputs in largest.items():
        _smooth(layers[name], inputs, strength)
    return len(largest)


def _largest_inputs(model: Any, tokenizer: Any, layers: dict[str, nn.Linear], rows: Any) -> dict[str, torch.Tensor]:
    """The largest absolute value (inputs,) that each input channel of the layers takes; of those that are used."""
    largest: dict[str, torch.Tensor] = {}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            seen = inputs[0].detach().abs().flatten(0, -2).amax(0)
            largest[name] = torch.maximum(largest[name], seen) if name in largest else seen

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    padding = DataCollator.of(tokenizer, model.device)
    model.eval()
    try:
        with torch.inference_mode():
            for indices in scoring_batches(rows.lengths, TOKENS):
                batch = padding(rows.rows(indices))
                given = {name: values for name, values in batch.items() if name in tokenizer.model_input_names}
                if model.config.is_encoder_decoder:
                    given["decoder_input_ids"] = before_labels(model, batch["labels"])
                model(**given)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: values.clone() for name, values in largest.items()}


def _smooth(layer: nn.Linear, inputs: torch.Tensor, strength: float) -> None:
    weights = layer.weight.detach().abs().amax(0).clamp(min=SMALLEST)
    scale = (inputs.clamp(min=SMALLEST) ** strength / weights ** (1 - strength)).clamp(min=SMALLEST)
    with torch.no_grad():
        layer.weight.mul_(scale)
    inverse = 1 / scale
    layer.register_forward_pre_hook(lambda module, given: (given[0] * inverse, *given[1:]))
