"""Dynamic int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations quantized as they
come (Bhandare et al. 2019). The head stays float.
"""

from __future__ import annotations

from typing import Any

from harness.compress.base import Compressor, Request, Target, no_graph
from harness.errors import HarnessError
from harness.runtimes.onnx_runtime import FILE, require
from harness.specs import Strict


class Int8(Compressor):
    """`reduce_range` keeps weights to seven bits: on CPUs without VNNI the products of eight-bit ones overflow.
    `embeddings` stores the embeddings as int8 too, with one scale for each table.
    """

    runtime = "onnxruntime"

    class Options(Strict):
        per_channel: bool = True
        reduce_range: bool = True
        embeddings: bool = True

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("int8", target)

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from harness.compress.export import quietly
        from harness.compress.graphs import exported

        model = exported(request, "int8", self.runtime, request.scratch / "float.onnx")
        heads = model.head_nodes()
        with quietly():
            quantize_dynamic(
                model.file,
                request.target / FILE,
                op_types_to_quantize=["MatMul", *(["Gather"] if self.options.embeddings else [])],
                per_channel=self.options.per_channel,
                reduce_range=self.options.reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[*heads, *(f"{name}_MatMul" for name in heads)],  # a Gemm becomes a MatMul
                extra_options={"MatMulConstBOnly": True},
            )
        return {"coverage": _coverage(request, model.layers, model.heads), "conv1d_converted": model.conv1d_converted}


def _coverage(request: Request, layers: list[str], heads: list[str]) -> dict[str, Any]:
    """How many matrix products with weights are integer, and how many stayed float.

    Raises:
        HarnessError: a linear layer outside the head stayed float: it would be slow and large in silence.
    """
    import onnx

    from harness.compress.graphs import float_products

    graph = onnx.load(request.target / FILE).graph
    integer = sum(node.op_type == "MatMulInteger" for node in graph.node)
    if integer < len(layers):
        raise HarnessError(f"model {request.source}: only {integer} of its {len(layers)} linear layers became int8")
    return {"linear": len(layers), "int8": integer, "float": len(float_products(graph)), "head": heads}


COMPRESSOR = Int8
