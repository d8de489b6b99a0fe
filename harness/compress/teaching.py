"""What a teacher adds to a student's loss. Imports torch: import it inside functions."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.nn.functional import kl_div, mse_loss
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compress.base import Request
from harness.compress.students import evenly
from harness.errors import HarnessError
from harness.families import Labelling
from harness.heads import HEADS, Reader
from harness.models.base import PredictRequest
from harness.models.transformer import LEARNER
from harness.runtimes.settings import read_settings
from harness.runtimes.torch_eager import load


class Teacher:
    """The original model: its logits (n, outputs) on the training split, computed once, and for the loss of hidden
    states the model itself.
    """

    def __init__(self, request: Request, options: Any) -> None:
        data = request.data
        self.head = HEADS.get(read_settings(request.original).head)
        self.notes: list[str] = []
        self._options = options
        self._logits = torch.from_numpy(
            LEARNER.predict(PredictRequest(data.task, data.labels, data.train, request.original)).columns["logits"]
        )
        self._model, self._tokenizer = load(request.original)

    def check(self, student: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raises HarnessError where the student's hidden states cannot be compared with the teacher's."""
        if not self._options.hidden:
            return
        own, other = self._model.config, student.config
        if own.hidden_size != other.hidden_size:
            raise HarnessError(
                f"distill: hidden={self._options.hidden:g} compares hidden states, but the teacher is "
                f"{own.hidden_size} wide and the student {other.hidden_size}; choose a student as wide, or leave it out"
            )
        if self._tokenizer.get_vocab() != tokenizer.get_vocab():
            raise HarnessError(
                "distill: hidden states are compared token by token, but the student's tokenizer is another; give "
                "layers=N for a student with the teacher's, or leave hidden out"
            )

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: Reader) -> torch.Tensor:
        """Summed over a batch that holds the number of each example in its column `example` (b,)."""
        family = cast(Labelling, reader.family)
        labels, examples = batch.pop("labels"), batch.pop("example")
        teacher = self._logits[examples.cpu()].to(labels.device)
        output = model(**batch, output_hidden_states=bool(self._options.hidden))
        alpha = self._options.alpha
        total = alpha * self._soft(output.logits.float(), teacher, family)
        total = total + (1 - alpha) * family.loss(output.logits, labels)
        if self._options.hidden:
            total = total + self._options.hidden * self._hidden(output.hidden_states, batch)
        return total

    def _soft(self, student: torch.Tensor, teacher: torch.Tensor, family: Labelling) -> torch.Tensor:
        """Logits (b, outputs) of both to a sum over the batch."""
        if family.predictions == "values":
            return mse_loss(student, teacher, reduction="sum")
        temperature = self._options.temperature
        soft = kl_div(
            (student / temperature).log_softmax(-1), (teacher / temperature).log_softmax(-1), reduction="sum",
            log_target=True,
        )  # fmt: skip
        return temperature**2 * soft

    def _hidden(self, student: tuple[torch.Tensor, ...], batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Squared distances of hidden states (b, t, width): means over width, layers and an example's tokens, summed
        over the batch.
        """
        self._model.to(student[0].device)  # type: ignore[arg-type]
        with torch.no_grad():
            teacher = self._model(**batch, output_hidden_states=True).hidden_states
        pairs = zip(
            student[1:], (teacher[1 + index] for index in evenly(len(student) - 1, len(teacher) - 1)), strict=True
        )
        distance = torch.stack([(own - other).pow(2).mean(-1) for own, other in pairs]).mean(0)
        mask = batch["attention_mask"]
        return ((distance * mask).sum(1) / mask.sum(1)).sum()
