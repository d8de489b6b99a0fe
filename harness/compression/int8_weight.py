"""Weights stored as int8 with a float scale for each output channel, symmetric about 0 (absmax; Jacob et al. 2018).

A storage format: the model is loaded as float32 and computes as before.
"""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request
from harness.compression.options import LayerOptions
from harness.compression.saving import save_readers, settled
from harness.core.lazy import lazy
from harness.modeling.runtimes.torch_eager import SCALE, load, shapes_of
from harness.modeling.weights.settings import Storage, write_settings

groups = lazy("harness.compression.groups")
layers_module = lazy("harness.modeling.weights.layers")


FILE = "model.int8.safetensors"
"""Not a name that `transformers` looks for: it would take the integers for weights."""


class Int8Weight(Compressor):
    """`embeddings` stores those as well, with a scale a row; an embedding that is the output layer too is left."""

    reads_items = True
    note = "It saves disk, not time or memory: weights are float32 again when they are loaded."

    class Options(LayerOptions):
        embeddings: bool = True

    def compress(self, request: Request) -> dict[str, Any]:
        import torch
        from safetensors.torch import save_file

        model, tokenizer = load(request.source)
        wanted = groups.chosen(model, self.options, self.options.embeddings)
        layers = wanted.linear
        axes = {f"{name}.weight": layers_module.output_axis(layer) for name, layer in layers.items()}
        if wanted.embeddings:
            axes |= {f"{name}.weight": 0 for name in layers_module.embeddings(model)}
        tensors: dict[str, torch.Tensor] = {}
        stored: dict[int, str] = {}
        for name, tensor in model.state_dict().items():
            if stored.setdefault(tensor.data_ptr(), name) != name and tensor.numel():
                continue  # shares its weights with a part that is stored
            if name in axes:
                tensors[name], tensors[f"{name}{SCALE}"] = quantized(tensor, axes[name])
            else:
                tensors[name] = tensor.contiguous()
        axes = {name: axis for name, axis in axes.items() if name in tensors}
        shapes = shapes_of(model)
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(request.target)
        save_readers(request.source, request.target, tokenizer)
        save_file(tensors, request.target / FILE)
        storage = Storage(file=FILE, format="int8", axes=axes)
        write_settings(request.target, settled(request.source, runtime=self.runtime, shapes=shapes, storage=storage))
        return {
            "coverage": {
                "linear": len(layers_module.linear_layers(model)),
                "int8": len(layers),
                "head": layers_module.head_names(model),
            },
            "embeddings": sum(name.removesuffix(".weight") not in layers for name in axes),
            "notes": [self.note],
        }


def quantized(weight: Any, axis: int) -> tuple[Any, Any]:
    """A weight (…) as int8 in -127…127 of the same shape, and scales (size of `axis`,) float32."""
    import torch

    others = [dim for dim in range(weight.dim()) if dim != axis]
    scale = weight.abs().amax(dim=others, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return (weight / scale).round().clamp(-127, 127).to(torch.int8).contiguous(), scale.flatten().contiguous()


COMPRESSOR = Int8Weight
