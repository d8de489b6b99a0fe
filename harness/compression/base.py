"""What a compressor is: it reads a model folder and writes another, and says what it did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.compression.options import AUTO, LayerOptions
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.specs import ModelSpec, TaskSpec, TrainingSpec
from harness.core.strict_spec import Strict
from harness.data.frame import Split
from harness.modeling.runtimes.base import OUTPUTS, WRITING_HEADS
from harness.modeling.weights.settings import ITEM_HEADS, TOWERS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

groups = lazy("harness.compression.groups")


@dataclass(frozen=True)
class Target:
    """What is known of a model before it exists: its `model_type`, its head, the family of its task."""

    model_type: str
    head: str
    family: str | None = None


@dataclass(frozen=True)
class Examples:
    """The task a model was fine-tuned on, with its labelled training split."""

    task: TaskSpec
    labels: tuple[str, ...]
    train: Split


@dataclass(frozen=True)
class Student:
    """The model spec of a student, and the local folder of the weights it starts from where it has any."""

    model_spec: ModelSpec
    pretrained: Path | None = None


@dataclass(frozen=True)
class Request:
    """Everything a compression may depend on.

    `source` is the folder of the model, `original` that of the model a chain began with. The result is written into
    the existing, empty folder `target`; `scratch` is for files nobody keeps. `examples` are there where the compressor
    uses data, `student` where it names a recipe. `training` is how the model was fine-tuned. `report` takes the
    fraction done, 0..1. `kept` is shared by requests that differ in options alone, for what they have in common.
    """

    source: Path
    original: Path
    target: Path
    scratch: Path
    seed: int = 0
    examples: Examples | None = None
    student: Student | None = None
    training: TrainingSpec = field(default_factory=TrainingSpec)
    kept: dict[Any, Any] | None = None
    report: Callable[[float], None] = field(default=lambda fraction: None)

    @property
    def data(self) -> Examples:
        if self.examples is None:
            raise HarnessError("this method needs training examples; name their task with --task")
        return self.examples


class Compressor(ABC):
    """One subclass a module, registered by name, made with its options.

    `main` is the option that `NAME:VALUE` sets. A compressor with `uses_data` is given training examples. `runtime` is
    where its result runs. Models in `torch` can be compressed further; of others only those made by the methods that
    the next one names in `reads`. With `reads_items` it compresses models of images and sounds as well.
    """

    main: ClassVar[str | None] = None
    uses_data: bool = False
    runtime: ClassVar[str] = "torch"
    reads: ClassVar[tuple[str, ...]] = ()
    reads_items: ClassVar[bool] = False

    class Options(Strict):
        pass

    def __init__(self, options: Any) -> None:
        self.options = options

    @property
    def searches(self) -> bool:
        """Whether options are to be searched for, by what a generative model says of texts."""
        return any(value in (AUTO, [AUTO]) for value in self.options.model_dump(mode="json").values())

    @property
    def reads_texts(self) -> bool:
        """Whether it looks at texts: examples, or generated English of a causal language model without any."""
        return self.searches

    @property
    def student_name(self) -> str | None:
        """The name of a model spec it needs, as a student."""
        return None

    def not_applicable(self, target: Target) -> str | None:
        """Why such a model cannot be compressed this way; None where it can."""
        return None

    def layers(self, model: PreTrainedModel) -> tuple[str, ...]:
        """The groups of layers it touches, which `skip` and `only` can name; none where it knows no such options."""

        if not isinstance(self.options, LayerOptions):
            return ()
        return groups.chosen(model, self.options, getattr(self.options, "embeddings", False)).groups

    @abstractmethod
    def compress(self, request: Request) -> dict[str, Any]:
        """Write the compressed model, never as a pickle, and return what a record should say of it, JSON-able.

        The key `notes` may hold sentences for a reader, among them what was not saved.
        """


def no_graph(method: str, target: Target, writes: bool = False, items: bool = False) -> str | None:
    """Why a method cannot make a graph of such a model; None where it can. `writes`: it takes generative models,
    `items`: those of images and sounds.
    """
    if items and target.head in (TOWERS, *ITEM_HEADS):
        return None
    if target.head in OUTPUTS or (writes and target.head in WRITING_HEADS):
        return None
    others = "; int8 and onnx do, and int8-torch serves it in torch" if target.head in WRITING_HEADS else ""
    return f"{method} does not yet export the head {target.head} to a graph{others}"
