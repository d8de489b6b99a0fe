"""The same weights, with all that a forward pass launches on a GPU captured in one graph for each shape of a batch."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request, Target
from harness.compression.saving import moved
from harness.core.errors import HarnessError
from harness.modeling.runtimes.base import OUTPUTS
from harness.modeling.runtimes.torch_cuda_graphs import require
from harness.modeling.weights.settings import read_settings


class CudaGraphs(Compressor):
    """The folder is copied; the first call of a shape takes some five times as long as others, and each graph keeps the
    memory of its activations.
    """

    runtime = "torch-cuda-graphs"
    reads = ("bf16", "compile", "fp8-torchao", "int4-torchao", "int8-torchao", "semi-structured")

    def not_applicable(self, target: Target) -> str | None:
        if target.head not in OUTPUTS:
            return f"cuda-graphs serve models that answer in one pass, not yet the head {target.head}"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        settings = read_settings(request.source)
        reason = self.not_applicable(Target("", settings.head))
        if reason is None and settings.compiling is not None and settings.compiling.mode != "default":
            reason = f"it is compiled with {settings.compiling.mode}, which makes graphs of its own"
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        require()
        moved(request.source, request.target, self.runtime, graphed=settings.runtime)
        return {"notes": ["The weights stay as they are; each shape of a batch is captured at its first call."]}


COMPRESSOR = CudaGraphs
