"""What a teacher adds to a student's loss, by the head of both. Imports torch: import it inside functions."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch.nn.functional import cross_entropy, mse_loss
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compression.base import Request
from harness.core.errors import HarnessError
from harness.core.families import Labelling
from harness.modeling.heads import HEADS, EncodingContext, Head
from harness.modeling.heads.vocabulary_loss import labelled_scores
from harness.modeling.inference.batching import IGNORED
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.settings import read_settings
from harness.training.distillation import soft_loss
from harness.training.inner_losses import InnerLosses
from harness.training.learners.base import PredictRequest
from harness.training.learners.transformer import LEARNER


def teacher_of(request: Request, options: Any) -> Teacher:
    """The original model as a teacher of its head."""
    return TEACHERS[read_settings(request.original).head](request, options)


class Teacher(ABC):
    """The original model, and the losses of a student that learns from it: `alpha` · that of the teacher's answers and
    (1 - `alpha`) · that of the labels, and those of hidden states and attention maps where they are asked for.
    """

    reads_along = True
    """The teacher reads what the student reads, token by token: both need one tokenizer."""

    def __init__(self, request: Request, options: Any) -> None:
        self.head = HEADS.get(read_settings(request.original).head)
        self.options = options
        self.model, self.tokenizer = load(request.original)
        self.inner = InnerLosses(options)
        self._known = inspect.signature(self.model.forward).parameters

    def check(self, student: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, head: Head, max_length: int) -> None:
        """Raises HarnessError where this student cannot be compared with the teacher."""
        if head.name != self.head.name:
            raise HarnessError(f"distill: the teacher's head is {self.head.name}, the student's {head.name}")
        self.inner.check(self.model, student)
        if not (self.reads_along or self.inner):
            return
        if self.tokenizer.get_vocab() != tokenizer.get_vocab():
            raise HarnessError(
                f"distill: {self._compared()} are compared token by token, but the student's tokenizer is another; "
                "give layers=N for a student with the teacher's"
            )
        longest = min(max_length, positions_of(student, "encoder") or max_length)
        if (positions_of(self.model, "encoder") or longest) < longest:
            raise HarnessError(
                f"distill: the student reads {longest} tokens at once, the teacher "
                f"{positions_of(self.model, 'encoder')}; lower the student's max_length"
            )

    def _compared(self) -> str:
        return "answers" if self.reads_along else "hidden states and attention maps"

    @abstractmethod
    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        """Summed over the targets of a batch that holds the number of each example in its column `example` (b,)."""

    def _read(self, batch: dict[str, torch.Tensor]) -> Any:
        """The teacher's output for a batch, with its hidden states and attention maps where these are compared."""
        self.model.to(batch["input_ids"].device)  # type: ignore[arg-type]
        with torch.no_grad():
            return self.model(
                **{name: tensor for name, tensor in batch.items() if name in self._known}, **self.inner.wanted
            )

    def _soft(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return soft_loss(student, teacher, self.options.temperature)

    def _weighed(self, soft: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
        return self.options.alpha * soft + (1 - self.options.alpha) * hard


class OfLabels(Teacher):
    """Of classes and numbers: logits (n, outputs) on the training split, computed once."""

    reads_along = False

    def __init__(self, request: Request, options: Any) -> None:
        super().__init__(request, options)
        data = request.data
        asked = PredictRequest(data.task, data.labels, data.train, request.original)
        self.logits = torch.from_numpy(LEARNER.predict(asked).columns["logits"])

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        family = cast(Labelling, reader.family)
        labels, examples = batch.pop("labels"), batch.pop("example")
        output = model(**batch, **self.inner.wanted)
        teacher = self.logits[examples.cpu()].to(labels.device)
        if family.predictions == "values":
            soft = mse_loss(output.logits.float(), teacher, reduction="sum")
        else:
            soft = self._soft(output.logits, teacher)
        total = self._weighed(soft, family.loss(output.logits, labels))
        if self.inner:
            total = total + self.inner.loss(output, self._read(batch), batch["attention_mask"])
        return total


class OfSpans(Teacher):
    """Of pointers into a context: start and end logits (b, t), the mean of both, without padding."""

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        places = {"start_logits": batch.pop("start_positions"), "end_logits": batch.pop("end_positions")}
        batch.pop("example")
        output, teacher = model(**batch, **self.inner.wanted), self._read(batch)
        padding = batch["attention_mask"] == 0
        total: Any = 0.0
        for name, wanted in places.items():
            mine, other = (logits[name].float().masked_fill(padding, LOW) for logits in (output, teacher))
            total = total + self._weighed(
                self._soft(mine, other), cross_entropy(output[name].float(), wanted, reduction="sum")
            )
        total = total / 2
        return total + self.inner.loss(output, teacher, batch["attention_mask"]) if self.inner else total


class OfTags(Teacher):
    """Of tags: the logits of the first token of each word."""

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        labels = batch.pop("labels")
        batch.pop("example")
        counted = labels != IGNORED
        output, teacher = model(**batch, **self.inner.wanted), self._read(batch)
        if output.logits.shape != teacher.logits.shape:
            raise HarnessError(
                f"distill: the teacher gives {teacher.logits.shape[-1]} tags, the student {output.logits.shape[-1]}"
            )
        hard = cross_entropy(output.logits.float()[counted], labels[counted], reduction="sum")
        total = self._weighed(self._soft(output.logits[counted], teacher.logits[counted]), hard)
        return total + self.inner.loss(output, teacher, batch["attention_mask"]) if self.inner else total


class OfTokens(Teacher):
    """Of text: the logits of each token of the answer after those before it (word-level; Kim & Rush 2016)."""

    def check(self, student: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, head: Head, max_length: int) -> None:
        super().check(student, tokenizer, head, max_length)
        if self.model.config.vocab_size != student.config.vocab_size:
            raise HarnessError(
                f"distill: the teacher scores {self.model.config.vocab_size} tokens, "
                f"the student {student.config.vocab_size}"
            )

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        labels = batch.pop("labels")
        batch.pop("example")
        shifted = self.head.name == "causal-lm"
        if shifted:
            labels = labels[:, 1:]
        else:
            batch["decoder_input_ids"] = model.prepare_decoder_input_ids_from_labels(labels=labels)
        self.model.to(labels.device)  # type: ignore[arg-type]
        output = labelled_scores(model, batch, labels, shifted, **self.inner.wanted)
        with torch.no_grad():
            teacher = labelled_scores(self.model, batch, labels, shifted, **self.inner.wanted)
        counted = labels != IGNORED
        hard = cross_entropy(output.logits.float(), labels[counted], reduction="sum")
        total = self._weighed(self._soft(output.logits, teacher.logits), hard)
        if self.inner:
            total = total + self.inner.loss(output, teacher, batch["attention_mask"], counted)
        return total


LOW = -1e4
"""A logit of what cannot be chosen."""
TEACHERS: dict[str, type[Teacher]] = {
    "sequence-classification": OfLabels,
    "question-answering": OfSpans,
    "token-classification": OfTags,
    "seq2seq-lm": OfTokens,
    "causal-lm": OfTokens,
}
