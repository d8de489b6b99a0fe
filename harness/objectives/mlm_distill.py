"""Masked language modelling with a teacher (Sanh et al. 2019): a student learns the masked tokens and what a checkpoint
thinks of them. DistilBERT's loss of hidden states, and its start with the teacher's layers, are not done here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.errors import HarnessError
from harness.objectives.base import Batch
from harness.objectives.mlm import MaskedLM, MlmOptions, logits_at

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class MlmDistillOptions(MlmOptions):
    """`teacher` is the folder or hub id of a masked language model with the student's tokenizer.

    Loss: `alpha` · T² · KL(teacher ‖ student) of logits over the `temperature` T, plus (1 - `alpha`) · that of the
    text, means over the masked tokens.
    """

    teacher: str
    temperature: float = Field(default=2.0, gt=0)
    alpha: float = Field(default=0.5, ge=0, le=1)


class DistilledMaskedLM(MaskedLM):
    Options = MlmDistillOptions  # type: ignore[assignment]  # which cannot be made of nothing

    @classmethod
    def inputs(cls, options: Any) -> dict[str, str]:
        from harness.hashing import fingerprint_of

        return {"teacher": fingerprint_of(_folder(options.teacher))}

    def prepare(self) -> None:
        super().prepare()
        folder = _folder(self.options.teacher)
        self.teacher = _masked_lm(folder)
        if _vocabulary(folder) != self.tokens.vocabulary:
            raise HarnessError(
                f"teacher {folder}: its tokenizer is not the student's; give the student the teacher's corpus and "
                "tokenizer settings"
            )
        from harness.models.positions import positions_of

        longest = positions_of(self.teacher, "encoder") or self.block_size
        if longest < self.block_size:
            raise HarnessError(
                f"teacher {folder}: it reads {longest} tokens at once; lower block_size, which is {self.block_size}"
            )

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        import torch
        from torch.nn.functional import cross_entropy

        from harness.training.distillation import soft_loss

        inputs = batch["input_ids"], batch["token_type_ids"], batch["positions"]
        own = logits_at(model, *inputs).float().flatten(0, 1)
        with torch.no_grad():
            self.teacher.to(own.device)  # type: ignore[arg-type]
            other = logits_at(self.teacher, *inputs).float().flatten(0, 1)
        soft = soft_loss(own, other, self.options.temperature) / len(own)
        hard = cross_entropy(own, batch["targets"].flatten())
        return self.options.alpha * soft + (1 - self.options.alpha) * hard


def _folder(name: str) -> Path:
    from harness.pretrained import folder_of

    return folder_of(name)


def _masked_lm(folder: Path) -> PreTrainedModel:
    """Raises HarnessError where the checkpoint has no head for masked tokens: a new one would teach noise."""
    from transformers import AutoModelForMaskedLM

    try:
        model, told = AutoModelForMaskedLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="float32",
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(f"cannot load the teacher in {folder}: {' '.join(str(error).split())}") from None
    if told["missing_keys"]:
        raise HarnessError(
            f"teacher {folder}: it is no masked language model, {sorted(told['missing_keys'])[0]} is missing; "
            "give a checkpoint pretrained with the objective mlm"
        )
    return model.eval()


def _vocabulary(folder: Path) -> str:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    from harness.pretraining.vocabulary import tokens_of

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise HarnessError(f"teacher {folder}: its tokenizer is not a fast one (tokenizer.json)")
    return tokens_of(tokenizer).vocabulary


OBJECTIVE = DistilledMaskedLM
