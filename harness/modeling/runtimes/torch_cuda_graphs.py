"""PyTorch on a CUDA GPU with a graph for each shape of a batch, for the heads of encoders: a model as another runtime
of torch opens it, eager or compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes import RUNTIMES
from harness.modeling.runtimes.base import Runtime
from harness.modeling.runtimes.torch_eager import TorchModel
from harness.modeling.weights.settings import Settings

if TYPE_CHECKING:
    import numpy as np

graphed = lazy("harness.modeling.runtimes.graphed")


def require() -> None:
    """Raises HarnessError, with the remedy, where there is no GPU."""
    import torch

    if not torch.cuda.is_available():
        raise HarnessError("cuda-graphs are of a CUDA GPU, and there is none here; leave them out on a CPU")


class GraphedModel(TorchModel):
    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            return super().forward(inputs)
        except RuntimeError as error:
            raise HarnessError(f"no CUDA graph of {self.folder}: {' '.join(str(error).split())[:200]}") from None


class TorchCudaGraphs(Runtime):
    devices = ("cuda",)

    def open(self, folder: Path, settings: Settings, threads: int) -> GraphedModel:
        require()

        inner = settings.graphed or "torch"
        inside = settings.model_copy(update={"runtime": inner, "graphed": None})
        model = RUNTIMES.get(inner, f"{folder}/harness.json").open(folder, inside, threads)
        model.to("cuda")
        return GraphedModel(
            "torch-cuda-graphs", folder, settings, model.tokenizer, graphed.Graphed(model.module).eval()
        )


RUNTIME = TorchCudaGraphs()
