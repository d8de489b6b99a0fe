"""Dynamic int8 by torch's own kernels on a CPU: weights as int8 with a scale for each output channel, activations
quantized as they come. The model stays in torch, also one that cannot be exported. The head stays float.
"""

from __future__ import annotations

from typing import Any

from harness.compression.base import Request
from harness.compression.int8_weight import Int8Weight
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes import open_model

int8_linear = lazy("harness.modeling.runtimes.int8_linear")


class Int8Torch(Int8Weight):
    runtime = "torch-int8"
    note = "Embeddings are float32 again when they are loaded; the head is not quantized."

    def compress(self, request: Request) -> dict[str, Any]:
        int8_linear.require()
        facts = super().compress(request)
        layers = open_model(request.target).module.modules()
        integer, wanted = sum(isinstance(layer, int8_linear.Int8Linear) for layer in layers), facts["coverage"]["int8"]
        if integer != wanted:
            raise HarnessError(f"model {request.source}: only {integer} of its {wanted} linear layers became int8")
        return facts


COMPRESSOR = Int8Torch
