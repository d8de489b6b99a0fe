"""The smallest weights set to zero, in one shot (Han et al. 2015) or bit by bit while the model is fine-tuned
(Zhu & Gupta 2017).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.compression.base import Compressor, Request
from harness.compression.gradual import GradualOptions, prune_gradually
from harness.compression.saving import save
from harness.compression.sparsity import sparsity_of
from harness.core.lazy import lazy
from harness.modeling.runtimes.torch_eager import load

groups_module = lazy("harness.compression.groups")
layers = lazy("harness.modeling.weights.layers")
masks_module = lazy("harness.compression.masks")


class PruneMagnitude(Compressor):
    """With `epochs` the model is trained on its task meanwhile; without, nothing is trained."""

    main = "sparsity"

    class Options(GradualOptions):
        epochs: float | None = Field(default=0, ge=0, le=1000)

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.uses_data = bool(options.epochs)

    def compress(self, request: Request) -> dict[str, Any]:
        if self.options.epochs:
            return prune_gradually(request, self.options, movement=False)
        import torch

        model, tokenizer = load(request.source)
        weights = [layer.weight for layer in groups_module.chosen(model, self.options).linear.values()]
        groups = [weights] if self.options.scope == "global" else [[weight] for weight in weights]
        with torch.no_grad():
            for group in groups:
                masks = masks_module.smallest([weight.abs() for weight in group], self.options.sparsity)
                for weight, mask in zip(group, masks, strict=True):
                    weight.mul_(mask)
        save(model, tokenizer, request.source, request.target)
        return sparsity_of({name: layer.weight for name, layer in layers.linear_layers(model).items()})


COMPRESSOR = PruneMagnitude
