"""One score for each pair of a question and an answer, and the softmax over a question's answers (Radford et al. 2018):
how BERT does SWAG (Devlin et al. 2019). The model is a sequence classifier with one output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.families import Family
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head, read_of
from harness.modeling.inference.batching import IGNORED, DataCollator, TokenizedDataset
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel


scoring = lazy("harness.modeling.inference.scoring")

WRONG, RIGHT = 0, 1
"""The label of the first token of an answer's pair; other tokens have none."""
NEVER = -1e4
"""The logit of an answer that a question does not have."""


class MultipleChoice(Head):
    name = "multiple-choice"
    auto_class = "AutoModelForSequenceClassification"
    has_classes = False  # of each pair a score, of as many as a question has choices

    def config(self, family: Family, labels: tuple[str, ...]) -> dict[str, Any]:
        return {"num_labels": 1}

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        """An example is the pairs of all its answers, one behind the other."""
        pairs, counts, truncated = _pairs(reader, split)
        assert split.labels is not None
        columns: dict[str, list[list[int]]] = {name: [] for name in pairs}
        labels: list[list[int]] = []
        first = 0
        for count, right in zip(counts, split.labels, strict=True):
            places = range(first, first + count)
            for name, rows in pairs.items():
                columns[name].append([value for place in places for value in rows[place]])
            marks: list[int] = []
            for place in places:
                marks += [RIGHT if place - first == right else WRONG]
                marks += [IGNORED] * (len(pairs["input_ids"][place]) - 1)
            labels.append(marks)
            first += count
        return TokenizedDataset(columns | {"labels": labels}, [len(row) for row in labels], truncated)

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        """Cross-entropy of the right answer among those of its example."""
        import torch

        labels = batch.pop("labels")
        lengths = batch["attention_mask"].sum(1).tolist()
        rows: list[dict[str, list[int]]] = []
        starts: list[list[int]] = []
        for index, length in enumerate(lengths):
            begin = (labels[index] != IGNORED).nonzero().flatten().tolist()
            starts.append(begin)
            for first, last in zip(begin, [*begin[1:], length], strict=True):
                rows.append({name: tensor[index, first:last].tolist() for name, tensor in batch.items()})
        padded = DataCollator.of(reader.tokenizer, labels.device)(rows)
        scores = model(**{name: tensor.to(labels.device) for name, tensor in padded.items()}).logits.float()[:, 0]
        total = scores.new_zeros(())
        parts = scores.split(list(map(len, starts)))
        for index, (begin, part) in enumerate(zip(starts, parts, strict=True)):
            right = labels[index, begin] == RIGHT
            total = total + torch.logsumexp(part, 0) - part[right].sum()
        return Outputs(total, (torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=NEVER),))

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        pairs, counts, truncated = _pairs(reader, split)
        scores = scoring.logits(model, DataCollator.of(reader.tokenizer, model.device), pairs)[:, 0]
        logits = ranked(scores, counts, len(reader.labels))
        read = read_of(reader, pairs["input_ids"], len(split), truncated)
        return Predictions(logits.argmax(axis=1), {"logits": logits}, read=read)


def choices_of(split: Split) -> list[list[str]]:
    """The answers of each of n questions."""
    return [text.split("\n") for text in split.fields["choices"]]


def ranked(scores: np.ndarray, counts: Sequence[int], width: int) -> np.ndarray:
    """Logits (n, width) of n questions from the scores of all their answers, (sum of counts,)."""
    import numpy as np

    logits = np.full((len(counts), max(width, *counts)), NEVER, dtype=np.float32)
    first = 0
    for index, count in enumerate(counts):
        logits[index, :count] = scores[first : first + count]
        first += count
    return logits


def _pairs(reader: EncodingContext, split: Split) -> tuple[dict[str, list[list[int]]], list[int], int]:
    """Model inputs of the pairs of all answers, how many each example has, and how many examples were cut; of a pair
    that is too long the longer text loses its end.
    """
    choices = choices_of(split)
    counts = list(map(len, choices))
    first = [question for question, count in zip(split.fields["question"], counts, strict=True) for _ in range(count)]
    second = [answer for answers in choices for answer in answers]
    tokenizer = reader.tokenizer
    output = tokenizer(first, second, truncation=True, max_length=reader.max_length, padding=False)
    full = {place for place, row in enumerate(output["input_ids"]) if len(row) >= reader.max_length}
    whole = tokenizer(
        [first[place] for place in sorted(full)], [second[place] for place in sorted(full)], verbose=False
    )["input_ids"] if full else []  # fmt: skip
    cut = {place for place, row in zip(sorted(full), whole, strict=True) if len(row) > reader.max_length}
    truncated, start = 0, 0
    for count in counts:
        truncated += any(place in cut for place in range(start, start + count))
        start += count
    names = [name for name in tokenizer.model_input_names if name in output]
    return {name: output[name] for name in names}, counts, truncated


HEAD = MultipleChoice()
