"""ONNX Runtime on the CPU: a graph in `model.onnx`, of an encoder–decoder that writes a second in `encoder.onnx`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.runtimes.base import WRITING_HEADS, Runtime, RuntimeModel, require_packages
from harness.runtimes.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.runtimes.graph_writer import Graph

FILE = "model.onnx"
ENCODER_FILE = "encoder.onnx"


def require() -> None:
    """Raises HarnessError, with the remedy, where ONNX Runtime is not installed."""
    require_packages("onnxruntime", "onnx", extra="onnx")


@dataclass
class OnnxModel(RuntimeModel):
    session: Any = None

    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [output.name for output in self.session.get_outputs()]
        known = {one.name for one in self.session.get_inputs()}
        arrays = self.session.run(names, {name: array for name, array in inputs.items() if name in known})
        return dict(zip(names, arrays, strict=True))

    def close(self) -> None:
        super().close()
        self.session = None


class Module:
    """A graph as heads call a model: with tensors by name, on the CPU, always predicting."""

    training = False

    def __init__(self, model: RuntimeModel) -> None:
        import torch

        self.device = torch.device("cpu")
        self._model = model

    def __call__(self, **inputs: torch.Tensor) -> SimpleNamespace:
        import torch

        outputs = self._model.forward({name: tensor.numpy() for name, tensor in inputs.items()})
        return SimpleNamespace(**{name: torch.from_numpy(array) for name, array in outputs.items()})

    def eval(self) -> Module:
        return self

    def train(self, mode: bool = True) -> Module:
        if mode:
            raise HarnessError(f"a model in {self._model.name} cannot be trained")
        return self


class OnnxRuntime(Runtime):
    packages = ("onnxruntime",)

    def open(self, folder: Path, settings: Settings, threads: int) -> RuntimeModel:
        require()
        from transformers import AutoTokenizer

        if settings.head in WRITING_HEADS:
            from harness.runtimes.graph_writer import open_writer

            return open_writer("onnxruntime", folder, settings, threads, open_graph)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = OnnxModel("onnxruntime", folder, settings, tokenizer, None, open_session(folder / FILE, threads))
        model.module = Module(model)
        return model


def open_session(file: Path, threads: int) -> Any:
    """A graph, to run on so many threads. Raises HarnessError where ONNX Runtime cannot load it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class but this
        raise HarnessError(f"onnxruntime cannot load {file}: {' '.join(str(error).split())}") from None


def open_graph(file: Path, threads: int) -> Graph:
    """A graph of a model that writes. Raises HarnessError as `open_session` does."""
    from harness.runtimes.graph_writer import Graph

    session = open_session(file, threads)
    names = [output.name for output in session.get_outputs()]
    inputs = {one.name: one.shape for one in session.get_inputs()}
    return Graph(inputs, lambda arrays: dict(zip(names, session.run(names, arrays), strict=True)))


RUNTIME = OnnxRuntime()
