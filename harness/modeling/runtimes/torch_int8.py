"""PyTorch on the CPU with linear layers that multiply in integers: every head, those that write among them."""

from __future__ import annotations

from pathlib import Path

from harness.core.lazy import lazy
from harness.modeling.runtimes.base import Runtime
from harness.modeling.runtimes.torch_eager import TorchModel, load
from harness.modeling.weights.settings import Settings

int8_linear = lazy("harness.modeling.runtimes.int8_linear")


class TorchInt8(Runtime):
    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        import torch

        int8_linear.require()
        torch.set_num_threads(threads)
        model, tokenizer = load(folder, settings.model_copy(update={"runtime": "torch"}), in_integers=True)
        return TorchModel("torch-int8", folder, settings, tokenizer, model)


RUNTIME = TorchInt8()
