"""The same weights in another runtime: a float graph in ONNX Runtime."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request, Target, no_graph
from harness.core.lazy import lazy
from harness.modeling.runtimes.onnx_runtime import require

graphs = lazy("harness.compression.graphs")


class Onnx(Compressor):
    """What is left of the gain of `int8` without it comes from the runtime: this is its control."""

    runtime = "onnxruntime"
    reads_items = True

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("onnx", target, writes=True, items=True)

    def compress(self, request: Request) -> dict[str, Any]:
        require()

        model = graphs.exported(request, "onnx", self.runtime, request.target, writes=True)
        model.store(model.files)
        return {"conv1d_converted": model.conv1d_converted}


COMPRESSOR = Onnx
