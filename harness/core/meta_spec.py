"""How a model is meta-trained, as the section `meta` of a model spec gives it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.core.source_names import SYNTHETIC, canonical
from harness.core.strict_spec import Strict, listed, setting

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
WHAT, TRAINING = "What", "Training"
MetaMethod = Literal["reptile", "fomaml", "maml", "anil", "multitask"]


def _names(value: Any) -> Any:
    """Names in a list, or in texts with commas between them."""
    parts = listed(value)
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return value
    return [name.strip() for part in parts for name in part.split(",")]


class MetaSpec(Strict):
    """Training on several tasks before a model is fine-tuned to another one.

    An episode is a small task: of one of `tasks`, drawn by its size to the power of `alpha`, two or more classes, at
    most `ways`, with `k` examples of each to adapt to and `queries` to judge by. A step takes `episodes` of them.
    `method` says what the outer loop follows (`harness.training.meta.methods`): `reptile`, `fomaml`, `maml` and `anil`
    adapt by `inner_steps` of gradient descent at `inner_rate`; `multitask` trains the encoder with a head a task, the
    usual way. `head`: the output layer that an episode starts with: one for each `task`, which the outer loop
    trains with the encoder, as multi-task training has it (Dou et al. 2019); `zero`; or `generated` by a small network
    from the mean of each class's encoded examples, for any number of classes (Bansal et al. 2020). `data` is where the
    tasks are, whatever `--data` of a run says, `limit` the first rows of each that are read.
    """

    method: MetaMethod = setting("reptile", "reptile, fomaml, maml, anil or multitask.", panel=TRAINING)
    tasks: Annotated[list[Annotated[str, Field(pattern=NAME)]], BeforeValidator(_names)] = setting(
        list, "The tasks or suites to train on.", panel=WHAT, metavar="NAME,…", comma=True
    )
    data: Annotated[str, BeforeValidator(canonical)] = setting(
        SYNTHETIC, "Where they are: synthetic, hub, or a folder.", panel=WHAT, metavar="SOURCE"
    )
    limit: int | None = setting(None, "Use the first N examples of each.", panel=WHAT, ge=1)
    ways: int = setting(4, "Classes of an episode, at most.", panel=TRAINING, ge=2, le=1000)
    k: int = setting(8, "Examples of each class to adapt to.", panel=TRAINING, ge=1, le=10_000)
    queries: int = setting(8, "Examples of each class to judge by.", panel=TRAINING, ge=1, le=10_000)
    head: Literal["task", "zero", "generated"] = setting(
        "task", "The output layer of an episode: its task's, zero, or generated from examples.", panel=TRAINING
    )
    alpha: float = setting(0.5, "A task is drawn by its size to this power.", panel=TRAINING, ge=0, le=1)
    steps: int = setting(1000, "Steps of the outer loop.", panel=TRAINING, ge=1, le=10_000_000)
    episodes: int = setting(4, "Episodes of a step.", panel=TRAINING, ge=1, le=10_000)
    inner_steps: int = setting(5, "Steps of gradient descent in an episode.", panel=TRAINING, ge=1, le=1000)
    inner_rate: float = setting(0.05, "Their learning rate.", panel=TRAINING, gt=0, le=10)
    learning_rate: float = setting(3e-4, "Of the outer loop, by AdamW.", panel=TRAINING, gt=0, le=10)
    max_length: int = setting(64, "Tokens of a text that are read.", panel=TRAINING, ge=4, le=32768)
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    checkpoint_every: int = setting(200, "Steps between checkpoints to resume from.", panel=TRAINING, ge=1)
    seed: int = setting(0, "Of episodes and of new weights.", panel=TRAINING, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _one_way(self) -> MetaSpec:
        if not self.tasks:
            raise ValueError("tasks: name the tasks or suites to train on")
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks: a name is given twice")
        if self.method == "multitask":
            for name in ("inner_steps", "inner_rate", "head"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name}: multitask adapts nothing in an episode; leave it out")
        return self

    @property
    def keeps_heads(self) -> bool:
        """Whether each task has an output layer of its own, with its classes numbered as in the task."""
        return self.method == "multitask" or self.head == "task"

    def identity(self) -> dict[str, Any]:
        """What of it a checkpoint depends on beside its tasks and their data."""
        return self.model_dump(mode="json", exclude={"tasks", "data", "limit", "checkpoint_every"})
