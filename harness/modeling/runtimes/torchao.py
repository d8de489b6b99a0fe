"""PyTorch with weights that torchao quantized, the rest in bfloat16, on a GPU: its kernels for a CPU are far slower
than float ones.
"""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.packages import require_packages
from harness.modeling.runtimes.base import Runtime
from harness.modeling.runtimes.torch_bf16 import load_bf16
from harness.modeling.runtimes.torch_eager import TorchModel
from harness.modeling.weights.settings import Settings

few_rows = lazy("harness.modeling.runtimes.few_rows")


DEVICE = "cuda"


def require() -> None:
    """Raises HarnessError, with the remedy, where torchao or a GPU is missing."""
    require_packages("torchao", extra="torchao")
    import torch

    if DEVICE == "cuda" and not torch.cuda.is_available():
        raise HarnessError("torchao is served on a CUDA GPU, and there is none here; on a CPU use int8 or int8-static")


def require_capability(least: tuple[int, int], method: str, remedy: str) -> None:
    """Raises HarnessError, with the remedy, where the GPU's compute capability is below `least`."""
    import torch

    capability = torch.cuda.get_device_capability() if torch.cuda.is_available() else (0, 0)
    if capability < least:
        wanted, has = (".".join(map(str, version)) for version in (least, capability))
        raise HarnessError(f"{method} needs a CUDA GPU of compute capability {wanted}, and this is {has}; {remedy}")


class TorchAo(Runtime):
    packages = ("torchao",)
    devices = ("cuda",)

    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        require()
        import torch

        model, tokenizer = load_bf16(folder, settings, threads)
        few_rows.take_few_rows(model)
        model.to(torch.device(DEVICE))  # type: ignore[arg-type]
        return TorchModel("torchao", folder, settings, tokenizer, model)


RUNTIME = TorchAo()
