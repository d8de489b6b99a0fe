"""OpenVINO on the CPU: the graph in `model.onnx`, for the heads of encoders. Float graphs are computed in float32, also
where the CPU has bf16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.runtimes.base import Runtime, RuntimeModel, require_packages
from harness.runtimes.onnx_runtime import FILE, Module
from harness.runtimes.settings import Settings

if TYPE_CHECKING:
    import numpy as np


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

    def open(self, folder: Path, settings: Settings, threads: int) -> OpenVinoModel:
        require()
        import openvino
        from transformers import AutoTokenizer

        options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            compiled = openvino.Core().compile_model(folder / FILE, "CPU", options)
        except RuntimeError as error:
            raise HarnessError(f"openvino cannot load {folder / FILE}: {' '.join(str(error).split())[:200]}") from None
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = OpenVinoModel("openvino", folder, settings, tokenizer, None, compiled)
        model.module = Module(model)
        return model


RUNTIME = OpenVino()
