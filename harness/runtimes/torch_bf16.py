"""PyTorch, eager, with weights and activations in bfloat16: every head, on a CPU or a GPU."""

from __future__ import annotations

from pathlib import Path

from harness.runtimes.base import Runtime
from harness.runtimes.settings import Settings
from harness.runtimes.torch_eager import TorchModel, load

DTYPE = "bfloat16"


class TorchBf16(Runtime):
    devices = ("cpu", "cuda")

    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        import torch

        torch.set_num_threads(threads)
        model, tokenizer = load(folder, settings.model_copy(update={"runtime": "torch"}), dtype=DTYPE)
        return TorchModel("torch-bf16", folder, settings, tokenizer, model)


RUNTIME = TorchBf16()
