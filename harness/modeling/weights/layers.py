"""The linear layers of a model, and the part of it that is its head. Imports torch: import it inside functions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

Projection = nn.Linear | Conv1D


def output_axis(module: nn.Module) -> int:
    """The axis of a weight that counts outputs: the last of GPT-2's Conv1D (inputs, outputs), else the first."""
    return 1 if isinstance(module, Conv1D) else 0


def head_names(model: PreTrainedModel) -> list[str]:
    """Names of the modules that are the model's head: those outside its base model, and the output layer."""
    if model.base_model is model and type(model).__name__.endswith("Classification"):
        names = [name for name, _ in model.named_children() if name == "classifier"]  # a tower alone, as CLIP's
    else:
        names = [
            name
            for name, module in model.named_children()
            if model.base_model is not model
            and name != model.base_model_prefix
            and any(True for _ in module.parameters())
        ]
    output = model.get_output_embeddings()
    return names + [name for name, module in model.named_modules() if module is output and name not in names]


def linear_layers(model: PreTrainedModel) -> dict[str, Projection]:
    """Linear and Conv1D modules by name, without those of the head."""
    heads = head_names(model)
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and not inside(name, heads)
        if not isinstance(module, NonDynamicallyQuantizableLinear)  # part of torch's attention, which reads its weight
    }


def inside(name: str, owners: list[str]) -> bool:
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def embeddings(model: PreTrainedModel) -> dict[str, nn.Embedding]:
    """Embedding modules by name, without those that share their weights with the head, and without tables of other
    things than vectors of the model's width, such as a T5's biases of positions.
    """
    shared = {
        parameter.data_ptr() for name in head_names(model) for parameter in model.get_submodule(name).parameters()
    }
    try:
        words = model.get_input_embeddings()
    except NotImplementedError:  # two towers, and encoders of items
        words = None
    text = getattr(model.config, "text_config", model.config)
    widths = {getattr(words, "embedding_dim", None), getattr(text, "hidden_size", None)}
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding)
        and module.weight.data_ptr() not in shared
        and module.embedding_dim in widths
    }


def as_linear(model: PreTrainedModel) -> int:
    """Replace each Conv1D by the Linear that computes the same; returns how many there were."""
    convolutions = [(name, module) for name, module in model.named_modules() if isinstance(module, Conv1D)]
    for name, module in convolutions:
        inputs, outputs = module.weight.shape
        linear = nn.Linear(inputs, outputs, dtype=module.weight.dtype, device=module.weight.device)
        with torch.no_grad():
            linear.weight.copy_(module.weight.T)
            linear.bias.copy_(module.bias)
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, linear)
    return len(convolutions)
