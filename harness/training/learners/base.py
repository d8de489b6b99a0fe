"""What a learner is: the code behind a model spec, which fits a model to a task and predicts with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core import plugins
from harness.core.errors import HarnessError, did_you_mean
from harness.core.families import FAMILIES, Family, Labelling
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.data.augment.base import Augmentation, TrainingOperation
from harness.data.frame import Split
from harness.training.processes import Processes

if TYPE_CHECKING:
    import numpy as np


RANDOM_WEIGHTS = "random_weights"
"""The option by which a checkpoint's architecture and tokenizer are taken, and its weights drawn anew."""
LINEAR_PROBE = "linear_probe"
"""The option by which the output layer alone is fitted, by logistic regression on frozen features."""


@dataclass(frozen=True)
class FitRequest:
    """Everything a fit may depend on.

    `train` is labelled. `held_out` is the labelled split that picks the best epoch where the model spec asks for it,
    scored by `held_out_score` (greater is better). `pretrained` is the local folder of the
    weights to start from. The model is written into the existing, empty folder `directory`; `scratch` is for files
    nobody keeps. A training by steps writes their losses to the file `losses` (`harness.training.curves`). `report`
    takes the fraction done, 0..1. Where the model spec augments, `train` is augmented already, and `unaugmented` is the
    split without that; `train_in` gives the rows of an epoch, from 0, where they are others in each. `processes`:
    several fit this together, and what the first one writes counts; they keep what the rest takes to go on in the
    folder `checkpoints`. `unlabelled` are texts without labels.
    """

    task: TaskSpec
    labels: tuple[str, ...]
    train: Split
    model_spec: ModelSpec
    seed: int
    directory: Path
    scratch: Path
    pretrained: Path | None = None
    held_out: Split | None = None
    held_out_score: Callable[[Predictions], float] | None = None
    corpus: Callable[[], list[str]] | None = None
    losses: Path | None = None
    report: Callable[[float], None] = field(default=lambda fraction: None)
    unaugmented: Split | None = None
    train_in: Callable[[int], Split] | None = None
    processes: Processes | None = None
    unlabelled: Split | None = None
    checkpoints: Path | None = None

    @property
    def family(self) -> Family:
        return FAMILIES.get(self.task.family)


@dataclass(frozen=True)
class PredictRequest:
    """A split to predict with the model in `directory`.

    Where the task gives `shots`, the model was not fitted to it: `directory` is that of a pretrained model, which is
    shown the examples of `shown` (a labelled split; empty for none). `seed` is for what is drawn. `label_map` names the
    task's class for a class that a finished model calls otherwise. Of a model in no folder `directory` is what stands
    for it, `options` are those of its model spec, and `shared` is a folder for answers that are kept for later.
    """

    task: TaskSpec
    labels: tuple[str, ...]
    split: Split
    directory: Path
    seed: int = 0
    shown: Split | None = None
    report: Callable[[float], None] = field(default=lambda fraction: None)
    label_map: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    shared: Path | None = None

    @property
    def family(self) -> Family:
        return FAMILIES.get(self.task.family)


@dataclass(frozen=True)
class Rates:
    """CPU seconds of a subword token, in a fit and in predictions, of a learner whose cost goes by its texts."""

    fit: float = 0.0
    predict: float = 0.0


class Learner(ABC):
    """Fits and predicts. One subclass a module, registered by name; model specs name it as their `learner`.

    `imports`: modules that take long to import, which workers share where they can. `pace`: what it costs, for
    estimates; None of a transformer, whose config says it, and where nobody knows.
    `deterministic`: the seed changes nothing, so a run of many seeds fits it once. `exact`: its results are the same,
    bit by bit, on every machine. `remembers`: it may know an example again. `in_folder`: its models are folders; others
    are finished, and `state` says what stands for them. `remote`: they are behind a server, which may change them.
    `together`: several processes may fit a model at once.
    `augmented`: which operations of augmentation it trains with: `texts`, which makes its rows before; `epochs`, other
    rows in each epoch; `training`, which it applies itself.
    """

    imports: tuple[str, ...] = ()
    rates: Rates | None = None
    deterministic = False
    exact = False
    in_folder = True
    remote = False
    remembers = True
    together = False
    augmented: frozenset[str] = frozenset({"texts"})

    @abstractmethod
    def fit(self, request: FitRequest) -> dict[str, Any]:
        """Fit and write the model to `request.directory`, never as a pickle.

        Returns what a record should say of the fit (JSON-able); the key `parameters` holds the number of parameters.
        """

    @abstractmethod
    def predict(self, request: PredictRequest) -> Predictions:
        """What the model says of the n examples of `request.split`, in their order."""

    def plugins(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> list[tuple[str, str]]:
        """Plug-ins that a fit or a prediction looks up by name, as (kind, name): their code is part of the result's
        key, beside this module's and what it imports.
        """
        return []

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        """Why this model spec cannot do the task at all, None where it can. By default a learner does the families that
        answer with a class or a number, and has to be trained. `architecture` is that of a transformer.
        """
        family = FAMILIES.get(task.family)
        if not isinstance(family, Labelling):
            return f"{model_spec.learner} answers with a class or a number, {task.family} asks for more"
        if family.modalities and self.remembers:
            return f"{model_spec.learner} reads text, and {task.family} has {family.modality}"
        return f"{model_spec.learner} has to be trained on a task" if task.shots is not None else None

    def cannot_augment(self, model_spec: ModelSpec, head: str | None) -> str | None:
        """Why its training examples are not augmented as the model spec says, where a task is done by that head; None
        where they are.
        """
        augment = model_spec.training.augment
        assert augment is not None
        if not self.augmented:
            return f"augment: {model_spec.learner} learns nothing of texts; leave it out"
        if augment.each == "epoch" and "epochs" not in self.augmented:
            return f"augment: {model_spec.learner} does not train in epochs; each: epoch does not go with it"
        for name, _ in augment.named:
            operation: type[Augmentation] = plugins.lookup("augmentation", name)
            if operation.on not in self.augmented:
                return (
                    f"augment: {name} is applied while a model is trained in steps, which {model_spec.learner} is not"
                )
            if issubclass(operation, TrainingOperation) and head not in operation.heads:
                return f"augment: {name} is for the head {' or '.join(sorted(operation.heads))}, not {head}"
        return None

    def cannot_train(self, task: TaskSpec, model_spec: ModelSpec, head: str | None) -> str | None:
        """Why it is not trained on a task as the `training` of the model spec says; None where it is. By default a
        learner takes no steps.
        """
        training = model_spec.training
        steps = ("label_smoothing", "average_last", "peft", "adversarial", "gradient_checkpointing", "compile")
        asked = [name for name in steps if getattr(training, name)]
        return f"{asked[0]}: {model_spec.learner} has none; leave it out" if asked else None

    def state(self, model_spec: ModelSpec) -> str:
        """What stands for a model that is in no folder, in the keys of its scores. Raises HarnessError where it cannot
        be had.
        """
        raise NotImplementedError

    def check(self, model_spec: ModelSpec) -> None:
        """Raises HarnessError where the model spec lacks what this learner needs, or has what it cannot use."""
        self._refuse_options(model_spec, ())

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        """Floating-point operations of a fit to `examples` examples of `words` words in all; None where unknown."""
        return None

    @staticmethod
    def of_logits(family: Family, logits: np.ndarray) -> Predictions:
        """Predictions from logits (n, outputs) float32 of a family that answers with a class or a number."""
        assert isinstance(family, Labelling)
        return Predictions(family.decode(logits), {"logits": logits})

    def _refuse_options(self, model_spec: ModelSpec, known: tuple[str, ...]) -> None:
        for option in model_spec.options:
            if option not in known:
                hint = did_you_mean(option, known) if known else " It takes none."
                raise HarnessError(
                    f"model spec {model_spec.name}: learner {model_spec.learner} has no option '{option}'.{hint}"
                )
