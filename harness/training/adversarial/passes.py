"""Passes of a batch through a model in one step of training. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from harness.modeling.inference.outputs import Outputs
from harness.training.adversarial.perturbation import Perturbation, embeddings_of, perturbed

Batch = Mapping[str, Any]


@dataclass(frozen=True)
class Reader:
    """How a model is trained on a batch: its loss, and that with the outputs it is made of, of texts without labels
    these alone.
    """

    loss: Callable[[Any, dict[str, Any]], torch.Tensor]
    outputs: Callable[[Any, dict[str, Any]], Outputs]


class Passes:
    """A model and a batch. Dropout drops the same in all passes but a `fresh` one: what differs between them is the
    perturbation. `unlabelled`: the passes of texts without labels in the same step.
    """

    def __init__(
        self, model: Any, batch: Batch, reader: Reader, dropout: DropoutState, unlabelled: Batch | None = None
    ) -> None:
        self.model = model
        self.examples = len(batch["input_ids"])
        self.unlabelled = None if unlabelled is None else Passes(model, unlabelled, reader, dropout)
        self._batch, self._reader, self._dropout = batch, reader, dropout
        self._embeddings = embeddings_of(model)

    def loss(self, by: Perturbation | None = None) -> torch.Tensor:
        return self._read(self._reader.loss, by)

    def outputs(self, by: Perturbation | None = None, fresh: bool = False) -> Outputs:
        return self._read(self._reader.outputs, by, fresh)

    def _read(self, read: Callable[[Any, dict[str, Any]], Any], by: Perturbation | None, fresh: bool = False) -> Any:
        if not fresh:
            self._dropout.repeat()
        with perturbed(self._embeddings, by, self._batch):
            return read(self.model, dict(self._batch))


class DropoutState:
    """Torch's random numbers as they were when it was made."""

    def __init__(self) -> None:
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None

    def repeat(self) -> None:
        """Draw them again."""
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda)
