"""Dynamic int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations quantized as they
come (Bhandare et al. 2019). The head stays float.
"""

from __future__ import annotations

from typing import Any

from harness.compress.base import Compressor, LayerOptions, Request, Target, no_graph
from harness.errors import HarnessError
from harness.runtimes.onnx_runtime import FILE, require


class Int8(Compressor):
    """`reduce_range` keeps weights to seven bits: on CPUs without VNNI the products of eight-bit ones overflow.
    `embeddings` stores the embeddings as int8 too, with one scale for each table.
    """

    runtime = "onnxruntime"

    class Options(LayerOptions):
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
        wanted = model.chosen(self.options, self.options.embeddings)
        skipped = model.skipped(wanted)
        excluded = model.products_of([*model.heads, *skipped])
        with quietly():
            quantize_dynamic(
                model.file,
                request.target / FILE,
                op_types_to_quantize=["MatMul", *(["Gather"] if wanted.embeddings else [])],
                per_channel=self.options.per_channel,
                reduce_range=self.options.reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[*excluded, *(f"{name}_MatMul" for name in excluded)],  # a Gemm becomes a MatMul
                extra_options={"MatMulConstBOnly": True},
            )
        return {
            "coverage": _coverage(request, list(wanted.linear), skipped, model.heads),
            "conv1d_converted": model.conv1d_converted,
        }


def _coverage(request: Request, layers: list[str], skipped: list[str], heads: list[str]) -> dict[str, Any]:
    """How many matrix products with weights are integer, and how many stayed float.

    Raises:
        HarnessError: a linear layer outside the head and the skipped ones stayed float: it would be slow and large in
            silence. Or a skipped one did not.
    """
    import onnx

    from harness.compress.graphs import float_products, is_in

    graph = onnx.load(request.target / FILE).graph
    integer = sum(node.op_type == "MatMulInteger" for node in graph.node)
    if any(node.op_type == "MatMulInteger" and is_in(node.name, skipped) for node in graph.node):
        raise HarnessError(f"model {request.source}: layers that were to be skipped became int8")
    if integer < len(layers):
        raise HarnessError(f"model {request.source}: only {integer} of its {len(layers)} linear layers became int8")
    total = len(layers) + len(skipped)
    return {"linear": total, "int8": integer, "float": len(float_products(graph)), "head": heads}


COMPRESSOR = Int8
