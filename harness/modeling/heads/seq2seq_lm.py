"""An encoder–decoder that reads a prompt and writes the answer: every task as text to text (Raffel et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.modeling.heads import library, prompting
from harness.modeling.heads.base import EncodingContext, Head, read_of
from harness.modeling.heads.vocabulary_loss import summed, summed_loss
from harness.modeling.inference.batching import IGNORED, TokenizedDataset
from harness.modeling.inference.generate import generate
from harness.modeling.inference.likelihood import of_continuations
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


Report = Callable[[float], None]


class Seq2SeqLM(Head):
    """Classes are ranked by the likelihood of their words; numbers are written and read back."""

    name = "seq2seq-lm"
    auto_class = "AutoModelForSeq2SeqLM"

    def words(self, task: TaskSpec, labels: tuple[str, ...], split: Split) -> Sequence[str]:
        return prompting.words(task, labels, split)

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        sources, truncated = _sources(reader, split)
        texts = prompting.beginnings(reader, split)[1] if reader.family.target is None else None
        answers = texts if texts is not None else prompting.answers(reader, split)
        written = reader.tokenizer(text_target=answers, verbose=False)["input_ids"]
        longest = reader.task.decoding.max_new_tokens
        labels = [prompting.add_end(reader.tokenizer, list(ids)[:longest]) for ids in written]
        columns = {"input_ids": sources, "attention_mask": [[1] * len(row) for row in sources], "labels": labels}
        lengths = [len(source) + len(label) for source, label in zip(sources, labels, strict=True)]
        return TokenizedDataset(columns, lengths, truncated)

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        labels = batch.pop("labels")
        return summed(model, _inputs(model, batch, labels), labels, shifted=False, smoothing=reader.label_smoothing)

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        labels = batch.pop("labels")
        inputs = _inputs(model, batch, labels)
        return summed_loss(model, inputs, labels, shifted=False, smoothing=reader.label_smoothing)

    def targets(self, encoded: TokenizedDataset) -> float:
        rows = encoded.columns["labels"]
        return sum(sum(label != IGNORED for label in row) for row in rows) / len(rows)

    def predict(
        self, model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report = lambda fraction: None
    ) -> Predictions:
        if reader.family.predictions == "outcomes":
            return library.outcomes(model, reader, split, report)
        sources, cut = _sources(reader, split)
        if reader.family.predictions == "labels":
            return _ranked(model, reader, sources, cut, report)

        written = generate(model, reader.tokenizer, sources, reader.task.decoding, reader.seed, report)
        return prompting.in_words(reader, written, cut, sources)


def _inputs(model: Any, batch: dict[str, torch.Tensor], labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return batch | {"decoder_input_ids": model.prepare_decoder_input_ids_from_labels(labels=labels)}


def _sources(reader: EncodingContext, split: Split) -> tuple[list[list[int]], int]:
    """n prompts as token ids with their end, and how many had to be shortened."""
    room = reader.max_length - max(1, reader.tokenizer.num_special_tokens_to_add())
    shortened = 0
    if reader.family.target is None:
        texts = prompting.beginnings(reader, split)[0]
    elif reader.task.shots is None:
        texts, shortened = prompting.fitting_prompts(reader, split, room)
    else:
        texts = prompting.with_shots(reader, prompting.prompts(reader, split))
    rows = reader.tokenizer(texts, verbose=False)["input_ids"]
    sources = [prompting.add_end(reader.tokenizer, list(row)) for row in rows]
    cut = sum(len(row) > reader.max_length for row in sources)
    return [row[-reader.max_length :] for row in sources], shortened + cut


def _ranked(
    model: PreTrainedModel, reader: EncodingContext, sources: list[list[int]], cut: int, report: Report
) -> Predictions:
    """The class whose word is the likeliest output: for a trained model with the end of the text, as it was trained;
    for others without, as lm-evaluation-harness has it.
    """

    words = prompting.verbalizers(reader)
    if reader.task.shots is None:
        choices = [
            prompting.add_end(reader.tokenizer, list(ids)) for ids in reader.tokenizer(text_target=words)["input_ids"]
        ]
    else:
        spaced = [prompting.DELIMITER + word for word in words]
        choices = [list(ids) for ids in reader.tokenizer(text_target=spaced, add_special_tokens=False)["input_ids"]]
    prompting.check_choices(reader, words, choices)
    scores = of_continuations(model, sources, [choices] * len(sources), report)
    settings = {"ranking": "sum of log-likelihoods", "shots": reader.task.shots, "prompts_cut": cut}
    read = read_of(reader, sources, len(sources), cut)
    return Predictions(scores.argmax(axis=1), {"logits": scores.astype("float32")}, settings, read)


HEAD = Seq2SeqLM()
