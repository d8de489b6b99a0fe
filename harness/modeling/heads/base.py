"""What a head is: how examples become tensors, their loss, and how a model's outputs become predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES, Family
from harness.core.predictions import Predictions, Reading
from harness.core.specs import TaskSpec
from harness.core.token_rows import TokenRows
from harness.data.frame import Split
from harness.modeling.inference.batching import TokenizedDataset
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class EncodingContext:
    """All that reading a task depends on. `max_length` is in tokens of what the model reads at once; `fitted` is what
    the head noted of the training split; `shots` are examples shown to a model that is not trained on the task.
    `outputs` are the task's tags that a tagger's outputs stand for, in their order; those of the task where left out.
    `label_smoothing` is for the loss alone. `folder` is that of the model, with what reads items beside the tokenizer.
    """

    task: TaskSpec
    labels: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    seed: int = 0
    fitted: Mapping[str, Any] = field(default_factory=dict)
    shots: Split | None = None
    outputs: tuple[str, ...] = ()
    label_smoothing: float = 0.0
    folder: Path | None = None

    @property
    def family(self) -> Family:
        return FAMILIES.get(self.task.family)


def read_of(
    reader: EncodingContext, rows: Iterable[Sequence[int]] | TokenRows, examples: int, truncated: int
) -> Reading:
    """How much of the examples stands in rows of token ids."""
    unknown = reader.tokenizer.unk_token_id
    if isinstance(rows, TokenRows):
        counted = 0 if unknown is None else rows.count_of(unknown)
        return Reading(examples, truncated, reader.max_length, len(rows.values), counted)
    tokens = counted = 0
    for row in rows:
        tokens += len(row)
        counted += row.count(unknown) if unknown is not None else 0
    return Reading(examples, truncated, reader.max_length, tokens, counted)


class Head(ABC):
    """How a transformer does a task. One subclass a module, registered under its `transformers` name."""

    name: str
    auto_class: str
    has_classes = True
    """Its loss is that of classes or tokens, whose labels can be smoothed."""

    def config(self, family: Family, labels: tuple[str, ...]) -> dict[str, Any]:
        """Arguments of the model's config that the head needs."""
        return {}

    def words(self, task: TaskSpec, labels: tuple[str, ...], split: Split) -> Sequence[str]:
        """All that is read and written of a split: what a tokenizer is trained on."""
        return FAMILIES.get(task.family).words(split)

    @abstractmethod
    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        """A labelled split for training."""

    def fitted(self, reader: EncodingContext, train: Split) -> dict[str, Any]:
        """What predicting must know of the training split, JSON-able: `EncodingContext.fitted`."""
        return {}

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        """Summed over the targets of a batch (b rows of padded `TokenizedDataset.columns`)."""
        return self.outputs(model, batch, reader).loss

    @abstractmethod
    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        """The loss of a batch, and what it is made of."""

    def targets(self, encoded: TokenizedDataset) -> float:
        """How many terms the loss of an example sums, on average."""
        return 1.0

    @abstractmethod
    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        """Predictions of n examples in their order, computed in batches of like length on the model's device."""


class UntrainedHead(Head):
    """A head whose model is scored as it is. `reason` says why nothing is trained."""

    reason: str
    has_classes = False

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        """Refused."""
        raise HarnessError(self.reason)

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        """Refused."""
        raise HarnessError(self.reason)
