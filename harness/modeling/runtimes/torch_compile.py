"""PyTorch with `torch.compile` (inductor): models as another runtime of torch opens them, for the heads of encoders.

Compiling is part of the first call, and takes half a minute; what was compiled is cached by torch for the next process.
The whole model, or each of its blocks, is one graph with free batch size and length: where torch cannot make it, it is
an error, not slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.machine.compiling import compiler_missing
from harness.modeling.runtimes import RUNTIMES
from harness.modeling.runtimes.base import Runtime
from harness.modeling.runtimes.torch_eager import TorchModel
from harness.modeling.weights.settings import Compiling, Settings

if TYPE_CHECKING:
    import numpy as np


def require() -> None:
    """Raises HarnessError, with the remedy, where no C++ compiler is found: inductor writes C++ for a CPU."""
    wanted = compiler_missing()
    if wanted is not None:
        raise HarnessError(f"torch.compile needs a C++ compiler and finds {wanted}; install g++")


class CompiledModel(TorchModel):
    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return super().forward(inputs)
        except TorchDynamoException as error:
            raise HarnessError(
                f"torch.compile cannot compile {self.folder}: {' '.join(str(error).split())[:200]}"
            ) from None


class TorchCompile(Runtime):
    devices = ("cpu", "cuda")

    def open(self, folder: Path, settings: Settings, threads: int) -> CompiledModel:
        require()
        import torch
        from torch._inductor import config

        torch.set_num_threads(threads)
        config.compile_threads = threads
        how = settings.compiling or Compiling()
        inside = settings.model_copy(update={"runtime": how.inner, "compiling": None})
        model = RUNTIMES.get(how.inner, f"{folder}/harness.json").open(folder, inside, threads)
        options: dict[str, Any] = {"dynamic": True, "fullgraph": True, "mode": how.mode}
        if how.regional:
            from accelerate.utils import compile_regions

            compiled = compile_regions(model.module, **options)
        else:
            compiled = torch.compile(model.module, **options)
        return CompiledModel("torch-compile", folder, settings, model.tokenizer, compiled)


RUNTIME = TorchCompile()
