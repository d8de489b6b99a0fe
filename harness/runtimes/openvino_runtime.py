"""OpenVINO on the CPU: the graphs of `harness.runtimes.onnx_runtime`. Floats are float32 even where it has bf16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.runtimes.base import WRITING_HEADS, Runtime, RuntimeModel, require_packages
from harness.runtimes.onnx_runtime import FILE, Module
from harness.runtimes.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from harness.runtimes.graph_writer import Graph


def require() -> None:
    """Raises HarnessError, with the remedy, where OpenVINO is not installed."""
    require_packages("openvino", extra="openvino")


@dataclass
class OpenVinoModel(RuntimeModel):
    compiled: Any = None

    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        known = {one.any_name for one in self.compiled.inputs}
        found = self.compiled({name: array for name, array in inputs.items() if name in known})
        return {one.any_name: found[one].copy() for one in self.compiled.outputs}

    def close(self) -> None:
        super().close()
        self.compiled = None


class OpenVino(Runtime):
    packages = ("openvino",)

    def open(self, folder: Path, settings: Settings, threads: int) -> RuntimeModel:
        require()
        from transformers import AutoTokenizer

        if settings.head in WRITING_HEADS:
            from harness.runtimes.graph_writer import open_writer

            return open_writer("openvino", folder, settings, threads, open_graph)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = OpenVinoModel("openvino", folder, settings, tokenizer, None, compile_graph(folder / FILE, threads))
        model.module = Module(model)
        return model


def compile_graph(file: Path, threads: int) -> Any:
    """A graph, to run on so many threads. Raises HarnessError where OpenVINO cannot load it."""
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    try:
        return openvino.Core().compile_model(file, "CPU", options)
    except RuntimeError as error:
        raise HarnessError(f"openvino cannot load {file}: {' '.join(str(error).split())[:200]}") from None


def open_graph(file: Path, threads: int) -> Graph:
    """A graph of a model that writes. Raises HarnessError as `compile_graph` does."""
    from harness.runtimes.graph_writer import Graph

    compiled = compile_graph(file, threads)

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = compiled(dict(arrays))
        return {one.any_name: found[one].copy() for one in compiled.outputs}

    shapes = {one.any_name: one.partial_shape for one in compiled.inputs}
    inputs = {name: [size.get_length() if size.is_static else None for size in shape] for name, shape in shapes.items()}
    return Graph(inputs, run)


RUNTIME = OpenVino()
