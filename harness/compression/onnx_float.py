"""The same weights in another runtime: a float graph in ONNX Runtime."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request, Target, no_graph
from harness.core.lazy import lazy
from harness.modeling.runtimes.onnx_runtime import require

graph_weights = lazy("harness.compression.graph_weights")
graphs = lazy("harness.compression.graphs")


class Onnx(Compressor):
    """What is left of the gain of `int8` without it comes from the runtime: this is its control."""

    runtime = "onnxruntime"

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("onnx", target, writes=True)

    def compress(self, request: Request) -> dict[str, Any]:
        require()

        model = graphs.exported(request, "onnx", self.runtime, request.target, writes=True)
        graph_weights.store_once(model.files)
        return {"conv1d_converted": model.conv1d_converted}


COMPRESSOR = Onnx
