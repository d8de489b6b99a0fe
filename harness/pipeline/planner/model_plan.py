"""A model spec of a run as its plan sees it: what its cells start from, and whether it can do a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

from harness.core import code_identity
from harness.core.cached_facts import KnownArchitecture
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.item_families import AUDIO
from harness.core.specs import SHOTS_MARK, ModelSpec, TaskSpec
from harness.core.store import Store
from harness.data.augment.expand import refused
from harness.modeling.heads import HEADS, architecture_of, head_for, heads_of
from harness.modeling.runtimes.base import WRITING_HEADS
from harness.modeling.weights.loading import does_not_fit, misfit_of
from harness.modeling.weights.model_lists import hears
from harness.modeling.weights.pretrained import Weights
from harness.modeling.weights.settings import (
    GRAPH,
    ITEM_HEADS,
    TOWERS,
    Settings,
    class_names,
    compressed_settings,
    model_config,
    read_settings,
)
from harness.pipeline.cells import TaskInput
from harness.training.learners import LEARNERS
from harness.training.learners.base import RANDOM_WEIGHTS
from harness.training.learners.classes import class_order, tag_order

NAMING_HEADS = ("sequence-classification", "token-classification", *ITEM_HEADS)
"""The heads whose outputs have names."""
MISFIT = "harness.modeling.weights.loading"
"""The module that says whether weights fit."""


@dataclass(frozen=True)
class ModelPlan:
    """A model spec of a run under its name there, and what its cells start from."""

    name: str
    model_spec: ModelSpec
    weights: Weights | None
    corpus: Mapping[str, Any] | None
    store: Store
    meta: tuple[TaskInput, ...] = ()
    """The tasks that it is trained on before it is fine-tuned."""
    finished: bool = False
    """It is scored as it is, and not trained."""

    @cached_property
    def architecture(self) -> str | None:
        """Of a transformer, cached by its model_type."""
        config = self.model_spec.config
        if not LEARNERS.get(self.model_spec.learner).in_folder:
            return None
        if self.weights is not None:
            config = model_config(self.weights.folder) or {"model_type": GRAPH}
        if config is None:
            return None
        if config.get("model_type") == GRAPH:  # of which nothing is known but its inputs and outputs
            return "encoder"
        known = {key: config.get(key) for key in ("model_type", "is_encoder_decoder")}
        key = hash_json(["architecture", known, version("transformers")])
        facts = self.store.get_or_compute(key, lambda: {"architecture": architecture_of(known)}, KnownArchitecture)
        return str(facts["architecture"])

    @property
    def _config(self) -> Mapping[str, Any]:
        return model_config(self.weights.folder) if self.weights is not None else self.model_spec.config or {}

    def head(self, task: TaskSpec) -> str | None:
        """Of a transformer that is trained on the task."""
        usual = head_for(task, self.architecture)  # type: ignore[arg-type]
        return self.model_spec.options.get("head") or usual

    def plugins(self, task: TaskSpec) -> list[tuple[str, str]]:
        """What the model is fitted to a task and predicts with, as (kind, name)."""
        used = [("learner", self.model_spec.learner), ("family", task.family)]
        used += [("library", task.library)] if task.library else []
        if self.settings is not None and task.shots is None:
            return [*used, ("head", self.settings.head), *(("runtime", name) for name in self.settings.runtimes)]
        return [*used, *LEARNERS.get(self.model_spec.learner).plugins(task, self.model_spec, self.architecture)]

    @property
    def augmentations(self) -> list[tuple[str, str]]:
        """The operations that make further training examples, as (kind, name)."""
        augment = self.model_spec.training.augment
        return [] if augment is None or self.finished else [("augmentation", name) for name, _ in augment.named]

    def cannot_train(self, task: TaskSpec) -> str | None:
        """Why the model is not trained on a task, or its examples are not augmented, as its spec says; None where that
        is done, and of a model that is not trained.
        """
        if self.finished or task.shots is not None:
            return None
        learner, augment = LEARNERS.get(self.model_spec.learner), self.model_spec.training.augment
        reason = learner.cannot_train(task, self.model_spec, self.head_used(task))
        if reason is not None or augment is None:
            return reason
        return learner.cannot_augment(self.model_spec, self.head_used(task)) or refused(
            augment, task, f"model {self.name}: augment"
        )

    def head_used(self, task: TaskSpec) -> str | None:
        """By which the task is done, trained or not; None where the model has none."""
        return dict(self.plugins(task)).get("head")

    @cached_property
    def settings(self) -> Settings | None:
        """Of a finished model in a folder."""
        if not self.finished or self.weights is None or not LEARNERS.get(self.model_spec.learner).in_folder:
            return None
        return read_settings(self.weights.folder)

    @property
    def classes(self) -> list[str]:
        """What a finished classifier or tagger calls its classes."""
        if self.settings is None or self.settings.head not in NAMING_HEADS:
            return []
        assert self.weights is not None
        return [str(name) for name in class_names(self.weights.folder).values()]

    def check_classes(self, task: TaskSpec, labels: Sequence[str], label_map: Mapping[str, str]) -> None:
        """Raises HarnessError for a finished classifier whose classes are not those of the task; both are named."""
        if self.settings is None or self.settings.head not in NAMING_HEADS or task.shots is not None:
            return
        assert self.weights is not None
        names = class_names(self.weights.folder)
        if self.settings.head == "token-classification":
            tag_order(names, task, labels, self.name, label_map)
        elif labels:
            class_order(names, task, labels, self.name, label_map)
        elif len(names) != 1 and self.settings.runtime == "torch" and not self._is_regression:
            raise HarnessError(
                f"model {self.name}: it gives {len(names)} classes, and task {task.name} asks for one number"
            )

    @property
    def _is_regression(self) -> bool:
        assert self.weights is not None
        return model_config(self.weights.folder).get("problem_type") == "regression"

    def check_weights(self, task: TaskSpec, labels: Sequence[str]) -> None:
        """Raises HarnessError for weights that do not fit the model's config, by their names and shapes; what was found
        out is kept under the hash of the weights.
        """
        name = self.head_used(task)
        if name is None or self.weights is None or self.weights.partial or self.model_spec.options.get(RANDOM_WEIGHTS):
            return
        folder = self.weights.folder
        if not folder.is_dir() or compressed_settings(folder) is not None:
            return
        head = HEADS.get(name)
        new_head = not self.finished and task.shots is None
        options = head.config(FAMILIES.get(task.family), tuple(labels)) if new_head else {}
        code = code_identity.identity(MISFIT)
        key = hash_json(["misfit", self.weights.fingerprint, name, new_head, options, version("transformers"), code])
        find = partial(misfit_of, head.auto_class, folder, new_head, **options)
        if misfit := self.store.get_or_compute(key, find, str):
            raise does_not_fit(folder, misfit)

    def not_applicable(self, task: TaskSpec) -> str | None:
        """Why the model cannot do the task; None where it can."""
        if self.meta and task.shots is not None:
            return "it is meta-trained, which leaves it no output layer over words"
        modalities = FAMILIES.get(task.family).modalities
        if self.architecture == "dual-encoder" and modalities and hears(self._config) != (AUDIO in modalities.values()):
            read = "sounds" if hears(self._config) else "images"
            return f"its towers read {read} and texts, and {task.family} is of other items"
        if self.settings is not None and (reason := _items_not_applicable(self.settings.head, task)) is not None:
            return reason
        head = None if self.settings is None or self.settings.is_plain else self.settings.head
        if head is not None and not FAMILIES.get(task.family).trained:
            wanted = head_for(task, self.architecture)  # type: ignore[arg-type]
            return None if head == wanted else f"its head is {head}, {task.family} needs {wanted or 'another model'}"
        if head is not None and task.shots is not None and head not in (*WRITING_HEADS, TOWERS):
            return f"a model with the head {head} is not shown examples"
        if self.settings is None or task.shots is not None:
            return LEARNERS.get(self.model_spec.learner).not_applicable(task, self.model_spec, self.architecture)
        heads = heads_of(task, self.architecture)  # type: ignore[arg-type]
        if self.settings.head not in heads:
            wanted = " or ".join(heads) or "another architecture"
            return f"its head is {self.settings.head}, {task.family} needs {wanted}"
        return None


def _items_not_applicable(head: str, task: TaskSpec) -> str | None:
    """Why a finished model of items cannot do a task in the way that is asked for, and what it can."""
    if not FAMILIES.get(task.family).modalities:
        return None
    if head in ITEM_HEADS and task.shots is not None:
        classes = f"; ask for {task.name.partition(SHOTS_MARK)[0]}" if FAMILIES.get(task.family).trained else ""
        return f"it is a classifier of classes of its own, {head}{classes}"
    if head == TOWERS and task.shots is None:
        return f"its two towers are not trained on a task; ask for {task.name}{SHOTS_MARK}0-shot"
    return None
