"""The same weights in another runtime: a float graph in ONNX Runtime."""

from __future__ import annotations

from typing import Any

from harness.compress.base import Compressor, Request, Target, no_graph
from harness.runtimes.onnx_runtime import FILE, require


class Onnx(Compressor):
    """What is left of the gain of `int8` without it comes from the runtime: this is its control."""

    runtime = "onnxruntime"

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("onnx", target)

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from harness.compress.graphs import exported

        model = exported(request, "onnx", self.runtime, request.target / FILE)
        return {"conv1d_converted": model.conv1d_converted}


COMPRESSOR = Onnx
