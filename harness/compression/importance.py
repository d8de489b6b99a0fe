"""First-order importance of units on training examples. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compression.base import Request
from harness.compression.prunable_units import PrunableUnits
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.inference.batching import DataCollator, scoring_batches
from harness.modeling.weights.settings import read_settings

TOKENS = 1024
"""Padded tokens in a batch."""


def importance_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    layers: Sequence[PrunableUnits],
    request: Request,
    examples: int,
) -> dict[str, np.ndarray]:
    """By consumer the importance (count,) of its layer's units: |Σ activation · gradient| over an example's positions,
    the mean over examples drawn by the request's seed. In evaluation mode: without dropout.
    """
    settings = read_settings(request.source)
    head = HEADS.get(settings.head)
    data = request.data
    reader = EncodingContext(data.task, data.labels, tokenizer, settings.max_length, request.seed, settings.fitted)
    encoded = head.encode(reader, data.train.draw(examples, request.seed))
    padding = DataCollator.of(tokenizer, model.device)
    seen: dict[str, torch.Tensor] = {}
    totals = {layer.consumer: torch.zeros(layer.count) for layer in layers}

    def watch(name: str) -> Any:
        def hook(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            seen[name] = inputs[0]
            inputs[0].retain_grad()

        return hook

    hooks = [model.get_submodule(layer.consumer).register_forward_pre_hook(watch(layer.consumer)) for layer in layers]
    model.eval()
    done = 0
    try:
        for indices in scoring_batches(encoded.lengths, TOKENS):
            model.zero_grad()
            head.loss(model, padding(encoded.rows(indices)), reader).backward()
            for layer in layers:
                inputs = seen[layer.consumer]
                assert inputs.grad is not None
                totals[layer.consumer] += _first_order(inputs.detach() * inputs.grad, layer)
            done += len(indices)
            request.report(done / len(encoded))
    finally:
        for hook in hooks:
            hook.remove()
    model.zero_grad()
    return {name: (total / len(encoded)).double().numpy() for name, total in totals.items()}


def _first_order(product: torch.Tensor, layer: PrunableUnits) -> torch.Tensor:
    """Activation · gradient (b, t, count · size) to importance (count,), summed over the batch."""
    return product.unflatten(-1, (layer.count, layer.size)).sum(dim=(1, 3)).abs().sum(dim=0)
