"""Dynamic int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations quantized as they
come (Bhandare et al. 2019). The head stays float.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.compress.base import Compressor, LayerOptions, Request, Target
from harness.errors import HarnessError
from harness.runtimes.base import OUTPUTS
from harness.runtimes.onnx_runtime import FILE, require

if TYPE_CHECKING:
    from onnx import GraphProto


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
        if target.head not in OUTPUTS:
            return f"int8 does not yet export the head {target.head} to onnxruntime; int8-weight stores such a model"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from harness.compress.export import export, quietly
        from harness.compress.groups import chosen
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
        wanted, heads = chosen(model, self.options, self.options.embeddings), head_names(model)
        skipped = [name for name in linear_layers(model) if name not in wanted.linear]
        excluded = _float_nodes(exported, [*heads, *skipped])
        with quietly():
            quantize_dynamic(
                exported,
                request.target / FILE,
                op_types_to_quantize=["MatMul", *(["Gather"] if wanted.embeddings else [])],
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
        return {"coverage": _coverage(request, list(wanted.linear), skipped, heads), "conv1d_converted": converted}


def _float_nodes(exported: Any, modules: list[str]) -> list[str]:
    """Names of those modules' matrix products, also as they are called once a Gemm has become a MatMul."""
    import onnx

    nodes = onnx.load(exported).graph.node
    names = [node.name for node in nodes if node.op_type in ("MatMul", "Gemm") and _is_in(node.name, modules)]
    return [*names, *(f"{name}_MatMul" for name in names)]


def _is_in(node: str, modules: list[str]) -> bool:
    """Whether a node is of one of the modules: `/model/bert/encoder/layer.0/output/dense/MatMul`."""
    from harness.compress.export import ROOT

    return node.replace("/", ".").startswith(tuple(f".{ROOT}.{name}." for name in modules))


def _coverage(request: Request, layers: list[str], skipped: list[str], heads: list[str]) -> dict[str, Any]:
    """How many matrix products with weights are integer, and how many stayed float.

    Raises:
        HarnessError: a linear layer outside the head and the skipped ones stayed float: it would be slow and large in
            silence. Or a skipped one did not.
    """
    import onnx

    graph = onnx.load(request.target / FILE).graph
    integer = sum(node.op_type == "MatMulInteger" for node in graph.node)
    stayed = _float_products(graph)
    if any(node.op_type == "MatMulInteger" and _is_in(node.name, skipped) for node in graph.node):
        raise HarnessError(f"model {request.source}: layers that were to be skipped became int8")
    if integer < len(layers):
        raise HarnessError(f"model {request.source}: only {integer} of its {len(layers)} linear layers became int8")
    return {"linear": len(layers) + len(skipped), "int8": integer, "float": stayed, "head": heads}


def _float_products(graph: GraphProto) -> int:
    """Matrix products of the graph with a weight, in float."""
    weights = {tensor.name for tensor in graph.initializer}
    return sum(node.op_type in ("MatMul", "Gemm") and node.input[1] in weights for node in graph.node)


COMPRESSOR = Int8
