"""What a family is: the shape of a task, between its examples and a model's tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from harness.data.frame import Split
from harness.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase


class Family(ABC):
    """The shape of a task. One subclass a module, registered under `name`.

    `required` and `optional` are the canonical text fields, at most two in all: a family of this base reads one text
    or a pair. `predictions` says what metrics receive: class ids or floats. `auto_class` is the `transformers` class
    that carries the head.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    predictions: Literal["labels", "values"]
    auto_class = "AutoModelForSequenceClassification"
    problem_type: str

    def check_fields(self, fields: Sequence[str], where: str) -> None:
        """Raises HarnessError where a task's fields are not this family's."""
        given = [field for field in fields if field != "label"]
        allowed = [*self.required, *self.optional]
        for field in given:
            if field not in allowed:
                raise HarnessError(
                    f"{where}: family {self.name} has no field '{field}'; its fields: {', '.join(allowed)}, label"
                )
        for field in [*self.required, "label"]:
            if field not in fields:
                raise HarnessError(f"{where}: family {self.name} needs the field '{field}'")

    def texts(self, split: Split) -> tuple[list[str], list[str] | None]:
        """First texts and, for pairs, second texts: each n strings."""
        columns = [list(split.fields[field]) for field in [*self.required, *self.optional] if field in split.fields]
        return columns[0], columns[1] if len(columns) > 1 else None

    def encode(self, tokenizer: PreTrainedTokenizerBase, split: Split, max_length: int) -> dict[str, list[list[int]]]:
        """Token ids by model input name, n unpadded rows each, truncated to `max_length` tokens."""
        first, second = self.texts(split)
        return dict(tokenizer(first, second, truncation=True, max_length=max_length, padding=False))

    @abstractmethod
    def outputs(self, labels: Sequence[str]) -> int:
        """Width of the head."""

    @abstractmethod
    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Summed loss of a batch: logits (b, outputs), targets (b,)."""

    @abstractmethod
    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Predictions (n,) from logits (n, outputs)."""

    def config(self, labels: Sequence[str]) -> dict[str, Any]:
        """Arguments of the model's config that the head needs."""
        values: dict[str, Any] = {"num_labels": self.outputs(labels), "problem_type": self.problem_type}
        if labels:
            values["id2label"] = dict(enumerate(labels))
            values["label2id"] = {label: index for index, label in enumerate(labels)}
        return values
