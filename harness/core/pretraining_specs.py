"""What a model spec says of a tokenizer to train and of pretraining."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from harness.core.adversarial_spec import AdversarialSpec, without_average
from harness.core.augment_spec import AugmentSpec
from harness.core.peft_spec import PeftSpec
from harness.core.source_names import SYNTHETIC, canonical
from harness.core.strict_spec import Name, Strict, Time, seconds_of, setting

OptimizerName = Literal["adamw", "adafactor"]
CONTROL_SUFFIX = "-scratch"
"""What `--from-scratch` appends to a model spec's name for its control with random weights."""
GOING_ON_RATE = 1e-4
"""The learning rate from a checkpoint where none is given: a tenth of that from random weights."""


class TokenizerSpec(Strict):
    """A tokenizer to train: `wordpiece` (BERT's), `bytebpe` (GPT-2's) or `unigram` (T5's).

    It is trained on the task's own training text, the synthetic corpus or, for a model spec that is pretrained, the
    corpus of its pretraining. `words` are in a unigram vocabulary though that text may not have them, such as the
    words of prompts and classes: a vocabulary without them cuts them to single letters. `lowercase` is so for wordpiece
    and unigram where left out; bytebpe keeps every byte.
    """

    kind: Literal["wordpiece", "bytebpe", "unigram"] = "wordpiece"
    vocab_size: int = Field(default=8000, ge=64, le=1_000_000)
    lowercase: bool | None = None
    corpus: Annotated[Literal["task", "synthetic", "pretraining"], BeforeValidator(canonical)] = "task"
    words: list[str] = []

    @model_validator(mode="after")
    def _words_go_with_unigram(self) -> TokenizerSpec:
        if self.words and self.kind != "unigram":
            raise ValueError("words go with kind unigram")
        if self.lowercase and self.kind == "bytebpe":
            raise ValueError("lowercase: a bytebpe tokenizer keeps every byte; leave it out")
        if split := [word for word in self.words if len(word.split()) != 1]:
            raise ValueError(f"words: {split[0]!r} is not one word")
        return self


class PretrainingSpec(Strict):
    """How a model is pretrained before it is fine-tuned.

    `objective` is a registered objective, `options` are its own. `corpus` is `synthetic` (`sentences` of it), a file or
    folder of text, or `hub:ID`; `field` is the text's column in jsonl and parquet. How long: `steps`, `tokens` or a
    wall-clock `budget` such as `90s`, `10m`, `2h`, kept by revising the number of steps; 0 steps leave the weights
    random. A step sees `batch_size` blocks of `block_size` tokens, split over processes and over `accumulate`
    micro-batches. With the optimizer `adafactor`, which a model that is shared out over processes cannot have, the
    learning rate is relative to the size of each weight. `dropout` replaces the config's while pretraining. A
    checkpoint to resume from is written every `checkpoint_every` steps. `gradient_checkpointing` keeps the inputs of
    layers alone and computes their activations again (Chen et al. 2016), `compile` trains what `torch.compile` makes of
    the model. `augment` makes further documents of those to train on. `adversarial` trains on perturbed embeddings as
    well (as ALUM, Liu et al. 2020, arXiv 2004.08994). Of a checkpoint that is trained further, `peft` trains an adapter
    in place of the weights, which is kept beside them and merged into them.
    """

    objective: Name
    options: dict[str, Any] = {}
    corpus: Annotated[str, BeforeValidator(canonical)] = setting(
        SYNTHETIC, "synthetic, a file or folder of text, or hub:ID.", panel="What", metavar="SOURCE"
    )
    sentences: int = setting(20_000, "How much of the synthetic corpus.", panel="What", ge=100)
    field: str = "text"
    steps: int | None = setting(None, "Optimizer steps.", panel="Training", ge=0)
    tokens: int | None = setting(None, "Tokens to train on.", panel="Training", ge=1)
    budget: Time | None = setting(None, "Wall-clock time: 90s, 10m, 2h.", panel="Training")
    block_size: int = Field(default=128, ge=8, le=65536)
    batch_size: int = setting(32, "Blocks per step, over all processes.", panel="Training", ge=1, le=65536)
    accumulate: int = setting(1, "Micro-batches per step.", panel="Training", ge=1)
    optimizer: OptimizerName = setting("adamw", "Instead of the model spec's.", panel="Training")
    learning_rate: float = setting(1e-3, "Instead of the model spec's.", panel="Training", gt=0, le=10)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    schedule: Literal["wsd", "linear", "cosine", "constant"] = "wsd"
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    decay_ratio: float = Field(default=0.2, ge=0, le=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    precision: Literal["auto", "fp32", "bf16"] = setting(
        "auto", "Floats of the training; auto: bf16 where that is faster.", panel="Training"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1)
    gradient_checkpointing: bool = setting(
        False, "Compute activations again for the gradients: less memory, some 1.3 times the time.", panel="Training"
    )
    compile: bool = setting(False, "Train what torch.compile makes of the model.", panel="Training")
    checkpoint_every: int = setting(200, "Steps between checkpoints to resume from.", panel="Training", ge=1)
    seed: int = setting(0, "Of weights, order and masks.", panel="Training", ge=0, lt=2**31)
    augment: AugmentSpec | None = None
    adversarial: Annotated[AdversarialSpec | None, AfterValidator(without_average)] = None
    peft: PeftSpec | None = setting(
        None, "Of a checkpoint: train an adapter and merge it: lora, dora or ia3, with options as in lora:r=8.",
        panel="Training", metavar="METHOD[:OPTIONS]",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_length(self) -> PretrainingSpec:
        given = [name for name in ("steps", "tokens", "budget") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of steps, tokens and budget, not {' and '.join(given) or 'none'}")
        if self.schedule != "wsd" and self.decay_ratio != type(self).model_fields["decay_ratio"].default:
            raise ValueError(f"decay_ratio goes with the schedule wsd, not {self.schedule}")
        if self.adversarial is not None and self.compile:
            raise ValueError("compile does not go with adversarial: a compiled model's embeddings are not perturbed")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size: {self.batch_size} blocks cannot be split into {self.accumulate} equal parts")
        if self.peft is not None and self.optimizer == "adafactor":
            raise ValueError("peft: adafactor's steps are relative to weights, an adapter's begin at zero; use adamw")
        if self.peft is not None and self.peft.quantize_base is not None:
            raise ValueError("peft: quantize_base is for fine-tuning; further pretraining is on whole weights")
        return self

    def identity(self) -> dict[str, Any]:
        """What of it a checkpoint depends on beside the text of its corpus."""
        apart = {"corpus", "sentences", "field", "checkpoint_every", "gradient_checkpointing"}
        settings = self.model_dump(mode="json", exclude=apart)
        later = ("augment", "compile", "adversarial", "peft")
        return {name: value for name, value in settings.items() if value or name not in later}

    @property
    def seconds(self) -> float | None:
        """The wall-clock budget in seconds."""
        return None if self.budget is None else seconds_of(self.budget)
