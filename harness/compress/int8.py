"""Dynamic int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations quantized as they
come (Bhandare et al. 2019). The head stays float.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.compress.base import Compressor, Request, Target
from harness.errors import HarnessError
from harness.runtimes.base import OUTPUTS
from harness.runtimes.onnx_runtime import FILE, require
from harness.specs import Strict

if TYPE_CHECKING:
    from onnx import GraphProto


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
        if target.head not in OUTPUTS:
            return f"int8 does not yet export the head {target.head} to onnxruntime; int8-weight stores such a model"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from harness.compress.export import ROOT, export, quietly
        from harness.compress.layers import head_names, linear_layers
        from harness.compress.saving import settled
        from harness.runtimes.settings import write_settings
        from harness.runtimes.torch_eager import load

        model, tokenizer = load(request.source)
        settings = settled(request.source, runtime=self.runtime)
        reason = self.not_applicable(Target(model.config.model_type, settings.head))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        exported = request.scratch / "float.onnx"
        converted = export(model, tokenizer, settings.head, exported)
        layers, heads = list(linear_layers(model)), head_names(model)
        excluded = _float_nodes(exported, [f"/{ROOT}/{name.replace('.', '/')}/" for name in heads])
        with quietly():
            quantize_dynamic(
                exported,
                request.target / FILE,
                op_types_to_quantize=["MatMul", *(["Gather"] if self.options.embeddings else [])],
                per_channel=self.options.per_channel,
                reduce_range=self.options.reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=excluded,
                extra_options={"MatMulConstBOnly": True},
            )
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(request.target)
        tokenizer.save_pretrained(request.target)
        write_settings(request.target, settings)
        return {"coverage": _coverage(request, layers, heads), "conv1d_converted": converted}


def _float_nodes(exported: Any, prefixes: list[str]) -> list[str]:
    """Names of the head's matrix products, also as they are called once a Gemm has become a MatMul."""
    import onnx

    nodes = onnx.load(exported).graph.node
    names = [
        node.name for node in nodes if node.op_type in ("MatMul", "Gemm") and node.name.startswith(tuple(prefixes))
    ]
    return [*names, *(f"{name}_MatMul" for name in names)]


def _coverage(request: Request, layers: list[str], heads: list[str]) -> dict[str, Any]:
    """How many matrix products with weights are integer, and how many stayed float.

    Raises:
        HarnessError: a linear layer outside the head stayed float: it would be slow and large in silence.
    """
    import onnx

    graph = onnx.load(request.target / FILE).graph
    integer = sum(node.op_type == "MatMulInteger" for node in graph.node)
    stayed = _float_products(graph)
    if integer < len(layers):
        raise HarnessError(f"model {request.source}: only {integer} of its {len(layers)} linear layers became int8")
    return {"linear": len(layers), "int8": integer, "float": stayed, "head": heads}


def _float_products(graph: GraphProto) -> int:
    """Matrix products of the graph with a weight, in float."""
    weights = {tensor.name for tensor in graph.initializer}
    return sum(node.op_type in ("MatMul", "Gemm") and node.input[1] in weights for node in graph.node)


COMPRESSOR = Int8
