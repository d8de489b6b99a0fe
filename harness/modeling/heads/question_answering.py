"""Extractive question answering: two pointers into the context, over windows of it that overlap (Devlin et al. 2019).

An answer's score is the sum of its start and end logit; the score of "no answer" is that of `[CLS]`, the lowest among
the windows. The best answer over all windows wins against it where the task knows questions without an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head, read_of
from harness.modeling.inference.batching import DataCollator, TokenizedDataset, scoring_batches
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel


scoring = lazy("harness.modeling.inference.scoring")


@dataclass(frozen=True)
class Windows:
    """w windows of n examples: model inputs by name, the example each is of, and the characters of the context that
    each token stands for, None outside the context.
    """

    columns: dict[str, list[list[int]]]
    example: list[int]
    characters: list[list[tuple[int, int] | None]]


class QuestionAnswering(Head):
    name = "question-answering"
    auto_class = "AutoModelForQuestionAnswering"
    has_classes = False

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        answers: Any = split.labels
        assert answers is not None and split.starts is not None
        windows = cut(reader, split)
        starts, ends = [], []
        for example, characters in zip(windows.example, windows.characters, strict=True):
            texts, places = answers[example], split.starts[example]
            span = tokens_of(characters, *_written(texts[0], places[0])) if texts else None
            start, end = span or (0, 0)
            starts.append(start)
            ends.append(end)
        lengths = [len(row) for row in windows.columns["input_ids"]]
        truncated = sum(count > 1 for count in Counter(windows.example).values())
        columns = windows.columns | {"start_positions": starts, "end_positions": ends}
        return TokenizedDataset(columns, lengths, truncated)

    def fitted(self, reader: EncodingContext, train: Split) -> dict[str, Any]:
        """Where every question of the training split has an answer, "no answer" is no choice."""
        return {"null_answers": any(not answers for answers in train.labels or ())}

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        from torch.nn.functional import cross_entropy

        starts, ends = batch.pop("start_positions"), batch.pop("end_positions")
        output = model(**batch)
        logits = output.start_logits.float(), output.end_logits.float()
        start, end = (
            cross_entropy(scores, places, reduction="sum")
            for scores, places in zip(logits, (starts, ends), strict=True)
        )
        return Outputs((start + end) / 2, logits)

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        import numpy as np

        windows = cut(reader, split)
        pointers = _pointers(model, reader, windows, report)
        best: list[list[tuple[float, int, int]]] = [[] for _ in range(len(split))]
        null = np.full(len(split), np.inf)
        settings = reader.task.decoding
        for window, example in enumerate(windows.example):
            start, end = pointers[window]
            null[example] = min(null[example], float(start[0] + end[0]))
            spans = best_spans(start, end, windows.characters[window], settings.n_best, settings.max_answer_length)
            best[example] = sorted([*best[example], *spans], reverse=True)[: settings.n_best]
        # What a model of somebody else's learned nobody wrote down: then the task's own questions tell.
        may_lack = reader.fitted.get("null_answers", any(not answers for answers in split.labels or ()))
        values = np.empty(len(split), dtype=object)
        answers: list[dict[str, float]] = []
        margins: list[float | None] = []
        for index, spans in enumerate(best):
            context = split.fields["context"][index]
            scored: dict[str, float] = {}
            for score, first, last in spans:
                scored.setdefault(context[first:last], score)
            margin = float(null[index]) - spans[0][0] if spans else None
            answers.append(scored)
            margins.append(margin)
            values[index] = "" if margin is None or (may_lack and margin > 0) else next(iter(scored))
        return Predictions(
            values,
            {
                "n_best": [list(scored) for scored in answers],
                "n_best_scores": [list(scored.values()) for scored in answers],
                "null_margin": margins,
            },
            {"n_best": settings.n_best, "max_answer_length": settings.max_answer_length,
             "doc_stride": _stride(reader), "null_answers": may_lack},
            read_of(reader, windows.columns["input_ids"], len(split), 0),
        )  # fmt: skip


def _room(reader: EncodingContext) -> int:
    """Tokens of question and context that are read at once. Raises HarnessError where hardly any are."""
    special = reader.tokenizer.num_special_tokens_to_add(pair=True)
    if reader.max_length < special + 2:
        raise HarnessError(f"max_length {reader.max_length} has no room for a question and its context; raise it")
    return reader.max_length - special


def _stride(reader: EncodingContext) -> int:
    """The overlap asked for, at most a third of what is read at once."""
    return min(reader.task.decoding.doc_stride, _room(reader) // 3)


def _written(answer: str, start: int) -> tuple[int, int]:
    """First and last + 1 character of an answer without the white space around it."""
    first = start + len(answer) - len(answer.lstrip())
    return first, first + len(answer.strip())


def cut(reader: EncodingContext, split: Split) -> Windows:
    """Windows of `[CLS] question [SEP] part of the context [SEP]` of at most `max_length` tokens.

    A question longer than half of that is cut. Raises HarnessError for a tokenizer that can't tell characters.
    """
    tokenizer = reader.tokenizer
    if not tokenizer.is_fast:
        raise HarnessError(
            "question answering needs a fast tokenizer (tokenizer.json), which tells where tokens stand in the text"
        )
    questions = [_head_of(tokenizer, question, _room(reader) // 2) for question in split.fields["question"]]
    output = tokenizer(
        questions,
        list(split.fields["context"]),
        truncation="only_second",
        max_length=reader.max_length,
        stride=_stride(reader),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=False,
    )
    characters = []
    for window in range(len(output["input_ids"])):
        halves = output.sequence_ids(window)
        characters.append(
            [
                (int(first), int(last)) if half == 1 and last > first else None
                for half, (first, last) in zip(halves, output["offset_mapping"][window], strict=True)
            ]
        )
    names = [name for name in tokenizer.model_input_names if name in output]
    return Windows({name: output[name] for name in names}, list(output["overflow_to_sample_mapping"]), characters)


def _head_of(tokenizer: Any, question: str, tokens: int) -> str:
    """The question, cut after so many tokens."""
    offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return question if len(offsets) <= tokens else question[: offsets[tokens - 1][1]]


def tokens_of(characters: list[tuple[int, int] | None], start: int, end: int) -> tuple[int, int] | None:
    """First and last token of the characters from `start` up to `end`; None where the window lacks some of them."""
    places = [place for place in characters if place is not None]
    inside = [
        token for token, place in enumerate(characters) if place is not None and place[0] < end and place[1] > start
    ]
    if not inside or places[0][0] > start or places[-1][1] < end:
        return None
    return inside[0], inside[-1]


def best_spans(
    start: np.ndarray, end: np.ndarray, characters: list[tuple[int, int] | None], n_best: int, longest: int
) -> list[tuple[float, int, int]]:
    """The `n_best` spans of at most `longest` tokens by start + end logit: (score, first character, last + 1)."""
    import numpy as np

    inside = np.asarray([token for token, place in enumerate(characters) if place is not None])
    if len(inside) == 0:
        return []
    scores = start[inside][:, None] + end[inside][None, :]
    distance = np.arange(len(inside))
    allowed = (distance[None, :] >= distance[:, None]) & (distance[None, :] - distance[:, None] < longest)
    scores = np.where(allowed, scores, -np.inf).ravel()
    count = min(n_best, int(allowed.sum()))
    top = np.argpartition(-scores, count - 1)[:count]
    spans = []
    for place in sorted(top.tolist(), key=lambda place: (-scores[place], place)):
        first, last = characters[inside[place // len(inside)]], characters[inside[place % len(inside)]]
        assert first is not None and last is not None
        spans.append((float(scores[place]), first[0], last[1]))
    return spans


def _pointers(
    model: PreTrainedModel, reader: EncodingContext, windows: Windows, report: Callable[[float], None]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Start and end logits of each window, (its length,) each."""
    import torch

    padding = DataCollator.of(reader.tokenizer, model.device)
    lengths = [len(row) for row in windows.columns["input_ids"]]
    pointers: list[Any] = [None] * len(lengths)
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches(lengths, scoring.SCORING_TOKENS[model.device.type]):
            batch = padding([{name: rows[index] for name, rows in windows.columns.items()} for index in indices])
            output = model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
            start, end = output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy()
            for row, index in enumerate(indices):
                pointers[index] = (start[row, : lengths[index]], end[row, : lengths[index]])
            done += len(indices)
            report(done / len(lengths))
    return pointers


HEAD = QuestionAnswering()
