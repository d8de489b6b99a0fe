"""A 2:4 mask put to use (Mishra et al. 2021): weights of which two in each row of four are zero, multiplied by the
sparse tensor cores of a GPU, in bfloat16.
"""

from __future__ import annotations

from typing import Any

from harness.compression.base import Request
from harness.compression.bf16 import Bf16
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.runtimes.torch_semi_structured import masked, require

layers_module = lazy("harness.modeling.weights.layers")


class SemiStructured(Bf16):
    """Reads a model whose mask is there, as `prune-2:4` makes it. Layers without one stay dense."""

    runtime = "torch-semi-structured"

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        model, _ = load(request.source)
        layers = layers_module.linear_layers(model)
        sparse = masked(model)
        if not sparse:
            raise HarnessError(
                f"model {request.source}: none of its {len(layers)} linear layers has a 2:4 mask and a shape that the "
                "kernels take; put prune-2:4 before semi-structured"
            )
        facts = super().compress(request)
        note = "On disk the weights are dense, in bfloat16; on the GPU their zeros are not kept."
        coverage = {"linear": len(layers), "2:4": len(sparse), "head": layers_module.head_names(model)}
        return facts | {"coverage": coverage, "notes": [note]}


COMPRESSOR = SemiStructured
