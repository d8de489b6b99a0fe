"""ONNX Runtime on the CPU: a graph in `model.onnx`, for the heads of encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.runtimes.base import Runtime, RuntimeModel, require_packages
from harness.runtimes.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import torch

FILE = "model.onnx"


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

    def open(self, folder: Path, settings: Settings, threads: int) -> OnnxModel:
        require()
        import onnxruntime
        from transformers import AutoTokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(folder / FILE, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no common class but this
            raise HarnessError(f"onnxruntime cannot load {folder / FILE}: {' '.join(str(error).split())}") from None
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = OnnxModel("onnxruntime", folder, settings, tokenizer, None, session)
        model.module = Module(model)
        return model


RUNTIME = OnnxRuntime()
