"""A tag for each word (Devlin et al. 2019): the first token of a word carries its tag, the others none.

Texts that are longer than what is read at once are read in windows that overlap; a word is tagged where it has most
around it, so that each is tagged once and nothing is cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import Family
from harness.core.iob import OUTSIDE
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head, read_of
from harness.modeling.inference.batching import IGNORED, DataCollator, TokenizedDataset, scoring_batches
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel


scoring = lazy("harness.modeling.inference.scoring")

Place = tuple[int, int]
"""A window and a token in it."""


@dataclass(frozen=True)
class Windows:
    """Model inputs by name, a row a window, and for each of n texts where the first token of each of its words stands:
    None for a word that the tokenizer makes nothing of.
    """

    columns: dict[str, list[list[int]]]
    places: list[list[Place | None]]


class TokenClassification(Head):
    name = "token-classification"
    auto_class = "AutoModelForTokenClassification"

    def config(self, family: Family, labels: tuple[str, ...]) -> dict[str, Any]:
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
        }

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        assert split.labels is not None
        windows = cut(reader, split.fields["tokens"])
        rows = windows.columns["input_ids"]
        ids = {label: index for index, label in enumerate(reader.labels)}
        labels = [[IGNORED] * len(row) for row in rows]
        references: Any = split.labels
        for (tags,), places in zip(references, windows.places, strict=True):
            for tag, place in zip(tags.split(), places, strict=True):
                if place is not None:
                    labels[place[0]][place[1]] = ids[tag]
        return TokenizedDataset(windows.columns | {"labels": labels}, [len(row) for row in rows])

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        from torch.nn.functional import cross_entropy

        labels = batch.pop("labels")
        logits = model(**batch).logits.float()
        loss = cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=reader.label_smoothing,
        )
        return Outputs(loss, (logits[labels != IGNORED],))

    def targets(self, encoded: TokenizedDataset) -> float:
        rows = encoded.columns["labels"]
        return max(1.0, sum(sum(label != IGNORED for label in row) for row in rows) / len(rows))

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        import numpy as np

        windows = cut(reader, split.fields["tokens"])
        outputs = reader.outputs or reader.labels
        logits: list[Any] = [None] * len(windows.columns["input_ids"])
        for index, row in tag_logits(model, reader, windows, report):
            if row.shape[1] != len(outputs):
                raise HarnessError(f"the model gives {row.shape[1]} tags, task {reader.task.name} has {len(outputs)}")
            logits[index] = row
        values = np.empty(len(split), dtype=object)
        confidence: list[list[float]] = []
        lost = 0
        for index, places in enumerate(windows.places):
            scores = [None if place is None else logits[place[0]][place[1]] for place in places]
            tags = [OUTSIDE if row is None else outputs[int(row.argmax())] for row in scores]
            confidence.append([1.0 if row is None else float(1 / np.exp(row - row.max()).sum()) for row in scores])
            lost += places.count(None)
            values[index] = " ".join(tags)
        settings = {"windows": len(logits), "words_without_tokens": lost}
        read = read_of(reader, windows.columns["input_ids"], len(split), 0)
        return Predictions(values, {"confidence": confidence}, settings, read)


def cut(reader: EncodingContext, texts: Sequence[str]) -> Windows:
    """Windows of at most `max_length` tokens over n texts whose words stand between spaces.

    Raises:
        HarnessError: a tokenizer that can't tell characters, or no room for a word.
    """
    tokenizer = reader.tokenizer
    if not tokenizer.is_fast:
        raise HarnessError(
            "token classification needs a fast tokenizer (tokenizer.json), which tells where tokens stand in the text"
        )
    room = reader.max_length - tokenizer.num_special_tokens_to_add(pair=False)
    if room < 1:
        raise HarnessError(f"max_length {reader.max_length} has no room for a word; raise it")
    output = tokenizer(
        list(texts), truncation=True, max_length=reader.max_length, return_overflowing_tokens=True,
        stride=min(reader.task.decoding.doc_stride, room // 3), return_offsets_mapping=True, padding=False,
    )  # fmt: skip
    starts = [list(accumulate((len(word) + 1 for word in text.split(" ")), initial=0)) for text in texts]
    places: list[list[Place | None]] = [[None] * (len(ends) - 1) for ends in starts]
    around: list[list[int]] = [[-1] * (len(ends) - 1) for ends in starts]
    first_of: dict[tuple[int, int], int] = {}
    for window, example in enumerate(output["overflow_to_sample_mapping"]):
        offsets, inside = output["offset_mapping"][window], output.sequence_ids(window)
        before = -1
        for token, (first, last) in enumerate(offsets):
            if inside[token] is None or last <= first:
                continue
            word = bisect_right(starts[example], last - 1) - 1
            word += last - 1 == starts[example][word + 1] - 1  # a space alone is of the word that follows
            if word == before or word >= len(places[example]):
                continue
            before = word
            if first_of.setdefault((example, word), first) != first:
                continue  # a window that begins within the word
            least = min(token, len(offsets) - 1 - token)
            if least > around[example][word]:
                around[example][word], places[example][word] = least, (window, token)
    names = [name for name in tokenizer.model_input_names if name in output]
    return Windows({name: output[name] for name in names}, places)


def tag_logits(
    model: PreTrainedModel, reader: EncodingContext, windows: Windows, report: Callable[[float], None]
) -> Iterator[tuple[int, np.ndarray]]:
    """The number of each window and its logits (its length, tags)."""
    import torch

    padding = DataCollator.of(reader.tokenizer, model.device)
    lengths = [len(row) for row in windows.columns["input_ids"]]
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches(lengths, scoring.SCORING_TOKENS[model.device.type]):
            batch = padding([{name: rows[index] for name, rows in windows.columns.items()} for index in indices])
            output = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).logits
            for index, row in zip(indices, output.float().cpu().numpy(), strict=True):
                yield index, row[: lengths[index]]
            done += len(indices)
            report(done / len(lengths))


HEAD = TokenClassification()
