"""Dynamic int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations quantized as they
come (Bhandare et al. 2019). The head stays float.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from harness.compression.base import Compressor, Request, Target, no_graph
from harness.compression.options import AUTO, LayerOptions
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.onnx_runtime import require
from harness.modeling.weights.settings import ITEM_HEADS, TOWERS

export = lazy("harness.compression.export")
graphs_module = lazy("harness.compression.graphs")
smoothing = lazy("harness.compression.smoothing")


def _strength(value: Any) -> Any:
    if value in (None, AUTO):
        return value
    try:
        if not isinstance(value, bool) and 0 <= float(value) <= 1:
            return float(value)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"a number from 0 to 1, or {AUTO}")


class Int8(Compressor):
    """`reduce_range` keeps weights to seven bits: on CPUs without VNNI the products of eight-bit ones overflow.
    `embeddings` stores the embeddings as int8 too, with one scale for each table. `smooth` (0.5 is usual) moves
    outliers of activations into the weights first (`harness.compression.smoothing`), which language models need;
    `auto` searches for how far.
    """

    runtime = "onnxruntime"
    reads_items = True

    class Options(LayerOptions):
        per_channel: bool = True
        reduce_range: bool = True
        embeddings: bool = True
        smooth: Annotated[float | Literal["auto"] | None, BeforeValidator(_strength)] = None

    @property
    def reads_texts(self) -> bool:
        return self.options.smooth is not None or self.searches

    def not_applicable(self, target: Target) -> str | None:
        if self.options.smooth is not None and target.head in (TOWERS, *ITEM_HEADS):
            return f"smooth looks at texts, and is not for the head {target.head}; leave it out"
        return no_graph("int8", target, writes=True, items=True)

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from onnxruntime.quantization import QuantType, quantize_dynamic

        smoothed = 0

        def prepare(model: Any, tokenizer: Any) -> None:
            nonlocal smoothed
            if self.options.smooth is not None:
                smoothed = smoothing.smooth(model, tokenizer, request, self.options.smooth)

        kept = {} if request.kept is None else request.kept
        if "int8" in kept:
            kept["int8"].describe(request.target)
        else:
            kept["int8"] = graphs_module.exported(request, "int8", self.runtime, request.scratch, True, prepare)
        model = kept["int8"]
        wanted = model.chosen(self.options, self.options.embeddings)
        skipped = model.skipped(wanted)
        files = [request.target / file.name for file in model.files]
        for source, file in zip(model.files, files, strict=True):
            products = graphs_module.products_of(source, [*model.heads, *skipped])
            excluded = [*products, *(f"{name}_MatMul" for name in products)]  # a Gemm becomes a MatMul
            with export.quietly():
                quantize_dynamic(
                    source,
                    file,
                    op_types_to_quantize=["MatMul", *(["Gather"] if wanted.embeddings else [])],
                    per_channel=self.options.per_channel,
                    reduce_range=self.options.reduce_range,
                    weight_type=QuantType.QInt8,
                    nodes_to_exclude=[*excluded, *graphs_module.other_tables(source, model.model)],
                    extra_options={"MatMulConstBOnly": True},
                )
        coverage = _coverage(request, files, list(wanted.linear), skipped, model.heads)
        model.store(files)
        facts = {"coverage": coverage, "conv1d_converted": model.conv1d_converted}
        return facts | ({"smoothed": smoothed} if self.options.smooth is not None else {})


def _coverage(
    request: Request, files: list[Path], layers: list[str], skipped: list[str], heads: list[str]
) -> dict[str, Any]:
    """How many linear layers multiply in integers, and how many matrix products with weights stayed float.

    Raises:
        HarnessError: a linear layer outside the head and the skipped ones stayed float: it would be slow and large in
            silence. Or a skipped one did not.
    """
    import onnx

    graphs = [onnx.load(file).graph for file in files]
    products = [node.name for graph in graphs for node in graph.node if node.op_type == "MatMulInteger"]
    if any(graphs_module.is_in(name, skipped) for name in products):
        raise HarnessError(f"model {request.source}: layers that were to be skipped became int8")
    covered = sum(any(graphs_module.is_in(node, [name]) for node in products) for name in layers)
    if covered < len(layers):
        raise HarnessError(f"model {request.source}: only {covered} of its {len(layers)} linear layers became int8")
    total = len(layers) + len(skipped)
    floats = sum(len(graphs_module.float_products(graph)) for graph in graphs)
    return {"linear": total, "int8": covered, "float": floats, "head": heads}


COMPRESSOR = Int8
