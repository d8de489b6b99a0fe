"""Dynamic int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations quantized as they
come (Bhandare et al. 2019). The head stays float.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.compress.base import Compressor, GraphOptions, Request, Target, no_graph
from harness.errors import HarnessError
from harness.runtimes.onnx_runtime import FILE, require

if TYPE_CHECKING:
    from harness.compress.graphs import Exported


class Int8(Compressor):
    """`reduce_range` keeps weights to seven bits: on CPUs without VNNI the products of eight-bit ones overflow.
    `embeddings` stores the embeddings as int8 too, with one scale for each table.
    """

    runtime = "onnxruntime"

    class Options(GraphOptions):
        per_channel: bool = True
        reduce_range: bool = True

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("int8", target)

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from harness.compress.export import quietly
        from harness.compress.graphs import exported

        model = exported(request, "int8", self.runtime, request.scratch / "float.onnx", self.options)
        stays = model.float_nodes()
        with quietly():
            quantize_dynamic(
                model.file,
                request.target / FILE,
                op_types_to_quantize=["MatMul", *(["Gather"] if model.embeddings else [])],
                per_channel=self.options.per_channel,
                reduce_range=self.options.reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[*stays, *(f"{name}_MatMul" for name in stays)],  # a Gemm becomes a MatMul
                extra_options={"MatMulConstBOnly": True},
            )
        return {"coverage": _coverage(request, model), "conv1d_converted": model.conv1d_converted}


def _coverage(request: Request, model: Exported) -> dict[str, Any]:
    """How many matrix products with weights are integer, and how many stayed float.

    Raises:
        HarnessError: a linear layer outside the head and the skipped ones stayed float: it would be slow and large in
            silence. Or a skipped one did not.
    """
    import onnx

    from harness.compress.graphs import float_products, is_in

    graph = onnx.load(request.target / FILE).graph
    integer = [node.name for node in graph.node if node.op_type == "MatMulInteger"]
    if len(integer) < len(model.layers):
        raise HarnessError(
            f"model {request.source}: only {len(integer)} of its {len(model.layers)} linear layers became int8"
        )
    if any(is_in(name, model.skipped) for name in integer):
        raise HarnessError(f"model {request.source}: layers that were to be skipped became int8")
    return {
        "linear": len(model.layers) + len(model.skipped),
        "int8": len(integer),
        "float": len(float_products(graph)),
        "head": model.heads,
    }


COMPRESSOR = Int8
