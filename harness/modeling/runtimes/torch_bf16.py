"""PyTorch, eager, with weights and activations in bfloat16: every head, on a CPU or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.modeling.runtimes.base import Runtime
from harness.modeling.runtimes.torch_eager import TorchModel, load
from harness.modeling.weights.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DTYPE = "bfloat16"


def load_bf16(folder: Path, settings: Settings, threads: int) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """As `torch_eager.load` does, in bfloat16, to run on so many threads."""
    import torch

    torch.set_num_threads(threads)
    return load(folder, settings.model_copy(update={"runtime": "torch"}), dtype=DTYPE)


class TorchBf16(Runtime):
    devices = ("cpu", "cuda")
    precision = "bf16"

    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        model, tokenizer = load_bf16(folder, settings, threads)
        return TorchModel("torch-bf16", folder, settings, tokenizer, model)


RUNTIME = TorchBf16()
