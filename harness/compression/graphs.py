"""From a model folder to one with graphs, and what became of its linear layers. Imports onnx: import it inside
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compression import export_towers
from harness.compression.base import Request, Target, no_graph
from harness.compression.export import ROOT, export
from harness.compression.export_writer import FILES, export_writer
from harness.compression.graph_weights import store_once
from harness.compression.groups import Chosen, chosen
from harness.compression.options import LayerOptions
from harness.compression.saving import save_readers, settled
from harness.core.errors import HarnessError
from harness.modeling.runtimes.base import WRITING_HEADS
from harness.modeling.runtimes.graph_file import FILE
from harness.modeling.runtimes.graph_towers import SCALE
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.layers import as_linear, embeddings, head_names, linear_layers
from harness.modeling.weights.settings import ITEM_HEADS, TOWERS, Settings, write_settings


@dataclass(frozen=True)
class Exported:
    """The float graphs of a model in `files`, the one that predicts first; the names of its linear layers and of the
    modules of its head. `source` is the folder it came from.
    """

    source: Path
    files: list[Path]
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    settings: Settings
    layers: list[str]
    heads: list[str]
    conv1d_converted: int

    def describe(self, target: Path) -> None:
        """Write config, tokenizer and settings, which a folder needs beside the graphs."""
        if self.settings.head in WRITING_HEADS and self.model.generation_config is not None:
            self.model.generation_config.save_pretrained(target)
        self.model.config.architectures = [type(self.model).__name__]
        self.model.config.save_pretrained(target)
        save_readers(self.source, target, self.tokenizer)
        write_settings(target, self.settings)

    def store(self, files: Sequence[Path]) -> None:
        """Let graphs made of these share their weights in a file; of two towers each keeps its own."""
        apart = self.settings.head == TOWERS
        for together in [[file] for file in files] if apart else [files]:
            store_once(together)

    @property
    def file(self) -> Path:
        """The graph of a model that has one."""
        (file,) = self.files
        return file

    def inputs(self) -> list[str]:
        return [value.name for value in onnx.load(self.file, load_external_data=False).graph.input]

    def chosen(self, options: LayerOptions, with_embeddings: bool) -> Chosen:
        """What the options leave to a method. Raises HarnessError as `groups.chosen` does."""
        return chosen(self.model, options, with_embeddings)

    def skipped(self, wanted: Chosen) -> list[str]:
        return [name for name in self.layers if name not in wanted.linear]


def exported(
    request: Request,
    method: str,
    runtime: str,
    folder: Path,
    writes: bool = False,
    prepare: Callable[[PreTrainedModel, PreTrainedTokenizerBase], None] | None = None,
) -> Exported:
    """Write the graphs of the request's model into `folder`, named as in the target, and its config, tokenizer and
    settings into the target. Of a head that writes where the method can take it. `prepare` may change the model before,
    whose Conv1D are Linear then.

    Raises:
        HarnessError: a head or a model that cannot be exported.
    """
    model, tokenizer = load(request.source)
    settings = settled(request.source, runtime=runtime)
    reason = no_graph(method, Target(model.config.model_type, settings.head), writes, items=True)
    if reason:
        raise HarnessError(f"model {request.source}: {reason}")
    before = as_linear(model)
    if prepare is not None:
        prepare(model, tokenizer)
    if settings.head in WRITING_HEADS:
        files = [folder / name for name in FILES[settings.head]]
        converted = export_writer(model, settings.head, folder)
    elif settings.head == TOWERS:
        files, converted = export_towers.export_towers(model, tokenizer, request.source, folder), 0
        scale = {SCALE: export_towers.scale_of(model)}
        settings = settings.model_copy(update={"fitted": {**settings.fitted, **scale}})
    elif settings.head in ITEM_HEADS:
        files, converted = export_towers.export_items(model, request.source, folder), 0
    else:
        files = [folder / FILE]
        converted = export(model, tokenizer, settings.head, folder / FILE)
    made = Exported(
        request.source,
        files,
        model,
        tokenizer,
        settings,
        list(linear_layers(model)),
        head_names(model),
        before + converted,
    )
    made.describe(request.target)
    return made


def products_of(file: Path, modules: Sequence[str]) -> list[str]:
    """Names of the nodes of a float graph in which these modules multiply with a weight."""
    return [name for name in float_products(onnx.load(file).graph) if is_in(name, modules)]


def float_products(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that multiply matrices with a float weight."""
    weights = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights]


def other_tables(file: Path, model: PreTrainedModel) -> list[str]:
    """Names of the nodes of a float graph that look up a table which is none of the model's `layers.embeddings`."""
    graph = onnx.load(file).graph
    tables = {tensor.name: tensor for tensor in graph.initializer}
    known = [module.weight.detach().numpy() for module in embeddings(model).values()]
    lookups = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]
    return [
        node.name
        for node in lookups
        if not any(np.array_equal(numpy_helper.to_array(tables[node.input[0]]), table) for table in known)
    ]


def is_in(node: str, modules: Sequence[str]) -> bool:
    """Whether a node is of one of the modules: `/model/bert/encoder/layer.0/output/dense/MatMul`."""
    return node.replace("/", ".").startswith(tuple(f".{ROOT}.{name}." for name in modules))
