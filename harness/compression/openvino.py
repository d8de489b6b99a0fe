"""The same weights in another runtime: OpenVINO on the CPU, from a float graph or from that of `int8-static`."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request, Target, no_graph
from harness.compression.saving import moved
from harness.core.lazy import lazy
from harness.modeling.runtimes.onnx_runtime import require as require_onnx
from harness.modeling.runtimes.openvino_runtime import RUNTIME, require
from harness.modeling.weights.settings import read_settings

graph_weights = lazy("harness.compression.graph_weights")
graphs = lazy("harness.compression.graphs")


class OpenVino(Compressor):
    """The graph stays ONNX, and OpenVINO makes its own of it when it loads. Dynamic int8 is not taken: OpenVINO would
    compute it in float.
    """

    runtime = "openvino"
    reads = ("onnx", "int8-static")

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("openvino", target, writes=True)

    def compress(self, request: Request) -> dict[str, Any]:
        require()

        facts: dict[str, Any] = {}
        if read_settings(request.source).runtime == "torch":
            require_onnx()

            model = graphs.exported(request, "openvino", self.runtime, request.target, writes=True)
            graph_weights.store_once(model.files)
            facts["conv1d_converted"] = model.conv1d_converted
        else:
            moved(request.source, request.target, self.runtime)
        RUNTIME.open(request.target, read_settings(request.target), threads=1).close()
        return facts


COMPRESSOR = OpenVino
