"""Weights that the graphs of one model have in common, stored once. Imports onnx: import it inside functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.external_data_helper import set_external_data

DATA = "model.onnx.data"
SMALLEST = 1024
"""Bytes of the smallest tensor that is worth a place of its own."""


def store_once(files: Sequence[Path]) -> None:
    """Put the weights of graphs of one folder into one file, each once, also where one graph has it transposed, as the
    output layer does that is tied to the embeddings. A single graph without any such weight stays as it is.
    """
    models = [onnx.load(file) for file in files]
    transposed = [_transpose_inside(model.graph) for model in models]
    if len(models) == 1:
        if transposed[0]:
            onnx.save(models[0], files[0])
        return
    places: dict[str, tuple[int, int]] = {}
    with (files[0].parent / DATA).open("wb") as data:
        for model in models:
            for tensor in model.graph.initializer:
                content = numpy_helper.to_array(tensor).tobytes()
                if len(content) < SMALLEST:
                    continue
                key = hashlib.sha256(content).hexdigest()
                if key not in places:
                    data.write(bytes(-data.tell() % 64))
                    places[key] = (data.tell(), len(content))
                    data.write(content)
                tensor.raw_data = content
                set_external_data(tensor, DATA, *places[key])
                tensor.ClearField("raw_data")
    for model, file in zip(models, files, strict=True):
        onnx.save(model, file)


def _transpose_inside(graph: onnx.GraphProto) -> int:
    """Let a graph make the weights that are the transpose of a table it looks up from that table; how many they are."""
    count = 0
    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather" and node.input[0] in weights}
    multiplied = {node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights}
    for table in sorted(tables):
        values = numpy_helper.to_array(weights[table])
        for name in sorted(multiplied):
            if list(weights[name].dims) == [*values.T.shape] and np.array_equal(
                numpy_helper.to_array(weights[name]), values.T
            ):
                graph.initializer.remove(weights[name])
                multiplied.remove(name)
                count += 1
                graph.node.insert(
                    0, onnx.helper.make_node("Transpose", [table], [name], f"{name}/Transpose", perm=[1, 0])
                )
    return count
