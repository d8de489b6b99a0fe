"""What a runtime is: it opens a model folder, and the open model maps arrays to arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.plugins import Plugins
from harness.modeling.weights.settings import WRITES, Settings, read_settings

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerBase


OUTPUTS = {
    "sequence-classification": ("logits",),
    "question-answering": ("start_logits", "end_logits"),
    "multiple-choice": ("logits",),
    "token-classification": ("logits",),
}
"""What the heads of encoders give, under the names of `transformers`."""
WRITING_HEADS = WRITES


@dataclass
class RuntimeModel(ABC):
    """A model that is loaded and ready to be served.

    `name` is its runtime's, `module` what a head calls: with tensors by input name, for an object with the outputs of
    `transformers` as attributes. `in_torch`: the module is torch's.
    """

    in_torch: ClassVar[bool] = False

    name: str
    folder: Path
    settings: Settings
    tokenizer: PreTrainedTokenizerBase
    module: Any

    @abstractmethod
    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass over a padded batch of int64 arrays (b, t), as a tokenizer names them; inputs the model does not
        have are left out. Gives float32 arrays: `logits` (b, outputs), of tags (b, t, outputs), or `start_logits`
        and `end_logits` (b, t).
        """

    def to(self, device: str) -> None:
        """Be served on `cpu` or `cuda` from now on. Raises HarnessError where its runtime or this machine cannot."""

        known = devices_of(self.settings)
        if device not in known:
            where = " or ".join(known)
            raise HarnessError(f"model {self.folder}: {self.name} serves models on {where}, not on {device}")
        if device == "cuda":
            import torch

            if not torch.cuda.is_available():
                raise HarnessError("device cuda: there is no CUDA GPU here, or this torch cannot use it; use cpu")
        if self.in_torch:
            self.module.to(device)

    def to_usual_device(self) -> str:
        """To a GPU where there is one and the runtime serves there. Returns the device's type."""
        import torch

        device = "cuda" if torch.cuda.is_available() and "cuda" in devices_of(self.settings) else "cpu"
        if device == "cuda":
            self.to(device)
        return device

    def close(self) -> None:
        """Let go of the model's memory. It cannot be used afterwards."""
        self.module = None


class Runtime(ABC):
    """Opens model folders. One subclass a module, registered under the name that folders give.

    `packages` are those it imports beside torch and transformers, `devices` what it serves models on, `precision` the
    floats that it computes in where a model's own weights say nothing else.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    precision: ClassVar[str] = "fp32"

    @abstractmethod
    def open(self, folder: Path, settings: Settings, threads: int) -> RuntimeModel:
        """Load the model of `folder`, to run on so many threads of the CPU."""


RUNTIMES: Plugins[Runtime] = plugins.table("runtime")


def open_model(folder: Path | str, threads: int = 1) -> RuntimeModel:
    """Load a model folder in the runtime its `harness.json` names (`torch` where it names none).

    Raises:
        HarnessError: no model there, an unknown runtime, or one whose package is not installed.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    return RUNTIMES.get(settings.runtime, f"{folder}/harness.json").open(folder, settings, threads)


def precision_of(settings: Settings) -> str:
    """The floats a model is served in, `fp32` or `bf16`. Raises HarnessError for an unknown runtime."""
    served = {RUNTIMES.get(name).precision for name in settings.runtimes}
    return "bf16" if "bf16" in served else "fp32"


def devices_of(settings: Settings) -> tuple[str, ...]:
    """What a model can be served on, `cpu`, `cuda` or both. Raises HarnessError for an unknown runtime."""
    served = [RUNTIMES.get(name).devices for name in settings.runtimes]
    return tuple(device for device in ("cpu", "cuda") if all(device in devices for devices in served))
