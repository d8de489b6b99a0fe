"""Of each four weights in a row two set to zero, the smaller ones (Mishra et al. 2021): a mask that sparse tensor
cores of GPUs can use.
"""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request
from harness.compression.options import LayerOptions
from harness.compression.saving import save
from harness.compression.sparsity import sparsity_of
from harness.core.lazy import lazy
from harness.modeling.runtimes.torch_eager import load

groups_module = lazy("harness.compression.groups")
layers_module = lazy("harness.modeling.weights.layers")


class PruneTwoFour(Compressor):
    class Options(LayerOptions):
        pass

    def compress(self, request: Request) -> dict[str, Any]:
        import torch

        model, tokenizer = load(request.source)
        layers = layers_module.linear_layers(model)
        divisible = {
            name: layer
            for name, layer in groups_module.chosen(model, self.options).linear.items()
            if layer.weight.shape[1 - layers_module.output_axis(layer)] % 4 == 0
        }
        with torch.no_grad():
            for layer in divisible.values():
                rows = layer.weight if layers_module.output_axis(layer) == 0 else layer.weight.T
                rows.mul_(two_of_four(rows))
        save(model, tokenizer, request.source, request.target)
        facts = sparsity_of({name: layer.weight for name, layer in layers.items()})
        facts["notes"] = [
            "A 2:4 mask saves nothing on a CPU, nor on disk: only GPUs with sparse tensor cores run it faster."
        ]
        return facts


def two_of_four(rows: Any) -> Any:
    """A mask of the rows (outputs, inputs), inputs a multiple of 4: true for the two largest of each four."""
    import torch

    groups = rows.abs().reshape(rows.shape[0], -1, 4)
    largest = groups.argsort(dim=-1, descending=True, stable=True)[..., :2]
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, largest, True)
    return mask.reshape(rows.shape)


COMPRESSOR = PruneTwoFour
