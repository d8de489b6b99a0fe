"""From a model folder to one with a graph, and what became of its linear layers. Imports onnx: import it inside
functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compress.base import LayerOptions, Request, Target, no_graph
from harness.compress.export import ROOT, export
from harness.compress.groups import Chosen, chosen
from harness.compress.layers import head_names, linear_layers
from harness.compress.saving import settled
from harness.errors import HarnessError
from harness.runtimes.settings import Settings, write_settings
from harness.runtimes.torch_eager import load


@dataclass(frozen=True)
class Exported:
    """The float graph of a model in `file`; the names of its linear layers and of the modules of its head."""

    file: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    settings: Settings
    layers: list[str]
    heads: list[str]
    conv1d_converted: int

    def inputs(self) -> list[str]:
        return [one.name for one in onnx.load(self.file, load_external_data=False).graph.input]

    def chosen(self, options: LayerOptions, with_embeddings: bool) -> Chosen:
        """What the options leave to a method. Raises HarnessError as `groups.chosen` does."""
        return chosen(self.model, options, with_embeddings)

    def skipped(self, wanted: Chosen) -> list[str]:
        return [name for name in self.layers if name not in wanted.linear]

    def products_of(self, modules: Sequence[str]) -> list[str]:
        """Names of the nodes in which these modules multiply with a weight."""
        return [name for name in float_products(onnx.load(self.file).graph) if is_in(name, modules)]


def exported(request: Request, method: str, runtime: str, file: Path) -> Exported:
    """Write the graph of the request's model to `file`, and its config, tokenizer and settings into the target.

    Raises:
        HarnessError: a head or a model that cannot be exported.
    """
    model, tokenizer = load(request.source)
    settings = settled(request.source, runtime=runtime)
    reason = no_graph(method, Target(model.config.model_type, settings.head))
    if reason:
        raise HarnessError(f"model {request.source}: {reason}")
    converted = export(model, tokenizer, settings.head, file)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(request.target)
    tokenizer.save_pretrained(request.target)
    write_settings(request.target, settings)
    return Exported(file, model, tokenizer, settings, list(linear_layers(model)), head_names(model), converted)


def float_products(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that multiply matrices with a float weight."""
    weights = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights]


def is_in(node: str, modules: Sequence[str]) -> bool:
    """Whether a node is of one of the modules: `/model/bert/encoder/layer.0/output/dense/MatMul`."""
    return node.replace("/", ".").startswith(tuple(f".{ROOT}.{name}." for name in modules))
