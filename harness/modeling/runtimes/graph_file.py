"""A graph that is loaded from its file, whichever runtime runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

FILE = "model.onnx"
ENCODER_FILE = "encoder.onnx"


@dataclass(frozen=True)
class Graph:
    """A graph in its runtime: `inputs` with their shapes, in which an axis that is free is no int, and `run`."""

    inputs: Mapping[str, Sequence[Any]]
    run: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Tensors by name on the CPU; those the graph does not read are left out."""
        import torch

        arrays = {name: tensor.contiguous().numpy() for name, tensor in inputs.items() if name in self.inputs}
        return {name: torch.from_numpy(array) for name, array in self.run(arrays).items()}


Opener = Callable[[Path, int], Graph]
"""Loads the graph in a file, to run on so many threads."""
