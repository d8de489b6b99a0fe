"""The records of cells that pretrain, fine-tune, compress and score."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from harness.core.attack_records import AttackFacts, CheckFacts
from harness.core.facts import Bounds, CellRecord, Facts, Interval, MachineFacts, PrecisionFacts, shared
from harness.core.portions import portion_name


class TaskFacts(Facts):
    """The task of a cell. Its score is the mean of `primary_metrics`; `train_on` is another whose model is scored."""

    name: str
    version: int = 1
    family: str = ""
    primary_metrics: list[str] = Field(default_factory=list, alias="headline")
    noise: str | None = None
    train_on: str | None = None
    attack: str | None = None
    checks: str | None = None

    @property
    def perturbation(self) -> str | None:
        return self.checks or self.attack or self.noise


class PartialWeights(Facts):
    """What of a checkpoint did not fit its config, and is random."""

    summary: str = ""


class ModelFacts(Facts):
    """The model of a cell: what it is, and what a run calls it (`harness.core.runs`)."""

    name: str = ""
    id: str = ""
    learner: str = ""
    overrides: dict[str, Any] = Field(default_factory=dict)
    pretrained: str | None = None
    revision: str | None = None
    weights: str | None = None
    parameters: int | None = None
    runtime: str | None = None
    original: str | None = None
    original_id: str | None = None
    method: str | None = None
    partial_weights: PartialWeights | None = None


class SplitFacts(Facts):
    """A split of a task's data. `clean` is the fingerprint without noise or attack."""

    fingerprint: str = ""
    n: int = 0
    labelled: bool = True
    words: int = 0
    clean: str | None = None


class DataFacts(Facts):
    """Data of a cell. `fingerprint` is of all that its result rests on, `k_shot` of those trained on in each class."""

    source: str
    location: str = ""
    limit: int | None = None
    fingerprint: str = ""
    train_fraction: float = 1.0
    k_shot: int | None = None
    splits: dict[str, SplitFacts] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    @property
    def portion(self) -> float | str:
        """What tells scores of models that were trained on more or fewer examples apart."""
        return portion_name(self.train_fraction, self.k_shot) if self.k_shot is not None else self.train_fraction


class ScoredData(DataFacts):
    """`trained_on` are the fingerprints of the splits the model learned from, by name."""

    trained_on: dict[str, str] | None = None


class TrainedData(DataFacts):
    """`trained_on` is a number of examples."""

    trained_on: int = 0


class CorpusPlace(Facts):
    """What a corpus was asked for by: its source, how much of a generated one, the field of its texts."""

    corpus: str
    sentences: int = 20_000
    field: str = "text"


class CorpusFacts(Facts):
    """A corpus that a model was pretrained on."""

    source: str = ""
    location: str = ""
    documents: int = 0
    bytes: int = 0
    fingerprint: str = ""
    augmented_documents: int | None = None
    asked: CorpusPlace | None = None


class ScoreFacts(Interval):
    """A score with its interval over examples. `bounds` are those of the metric's scale, None for none."""

    alike = False
    level: float = 0.95
    method: str = ""
    n: int = 0
    chance: float | None = None
    ceiling: Interval | None = None
    bounds: Bounds = Field(default=[0.0, 1.0])
    greater_is_better: bool = True
    version: int = 1

    @property
    def scale(self) -> tuple[float, float | None]:
        low, high = self.bounds
        return -math.inf if low is None else low, high


class Selection(Facts):
    """Which weights of a training were kept."""

    alike = True
    mode: str = "last"
    note: str | None = None


class FoldLineage(Facts):
    """The cells of the model that scored a fold."""

    finetune: str | None = None
    compress: str | None = None


class Lineage(Facts):
    """The cells a model came from, by kind, and the hash of the weights it started from; of a cross-validated score
    those of the model of each fold. `remote`: the model is behind a server, and this hash is of what that says of it.
    """

    pretrain: str | None = None
    meta: str | None = None
    finetune: str | None = None
    compress: str | None = None
    student: str | None = None
    weights: str | None = None
    remote: str | None = None
    folds: list[FoldLineage] = Field(default_factory=list)

    @property
    def first(self) -> Lineage:
        """That of the first fold's model, which stands for all in size and speed; where there are no folds, its own."""
        if not self.folds:
            return self
        return self.model_copy(update={"finetune": self.folds[0].finetune, "compress": self.folds[0].compress})

    @property
    def maker(self) -> str | None:
        """The cell that made the model of a score, the last one; None of one that was not trained for it."""
        return self.compress or self.finetune or None

    @property
    def cells(self) -> dict[str, str]:
        """Those of models, by kind, in the order they were made."""
        keys = {kind: getattr(self, kind) for kind in ("pretrain", "meta", "finetune", "compress")}
        return {kind: key for kind, key in keys.items() if key}


class PredictionFacts(Facts):
    file: str = ""
    sha256: str = ""


class ModelRecord(CellRecord):
    """What the records have of cells whose result is of a model."""

    model: ModelFacts = shared(ModelFacts())


class ReadingFacts(Facts):
    """How much of the texts a model read; see `harness.core.predictions.Reading`."""

    examples: int = 0
    truncated: int = 0
    max_length: int = 0
    tokens: int = 0
    unknown: int = 0


class ScoreRecord(ModelRecord):
    """A model's predictions on a split, scored."""

    task: TaskFacts
    split: str
    n: int
    data: ScoredData
    scores: dict[str, ScoreFacts]
    predictions: PredictionFacts | None = None
    decoding: dict[str, Any] = Field(default_factory=dict)
    read: ReadingFacts | None = None
    machine: MachineFacts = shared(MachineFacts())
    precision: PrecisionFacts = shared(PrecisionFacts())
    runtime: str | None = None
    selection: Selection = shared(Selection())
    cautions: list[str] = Field(default_factory=list)
    lineage: Lineage = shared(Lineage())
    attack: AttackFacts | None = None
    checks: list[CheckFacts] = Field(default_factory=list)

    @property
    def primary_metrics(self) -> list[str]:
        """Those a task's score is the mean of."""
        return self.task.primary_metrics or list(self.scores)


class CleanAndDirty(Facts):
    """A score on the clean and on the dirty examples, means over seeds, and the difference dirty − clean with its
    interval over examples. None: too few examples for it.
    """

    clean: float | None = None
    dirty: float | None = None
    difference: Interval | None = None


class ContaminationRecord(ModelRecord):
    """Which examples of a scored split stand in what the model learned from, and what it scores without and with them.

    Attributes:
        of: `corpus`: what it was pretrained on. `tasks`: meta-trained on. `train`: what it was fine-tuned on.
        location: The corpus's, or the training split's name.
        fingerprint: Of the corpus, or of the training split.
        dirty: The ids of the examples that were found.
        not_judged: Examples that are too short to be looked for.
        common: Examples that are phrases which stand everywhere; they count as clean.
        scored: The score cells, one a seed.
        by_metric: What the model scores.
        reason: Why nothing was looked for; empty where something was.
    """

    task: TaskFacts
    split: str
    of: str
    location: str = ""
    fingerprint: str = ""
    n: int
    dirty: list[str] = Field(default_factory=list)
    exact: int = 0
    not_judged: int = 0
    common: int = 0
    scored: list[str] = Field(default_factory=list)
    by_metric: dict[str, CleanAndDirty] = Field(default_factory=dict)
    reason: str = ""


class AugmentFacts(Facts):
    """The further training examples that were made.

    Attributes:
        operations: All of them.
        each: `once`: the same in all epochs; `epoch`: others in each. The numbers are of the first.
        examples: Those of the training split.
        augmented: Copies that differ from their example.
        unchanged: Copies that do not, since nothing could be done.
        refused: Copies in which an answer would have been touched.
        by_operation: Copies that each operation has changed.
        notes: What can be wrong with their labels.
    """

    operations: list[str] = Field(default_factory=list)
    each: str = "once"
    examples: int = 0
    augmented: int = 0
    unchanged: int = 0
    refused: int = 0
    by_operation: dict[str, int] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)


class FitFacts(Facts):
    """How a model was fine-tuned: of a learner that trains in steps more than of others."""

    parameters: int | None = None
    selection: Selection | None = None
    steps: int | None = None
    precision: str | None = None
    device: str | None = None
    compiled: bool = False
    runtime: str | None = None
    cautions: list[str] = Field(default_factory=list)
    augment: AugmentFacts | None = None
    peft: str | None = None
    trainable_parameters: int | None = None


class FitRecord(ModelRecord):
    """A model fitted to a task."""

    task: TaskFacts
    data: TrainedData
    fit: FitFacts
    lineage: Lineage = shared(Lineage())


class WeightFacts(Facts):
    """A model's weights. None: a weight file is in no format that is read here."""

    runtime: str = ""
    parameters: int | None = None
    nonzero: int | None = None
    bytes: int = 0


class UnitCounts(Facts):
    """Heads, neurons or layers."""

    before: int
    after: int


class StepFacts(Facts):
    """What a compression method did: numbers of layers in `coverage`, of `units` before and after."""

    method: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    coverage: dict[str, Any] = Field(default_factory=dict)
    sparsity: float = 0.0
    units: dict[str, UnitCounts] = Field(default_factory=dict)
    student: str | None = None
    fit: FitFacts = shared(FitFacts())


class CompressionFacts(Facts):
    method: str
    runtime: str
    steps: list[StepFacts] = Field(default_factory=list)
    before: WeightFacts
    after: WeightFacts
    notes: list[str] = Field(default_factory=list)


class CompressRecord(FitRecord):
    """A smaller model made of another one; without a task and data where that was not fine-tuned on any."""

    task: TaskFacts = shared(TaskFacts(name=""))
    data: TrainedData = shared(TrainedData(source=""))
    fit: FitFacts = shared(FitFacts())
    compression: CompressionFacts


class BudgetFacts(Facts):
    planned_seconds: float = 0.0
    real_seconds: float = 0.0


class PretrainFacts(Facts):
    steps: int = 0
    tokens: int = 0
    unit: str = "tokens"
    epochs: float = 0.0
    loss: float | None = None
    precision: str | None = None
    device: str | None = None
    budget: BudgetFacts | None = None


class HeldOutScore(Interval):
    """A score on held-out text."""

    alike = False
    level: float = 0.95
    n: int = 0
    over: str = ""
    chance: float | None = None
    greater_is_better: bool = True


class PretrainRecord(ModelRecord):
    """A checkpoint made of text."""

    objective: str = ""
    data: CorpusFacts = shared(CorpusFacts())
    scores: dict[str, HeldOutScore] = Field(default_factory=dict)
    fit: PretrainFacts = shared(PretrainFacts())
