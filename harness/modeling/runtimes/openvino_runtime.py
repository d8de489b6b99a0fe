"""OpenVINO on the CPU: the graphs of `harness.modeling.runtimes.graph`. Floats are computed in float32, also where
the CPU has bf16.
"""

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


def require() -> None:
    """Raises HarnessError, with the remedy, where OpenVINO is not installed."""
    require_packages("openvino", extra="openvino")


class OpenVino(Runtime):
    packages = ("openvino",)

    def open(self, folder: Path, settings: Settings, threads: int) -> RuntimeModel:
        require()
        return open_graphs("openvino", folder, settings, threads, open_graph)


def open_graph(file: Path, threads: int) -> Graph:
    """Raises HarnessError where OpenVINO cannot load the graph."""
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    try:
        compiled = openvino.Core().compile_model(file, "CPU", options)
    except RuntimeError as error:
        raise HarnessError(f"openvino cannot load {file}: {' '.join(str(error).split())[:200]}") from None

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = compiled(dict(arrays))
        return {port.any_name: results[port].copy() for port in compiled.outputs}

    inputs = {
        port.any_name: [size.get_length() if size.is_static else None for size in port.partial_shape]
        for port in compiled.inputs
    }
    return Graph(inputs, run)


RUNTIME = OpenVino()
