"""Weights and activations in bfloat16: half the bytes, and on hardware with bf16 units a multiple of the speed."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request
from harness.compression.saving import save
from harness.modeling.runtimes.torch_bf16 import DTYPE
from harness.modeling.runtimes.torch_eager import in_floats, load


class Bf16(Compressor):
    """All weights, the head's among them, rounded to the nearest; every head is served."""

    runtime = "torch-bf16"
    reads_items = True

    def compress(self, request: Request) -> dict[str, Any]:
        model, tokenizer = load(request.source)
        in_floats(model, DTYPE)
        save(model, tokenizer, request.source, request.target, runtime=self.runtime)
        return {}


COMPRESSOR = Bf16
