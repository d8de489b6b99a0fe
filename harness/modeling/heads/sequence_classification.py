"""A classifier or regressor on top of a text or pair of texts: how BERT does GLUE (Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from harness.core.families import Family, Labelling
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head, read_of
from harness.modeling.inference.batching import DataCollator, TokenizedDataset
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


scoring = lazy("harness.modeling.inference.scoring")


class SequenceClassification(Head):
    name = "sequence-classification"
    auto_class = "AutoModelForSequenceClassification"

    def config(self, family: Family, labels: tuple[str, ...]) -> dict[str, Any]:
        return cast(Labelling, family).config(labels)

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        columns = _family(reader).encode(reader.tokenizer, split, reader.max_length)
        lengths = columns["input_ids"].lengths.tolist()
        labels: dict[str, Any] = {} if split.labels is None else {"labels": list(split.labels)}
        return TokenizedDataset(columns | labels, lengths, _truncated(reader, split, lengths))

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        labels = batch.pop("labels", None)
        logits = model(**batch).logits.float()
        numbers = reader.family.predictions == "values"
        loss = logits.new_zeros(())
        if labels is not None:
            loss = _family(reader).loss(logits, labels, reader.label_smoothing)
        return Outputs(loss, (logits.squeeze(-1) if numbers else logits,))

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        columns = _family(reader).encode(reader.tokenizer, split, reader.max_length)
        values = scoring.logits(model, DataCollator.of(reader.tokenizer, model.device), columns)
        rows = columns["input_ids"]
        truncated = _truncated(reader, split, rows.lengths.tolist())
        read = read_of(reader, rows, len(split), truncated)
        return Predictions(_family(reader).decode(values), {"logits": values}, read=read)


def _truncated(reader: EncodingContext, split: Split, lengths: Sequence[int]) -> int:
    """How many examples were cut: of those that fill all tokens read, which would be longer."""
    full = [index for index, length in enumerate(lengths) if length >= reader.max_length]
    if not full:
        return 0
    first, second = reader.family.texts(split.select(full))
    return sum(len(ids) > reader.max_length for ids in reader.tokenizer(first, second, verbose=False)["input_ids"])


def _family(reader: EncodingContext) -> Labelling:
    return cast(Labelling, reader.family)


HEAD = SequenceClassification()
