"""ONNX Runtime on the CPU: the graphs of `harness.modeling.runtimes.graph`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.packages import require_packages
from harness.modeling.runtimes.base import Runtime, RuntimeModel
from harness.modeling.runtimes.graph import open_graphs
from harness.modeling.runtimes.graph_file import Graph
from harness.modeling.weights.settings import Settings

if TYPE_CHECKING:
    import numpy as np


NARROW = {"tensor(int32)": "int32", "tensor(float16)": "float16"}
"""Types of inputs that are given as int64 or float32."""


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype("float32") if array.dtype == "float16" else array


def require() -> None:
    """Raises HarnessError, with the remedy, where ONNX Runtime is not installed."""
    require_packages("onnxruntime", "onnx", extra="onnx")


class OnnxRuntime(Runtime):
    packages = ("onnxruntime",)

    def open(self, folder: Path, settings: Settings, threads: int) -> RuntimeModel:
        require()
        return open_graphs("onnxruntime", folder, settings, threads, open_graph)


def open_graph(file: Path, threads: int) -> Graph:
    """Raises HarnessError where ONNX Runtime cannot load the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class but this
        raise HarnessError(f"onnxruntime cannot load {file}: {' '.join(str(error).split())}") from None
    names = [output.name for output in session.get_outputs()]
    inputs = {value.name: value.shape for value in session.get_inputs()}
    narrow = {value.name: NARROW[value.type] for value in session.get_inputs() if value.type in NARROW}

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {name: array.astype(narrow.get(name, array.dtype), copy=False) for name, array in arrays.items()}
        outputs = session.run(names, given)
        return {name: _wide(array) for name, array in zip(names, outputs, strict=True)}

    return Graph(inputs, run)


RUNTIME = OnnxRuntime()
