"""A cell: one unit of work, under the hash of all its result depends on; what each kind needs; and how a model is told
from others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.core import code_identity, plugins
from harness.core.cached_facts import KnownData
from harness.core.cell_records import CorpusFacts
from harness.core.hashing import hash_json
from harness.core.machine.numerics import numerics
from harness.core.method_spec import without_unset
from harness.core.portions import portion_name
from harness.core.run_spec import RunSpec
from harness.core.source_names import SYNTHETIC
from harness.core.specs import ModelSpec, TaskSpec
from harness.measurement.workloads import Workload
from harness.modeling.weights.pretrained import Weights
from harness.training.costs import Work
from harness.training.learners import LEARNERS
from harness.training.processes import Processes

Kind = Literal["pretrain", "meta", "finetune", "compress", "attack", "score", "contamination", "measure"]


@dataclass(frozen=True)
class TaskInput:
    """A task's data as a plan saw it.

    Attributes:
        task: The task.
        source: `synthetic`, `hub`, or a path.
        limit: The first rows of each split that are read; None for all.
        facts: What the plan knows of the data (`planner.data_facts`).
        splits: Those the cell uses, whose fingerprints must be as planned.
    """

    task: TaskSpec
    source: str
    limit: int | None
    facts: KnownData
    splits: tuple[str, ...]


@dataclass(frozen=True)
class PretrainJob:
    """What pretraining needs: the model spec, what is known of its corpus, and the folder `pretrained` of a checkpoint
    that it goes on from. The others are for `harness pretrain`: `observe` gets values by step while it trains.
    """

    kind: ClassVar[Kind] = "pretrain"
    model_spec: ModelSpec
    corpus: Mapping[str, Any]
    model: Mapping[str, Any]
    observe: Callable[[int, Mapping[str, float]], None] | None = None
    resume: bool = True
    sharded: bool = False
    pretrained: Path | None = None


@dataclass(frozen=True)
class MetaJob:
    """What meta-training needs: the tasks, and where it starts, as `FinetuneJob` has it."""

    kind: ClassVar[Kind] = "meta"
    model_spec: ModelSpec
    inputs: tuple[TaskInput, ...]
    model: Mapping[str, Any]
    pretrained: Path | None = None
    checkpoint: str | None = None
    resume: bool = True


@dataclass(frozen=True)
class FinetuneJob:
    """What fine-tuning needs. Where it starts: the folder `pretrained`, or the pretrain cell `checkpoint`; neither for
    random weights. `fraction` of the training examples, or `k_shot` of each class, is drawn by `seed`. `fold`: the
    first of so many folds, from 0, is left out. `partial`: weights that do not fit are no error. Of several
    `processes` that fit together the first one calls the others by `summon`.
    """

    kind: ClassVar[Kind] = "finetune"
    inputs: TaskInput
    model_spec: ModelSpec
    model: Mapping[str, Any]
    seed: int
    fraction: float = 1.0
    pretrained: Path | None = None
    checkpoint: str | None = None
    partial: bool = False
    fold: tuple[int, int] | None = None
    k_shot: int | None = None
    processes: Processes | None = None
    summon: Callable[[], None] | None = None


@dataclass(frozen=True)
class StudentJob:
    """A student to distil into, and where it starts, as `FinetuneJob` has it."""

    model_spec: ModelSpec
    pretrained: Path | None
    checkpoint: str | None
    partial: bool = False


@dataclass(frozen=True)
class CompressJob:
    """What compression needs: the chain `steps` of methods with their options, written as `method`, the finetune cell
    `source`, and the model spec it was trained by. `inputs` where a method looks at examples. Of a model that is not
    trained on a task there is no `source`, but where its weights are, as `FinetuneJob` has it; `fold` as there.
    """

    kind: ClassVar[Kind] = "compress"
    source: str | None
    method: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...]
    model_spec: ModelSpec
    model: Mapping[str, Any]
    seed: int
    fraction: float = 1.0
    inputs: TaskInput | None = None
    student: StudentJob | None = None
    pretrained: Path | None = None
    checkpoint: str | None = None
    partial: bool = False
    fold: tuple[int, int] | None = None
    k_shot: int | None = None


@dataclass(frozen=True)
class ScoreJob:
    """What scoring a split needs: the cell `source` that made the model or, for one that is not trained here, where its
    weights are, as `FinetuneJob` has it; of an object of the calling program `pretrained` is its identity. `label_map`
    names the task's class for one that a finished model calls otherwise. `folds` are the cells that made the model of
    each fold, for cross-validation. `held_out`: of the split, the rows of one fold of so many, from 0, are scored.
    `options` are those of the model spec of a model in no folder. `trained_labels` are the classes of a model that was
    trained on another task, where they are not those of this one: `label_map` has one for each of them. Under an attack
    `parts` are the cells that attacked the examples, in their order.
    """

    kind: ClassVar[Kind] = "score"
    inputs: TaskInput
    split: str
    learner: str
    model: Mapping[str, Any]
    seed: int
    source: str | None = None
    pretrained: Path | None = None
    checkpoint: str | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    folds: tuple[str, ...] = ()
    held_out: tuple[int, int] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    trained_labels: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class AttackJob(ScoreJob):
    """What attacking a part of the examples needs: what scoring them needs, and the first row and the one behind the
    last.
    """

    kind: ClassVar[Kind] = "attack"
    rows: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class MeasuredModel:
    """A model to time: its name in the record, the cell that made it, and the fine-tuning behind it."""

    name: str
    cell: str
    finetune: str


@dataclass(frozen=True)
class MeasureJob:
    """What timing needs: the original, then its candidates; the workloads; settings of `measurement.job.Request`."""

    kind: ClassVar[Kind] = "measure"
    task: str
    model: Mapping[str, Any]
    models: tuple[MeasuredModel, ...]
    workloads: tuple[Workload, ...]
    settings: Mapping[str, Any]
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContaminationJob:
    """What telling clean examples from dirty ones needs: the scored split, the cells `scores` of a model that scored
    it, one a seed, and what the model learned from: the training split, a corpus, or the tasks that it was meta-trained
    on. A corpus of more than `largest` bytes is not looked through.
    """

    kind: ClassVar[Kind] = "contamination"
    inputs: TaskInput
    split: str
    scores: tuple[str, ...]
    model: Mapping[str, Any]
    corpus: CorpusFacts | None = None
    largest: int | None = None
    tasks: tuple[TaskInput, ...] = ()


Job = PretrainJob | MetaJob | FinetuneJob | CompressJob | ScoreJob | AttackJob | ContaminationJob | MeasureJob


@dataclass(frozen=True)
class Cell:
    """One unit of work.

    Attributes:
        key: The hash of `spec`.
        spec: All the result depends on, by content, as its record keeps it.
        job: What a step needs to compute it.
        needs: Keys of the cells that come first.
        task: The task's name; empty for pretraining.
        model: What the run calls the model.
        seed: Of the training or of what is drawn.
        split: The split that is scored.
        work: What it is estimated to cost; None where unknown.
        fraction: Of the training examples.
        k_shot: How many of each class they are, where that was asked for.
        seconds: The least and the most of a cell that takes its time whatever the machine can do.
    """

    key: str
    spec: Mapping[str, Any]
    job: Job
    needs: tuple[str, ...]
    task: str
    model: str
    seed: int
    split: str | None = None
    work: Work | None = None
    fraction: float = 1.0
    seconds: tuple[float, float] | None = None
    k_shot: int | None = None

    @property
    def kind(self) -> Kind:
        return self.job.kind

    @property
    def label(self) -> str:
        fraction = portion_name(self.fraction, self.k_shot)
        fold = getattr(self.job, "fold", None)
        left_out = f"fold {fold[0] + 1} of {fold[1]}" if fold else ""
        rows = f"examples {self.job.rows[0] + 1} to {self.job.rows[1]}" if isinstance(self.job, AttackJob) else ""
        named = (self.kind, self.task, self.model, fraction, f"seed {self.seed}", left_out, rows)
        parts = [part for part in named if part]
        return " ".join([*parts, self.split] if self.split and self.split != "dev" else parts)


@dataclass(frozen=True)
class Event:
    """What happened to a cell: `started`, `progress`, `done`, `cached`, `failed`, `skipped`.

    `fraction` (0..1) of it is done; `summary` is what a progress line shows of its record; `cause` is a failure's.
    """

    kind: str
    cell: Cell
    fraction: float = 0.0
    detail: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a fine-tuned model starts: weights found, or the cell of a checkpoint, pretrained on a corpus or
    meta-trained; neither for random weights.
    """

    weights: Weights | None = None
    corpus: Mapping[str, Any] | None = None
    cell: Cell | None = None

    @property
    def folder(self) -> Path | None:
        return self.weights.folder if self.weights else None

    @property
    def partial(self) -> bool:
        return self.weights is not None and self.weights.partial

    @property
    def checkpoint(self) -> str | None:
        return self.cell.key if self.cell else None


def machine_of(model_spec: ModelSpec, threads: int | None) -> dict[str, Any]:
    """The part of a cell's spec that says on what machine its floats are computed; empty of a learner that is exact."""
    return {} if LEARNERS.get(model_spec.learner).exact else {"machine": numerics(threads)}


def seeded(model_spec: ModelSpec, seed: int) -> ModelSpec:
    """Random weights are drawn anew for each seed; a checkpoint, pretrained or meta-trained, is one for all."""
    if model_spec.pretraining and model_spec.pretraining.steps == 0 and model_spec.meta is None:
        return model_spec.model_copy(update={"pretraining": model_spec.pretraining.model_copy(update={"seed": seed})})
    return model_spec


def model_identity(model_spec: ModelSpec, origin: Origin) -> dict[str, Any]:
    """What a model spec computes, without what it is called."""
    identity = model_spec.model_dump(mode="json", include={"learner", "config", "tokenizer", "training", "options"})
    identity["training"] = without_unset(identity["training"])
    if model_spec.tokenizer is not None and model_spec.tokenizer.corpus == SYNTHETIC:
        identity["corpus"] = code_identity.identity("harness.data.synthetic")
    if model_spec.pretraining and origin.corpus:
        identity |= {"pretraining": model_spec.pretraining.identity(), "corpus": origin.corpus["fingerprint"]}
    if model_spec.meta:
        identity["meta"] = model_spec.meta.identity() | model_spec.meta.model_dump(include={"tasks", "data", "limit"})
    return identity | {"weights": origin.weights.identity if origin.weights else None}


def model_record(model_spec: ModelSpec, name: str, origin: Origin, run: RunSpec) -> dict[str, Any]:
    """What a plan knows of a model: what its records say of it, and what the run calls it (`harness.core.runs`). `id`
    tells apart what must not be averaged; it knows no seed of fine-tuning.
    """
    return {
        "name": name,
        "id": hash_json([name, model_identity(seeded(model_spec, 0), origin)]),
        "learner": model_spec.learner,
        "overrides": run.overrides() if not LEARNERS.get(model_spec.learner).deterministic else {},
        "pretrained": model_spec.pretrained,
        "revision": model_spec.revision,
        "weights": origin.weights.fingerprint if origin.weights else None,
    }


def held_out_name(count: int) -> str:
    """What the part of a training split is called that one model of so many folds did not see."""
    return f"held-out-{count}"


def folds_name(count: int) -> str:
    """What a training split is called that is scored by cross-validation."""
    return f"{count}-fold"


def code_of(step: str, *used: tuple[str, str]) -> str:
    """The identity of the code a cell depends on: that of its step, and of the plug-ins it uses, as (kind, name)."""
    sources = (plugins.table(kind).source(name) for kind, name in used)
    return code_identity.identity(f"harness.pipeline.steps.{step}", *sources)
