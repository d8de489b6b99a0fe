"""Masked language modelling with a teacher (Sanh et al. 2019): a student learns the masked tokens and what a checkpoint
thinks of them; on request it starts with the teacher's layers, and learns its hidden states and attention maps as well.
DistilBERT's loss of hidden states is one of their angle; here it is the squared distance, as in `distill`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from harness.core.errors import HarnessError
from harness.core.hashing import fingerprint_of
from harness.core.lazy import lazy
from harness.modeling.weights.layer_map import LayerMap, refuse_twice
from harness.modeling.weights.loading import load_weights, partial_weights
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.pretrained import folder_of
from harness.training.objectives.base import Batch
from harness.training.objectives.mlm import MaskedLM, MlmOptions, head_of, logits_at
from harness.training.objectives.reading import at, encoder_inputs
from harness.training.objectives.vocabulary import tokens_of

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

distillation = lazy("harness.training.distillation")
fewer_layers = lazy("harness.modeling.weights.fewer_layers")
inner_losses = lazy("harness.training.inner_losses")


class MlmDistillOptions(MlmOptions):
    """`teacher` is the folder or hub id of a masked language model with the student's tokenizer.

    Loss: `alpha` · T² · KL(teacher ‖ student) of logits over the `temperature` T, plus (1 - `alpha`) · that of the
    text, means over the masked tokens. `hidden` weighs the squared distance of hidden states, `attention` that of
    attention maps, means over layers and tokens. `map` says which layer of the teacher goes with one of the student
    (`0:0,1:3`), else they are spread evenly. `from_teacher`: the student, as wide as the teacher, starts with its
    embeddings, its head and those of its layers.
    """

    teacher: str
    temperature: float = Field(default=2.0, gt=0)
    alpha: float = Field(default=0.5, ge=0, le=1)
    hidden: float = Field(default=0.0, ge=0)
    attention: float = Field(default=0.0, ge=0)
    map: LayerMap = ()
    from_teacher: bool = False

    @model_validator(mode="after")
    def _once(self) -> MlmDistillOptions:
        refuse_twice(self.map)
        return self


class DistilledMaskedLM(MaskedLM):
    Options = MlmDistillOptions  # type: ignore[assignment]  # which cannot be made of nothing
    from_checkpoint = False

    @classmethod
    def inputs(cls, options: Any) -> dict[str, str]:
        return {"teacher": fingerprint_of(_folder(options.teacher))}

    @classmethod
    def at_random(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name != "from_teacher"}

    def prepare(self) -> None:
        super().prepare()

        folder = _folder(self.options.teacher)
        self.teacher = _masked_lm(folder)
        self.inner = inner_losses.InnerLosses(self.options)
        if _vocabulary(folder) != self.tokens.vocabulary:
            raise HarnessError(
                f"teacher {folder}: its tokenizer is not the student's; give the student the teacher's corpus and "
                "tokenizer settings"
            )

        longest = positions_of(self.teacher, "encoder") or self.block_size
        if longest < self.block_size:
            raise HarnessError(
                f"teacher {folder}: it reads {longest} tokens at once; lower block_size, which is {self.block_size}"
            )

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        student = super().build(config)
        self.inner.check(self.teacher, student)
        if self.options.from_teacher:
            _start_with(self.teacher, student, dict(self.options.map))
        return student

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        import torch
        from torch.nn.functional import cross_entropy

        self.teacher.to(batch["input_ids"].device)  # type: ignore[arg-type]
        logits, inside = self._read(model, batch)
        with torch.no_grad():
            other, inside_teacher = self._read(self.teacher, batch)
        soft = distillation.soft_loss(logits, other, self.options.temperature) / len(logits)
        hard = cross_entropy(logits, batch["targets"].flatten())
        total = self.options.alpha * soft + (1 - self.options.alpha) * hard
        if self.inner:
            mask = torch.ones_like(batch["input_ids"])
            total = total + self.inner.loss(inside, inside_teacher, mask) / len(mask)
        return total

    def _read(self, model: Any, batch: Batch) -> tuple[torch.Tensor, Any]:
        """Logits (n, vocabulary) of the masked tokens, and what the model's layers made of the text where it counts."""
        inputs = batch["input_ids"], batch["token_type_ids"]
        head = head_of(model)
        if not self.inner:
            return logits_at(model, *inputs, batch["positions"]).float().flatten(0, 1), None
        reader = model if head is None else model.base_model
        output = reader(**encoder_inputs(model, *inputs), **self.inner.wanted)
        logits = (
            at(output.logits, batch["positions"])
            if head is None
            else head(at(output.last_hidden_state, batch["positions"]))
        )
        return logits.float().flatten(0, 1), output


def _start_with(teacher: PreTrainedModel, student: Any, layers: dict[int, int]) -> None:
    """Give a student the teacher's weights. Raises HarnessError where its sizes are others."""
    import copy

    source = copy.deepcopy(teacher)
    count, depth = fewer_layers.depth_of(student.config), fewer_layers.depth_of(teacher.config)
    if count < depth:
        chosen = [layers[number] for number in range(count)] if sorted(layers) == list(range(count)) else ()
        fewer_layers.from_layers(source, count, chosen)
    given = source.state_dict()
    for name, weight in student.state_dict().items():
        if name not in given or given[name].shape != weight.shape:
            teacher_shape = tuple(given[name].shape) if name in given else "none"
            raise HarnessError(
                f"mlm-distill: from_teacher needs a student of the teacher's sizes with no more layers, but its {name} "
                f"is {tuple(weight.shape)} and the teacher's {teacher_shape}"
            )
    student.load_state_dict(given)


def _folder(name: str) -> Path:
    return folder_of(name)


def _masked_lm(folder: Path) -> PreTrainedModel:
    """Raises HarnessError where the checkpoint has no head for masked tokens: a new one would teach noise."""
    with partial_weights(True) as misfits:
        model = load_weights("AutoModelForMaskedLM", folder)
    if misfits:
        raise HarnessError(
            f"teacher {folder}: it is no masked language model: {misfits[0]}; give a checkpoint pretrained with the "
            "objective mlm"
        )
    return model.eval()


def _vocabulary(folder: Path) -> str:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise HarnessError(f"teacher {folder}: its tokenizer is not a fast one (tokenizer.json)")
    return tokens_of(tokenizer).vocabulary


OBJECTIVE = DistilledMaskedLM
