"""From a model folder to one with a graph, and what became of its linear layers. Imports onnx: import it inside
functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compress.base import GraphOptions, Request, Target, no_graph
from harness.compress.export import ROOT, export
from harness.compress.groups import chosen
from harness.compress.layers import head_names, linear_layers
from harness.compress.saving import settled
from harness.errors import HarnessError
from harness.runtimes.settings import Settings, write_settings
from harness.runtimes.torch_eager import load


@dataclass(frozen=True)
class Exported:
    """The float graph of a model in `file`; the names of its linear layers that a method may touch, of those it skips,
    and of the modules of its head; whether it may touch the embeddings.
    """

    file: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    settings: Settings
    layers: list[str]
    skipped: list[str]
    heads: list[str]
    embeddings: bool
    conv1d_converted: int

    def inputs(self) -> list[str]:
        return [one.name for one in onnx.load(self.file, load_external_data=False).graph.input]

    def linear_nodes(self) -> list[str]:
        """Names of the nodes that multiply with a weight, without those of the head and of what is skipped."""
        left = set(self.float_nodes())
        return [name for name in float_products(onnx.load(self.file).graph) if name not in left]

    def float_nodes(self) -> list[str]:
        """Names of the nodes that multiply with a weight in the head and in what is skipped."""
        stays = [*self.heads, *self.skipped]
        return [name for name in float_products(onnx.load(self.file).graph) if is_in(name, stays)]


def exported(request: Request, method: str, runtime: str, file: Path, options: GraphOptions | None = None) -> Exported:
    """Write the graph of the request's model to `file`, and its config, tokenizer and settings into the target.
    `options` of a method say which layers it may touch; without, all of them.

    Raises:
        HarnessError: a head or a model that cannot be exported, or layers that are not there.
    """
    model, tokenizer = load(request.source)
    settings = settled(request.source, runtime=runtime)
    reason = no_graph(method, Target(model.config.model_type, settings.head))
    if reason:
        raise HarnessError(f"model {request.source}: {reason}")
    every = list(linear_layers(model))
    wanted = chosen(model, options, options.embeddings) if options else None
    layers = list(wanted.linear) if wanted else every
    skipped = [name for name in every if name not in layers]
    converted = export(model, tokenizer, settings.head, file)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(request.target)
    tokenizer.save_pretrained(request.target)
    write_settings(request.target, settings)
    return Exported(
        file, model, tokenizer, settings, layers, skipped, head_names(model), wanted is None or wanted.embeddings,
        converted,
    )  # fmt: skip


def is_in(node: str, modules: list[str]) -> bool:
    """Whether a node is of one of the modules: `/model/bert/encoder/layer.0/output/dense/MatMul`."""
    return node.replace("/", ".").startswith(tuple(f".{ROOT}.{name}." for name in modules))


def float_products(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that multiply matrices with a float weight."""
    weights = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights]
