"""What a processor is: from a decoded item to a model's inputs, in two steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from harness.data.modalities import Decoded


class Processor(ABC):
    """Of a model's folder. `modality` is what it reads.

    The first step is done once an item, and gives arrays of one shape that are kept: whole numbers where the floats
    that a model is given are a scaling of them. The second is done of a batch, on its device.
    """

    modality: ClassVar[str]

    @property
    def reads(self) -> float:
        """How much of an item is read at most: of an image all of it, 1, of a sound seconds."""
        return 1.0

    @abstractmethod
    def prepared(self, decoded: Decoded) -> np.ndarray:
        """An item in the form that is kept."""

    @abstractmethod
    def inputs(self, kept: torch.Tensor) -> dict[str, torch.Tensor]:
        """A model's inputs by name, of a batch (b, …) of kept items."""

    def augmented(self, kept: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A kept item changed so that its captions stay true. Raises HarnessError where features are kept."""
        raise HarnessError(f"augment: the items of {type(self).__name__} are kept as features, and cannot be changed")

    def inputs_for(self, model: Any, kept: torch.Tensor) -> dict[str, torch.Tensor]:
        """`inputs` on the model's device and in its floats."""
        made = self.inputs(kept.to(model.device))
        dtype = getattr(model, "dtype", None)
        if dtype is None:
            return made
        return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in made.items()}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write it beside a model, as `transformers` reads it."""
