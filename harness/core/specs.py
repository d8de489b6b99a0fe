"""The data classes at the edges: task, suite, model spec and run, as their YAML files give them. Strict: unknown keys
are errors.
"""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, field_validator, model_validator

from harness.core.adversarial_spec import AdversarialSpec
from harness.core.attack_spec import AttackSpec
from harness.core.augment_spec import AugmentSpec
from harness.core.cards import ModelCard, TaskCard
from harness.core.checks_spec import ChecksSpec
from harness.core.decoding_spec import DecodingSpec
from harness.core.meta_spec import MetaSpec
from harness.core.peft_spec import PeftSpec
from harness.core.pretraining_specs import GOING_ON_RATE, OptimizerName, PretrainingSpec, TokenizerSpec
from harness.core.source_specs import Columns, ReadingSpec, Sources
from harness.core.strict_spec import Name, Strict, listed

NOISE_MARK = "+"
SHOTS_MARK = "@"
"""Stands before the number of examples shown, `sst2@0-shot`, or the task whose model is scored, `mr@sst2`."""
LIBRARY_MARK = ":"
"""Stands between the name of a task library and that of what it is asked for: `lm_eval:hellaswag`."""
OF_LIBRARY = r"[A-Za-z0-9_]+:[A-Za-z0-9][A-Za-z0-9._/:-]*"
TaskName = Annotated[
    str,
    Field(pattern=rf"^([A-Za-z0-9][A-Za-z0-9._-]*|{OF_LIBRARY})(@[A-Za-z0-9][A-Za-z0-9._-]*)?(\+[A-Za-z0-9._-]*)?$"),
]
"""A task; one whose model is shown examples instead of being trained, `sst2@0-shot`; one that is scored with the model
of another, `mr@sst2`; any of them under noise or an attack, `sst2+typos`, `sst2+textfooler`; one of a task library,
`lm_eval:hellaswag`.
"""
MetricName = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*|[A-Za-z0-9_]+:[^\s:][^\n]*)$")]
"""A metric; one of a task library, `lm_eval:acc_norm`."""


class TaskSpec(Strict):
    """What is learned and scored. One YAML file in `tasks/`.

    `fields` maps the family's canonical fields (and its target: `label`, `answers`, `summary`, …) to column names; a
    list gives alternatives, tried in order. For a target in words every column listed that is there holds a reference.
    `labels` names the classes by id; left out, they are inferred from the training split in sorted order.
    `reading` says how files are read and what is scored where they hold no dev split.
    `label_aliases` maps other spellings found in sources to those names; `missing_labels` lists what marks a row
    without a label, such as the `-` of pairs on which annotators disagreed: these rows are left out and counted.
    `train_on` names the task whose model is scored here (a diagnostic set has no training data of its own), as a name
    such as `mr@sst2` does of any task. `train`
    and `eval` name splits. `primary_metrics` (once `headline`) are the metrics that a task's score is the mean of, all
    where left out. `prompt` is how a
    model that reads and writes text is asked, with the fields in braces, and `prompt_trained`, where given, how one is
    that is trained to answer: T5's own, shorter ones. `templates` are the texts that an item is compared with for each
    class, with `{label}` for its name or verbalizer; of several the mean of their vectors. `verbalizers` are the words
    that stand for the classes in its
    answer, the label names where left out. `shots`, set by a name such as `sst2@0-shot`: the model
    is not trained on the task, but shown so many examples. `noise`, set by a name such as `sst2+typos`: the model of
    the task without noise is scored on perturbed texts (`harness.data.noise`); `attack`, by `sst2+textfooler`, on what
    an attack makes of them (`harness.attacks`); `checks`, of a run, are tests of its behaviour on changed texts
    (`harness.data.behaviour`). `label_of` says what a label is about:
    a text's meaning, or its form, as acceptability is; it limits what augmentation may change. `grouped_by` is the
    column, or several in braces, that names what rows are scored together by metrics of groups, such as the question
    that answers are to; intervals draw groups then. `card` describes the data set for a reader.
    """

    name: TaskName
    version: int = Field(default=1, ge=1)
    family: Name
    description: str = ""
    fields: Columns
    labels: list[str] | None = None
    label_aliases: dict[str, str] = {}
    missing_labels: list[str] = []
    label_range: tuple[float, float] | None = None
    sources: Sources = Sources()
    reading: ReadingSpec = ReadingSpec()
    train: str = "train"
    eval: Annotated[list[str], BeforeValidator(listed), Field(min_length=1)] = ["dev"]
    train_on: Name | None = None
    metrics: list[MetricName] = Field(min_length=1)
    primary_metrics: list[MetricName] = Field(
        default_factory=list, validation_alias=AliasChoices("primary_metrics", "headline")
    )
    prompt: str | None = None
    prompt_trained: str | None = None
    templates: list[str] = []
    verbalizers: dict[str, str] = {}
    decoding: DecodingSpec = DecodingSpec()
    shots: int | None = Field(default=None, ge=0)
    noise: str | None = None
    attack: AttackSpec | None = None
    checks: ChecksSpec | None = None
    label_of: Literal["meaning", "form"] = "meaning"
    grouped_by: str | None = None
    card: TaskCard = TaskCard()

    @property
    def clean(self) -> TaskSpec:
        """The task without noise and attack."""
        return self.model_copy(
            update={"name": self.name.partition(NOISE_MARK)[0], "noise": None, "attack": None, "checks": None}
        )

    @property
    def perturbation(self) -> str | None:
        """The noise, the attack or the tests of behaviour it is scored under."""
        named = self.checks.name if self.checks else None
        return named or (self.noise if self.attack is None else self.attack.method)

    @property
    def scored_by(self) -> list[str]:
        """Its metrics; of tests of behaviour how many are passed."""
        return self.metrics if self.checks is None else ["pass_rate"]

    @property
    def group_columns(self) -> Columns:
        """The column of groups, where it has some."""
        return {"grouped_by": self.grouped_by} if self.grouped_by else {}

    @property
    def library(self) -> str | None:
        """The name of the task library it is from."""
        library, mark, _ = self.name.partition(LIBRARY_MARK)
        return library if mark else None

    @field_validator("prompt", "prompt_trained")
    @classmethod
    def _shows_fields_as_they_are(cls, prompt: str | None) -> str | None:
        try:
            shown = [part[1:] for part in Formatter().parse(prompt or "") if part[1] is not None]
        except ValueError as error:
            raise ValueError(f"its braces do not match: {error}") from None
        for name, width, conversion in shown:
            if width or conversion or not str(name).isidentifier():
                raise ValueError(
                    f"in braces stands the name of a field alone, such as {{text}}, not {{{name}}} with more"
                )
        return prompt

    @field_validator("templates")
    @classmethod
    def _names_the_class(cls, templates: list[str]) -> list[str]:
        for template in templates:
            if template.count("{label}") != 1 or set(template.replace("{label}", "")) & set("{}"):
                raise ValueError(f"{template!r}: a template has {{label}} in it once, and no other braces")
        return templates

    @model_validator(mode="after")
    def _labels_are_consistent(self) -> TaskSpec:
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a name is given twice")
        for alias, label in self.label_aliases.items():
            if self.labels is None or label not in self.labels:
                raise ValueError(f"label_aliases: '{alias}' stands for '{label}', which is not in labels")
        if both := sorted(set(self.missing_labels) & {*(self.labels or ()), *self.label_aliases}):
            raise ValueError(f"missing_labels: '{both[0]}' is a label of the task as well")
        if len(set(self.metrics)) != len(self.metrics):
            raise ValueError("metrics: a name is given twice")
        if unknown_names := set(self.primary_metrics) - set(self.metrics):
            raise ValueError(f"primary_metrics: not among metrics: {', '.join(sorted(unknown_names))}")
        if unknown_names := {published.metric for published in self.card.published} - set(self.metrics):
            raise ValueError(f"card.published: not among metrics: {', '.join(sorted(unknown_names))}")
        unknown_names = set(self.verbalizers) - set(self.labels or ())
        if unknown_names:
            raise ValueError(f"verbalizers: not among labels: {', '.join(sorted(unknown_names))}")
        return self


Margin = Annotated[float, Field(ge=0, le=1)]


class Margins(Strict):
    """Drops that count, as fractions of a metric's scale: what a suite says of its tasks and metrics; see
    `GateSpec`.
    """

    margin: Margin | None = None
    ok_margin: Margin | None = None
    tasks: dict[TaskName, Margin] = {}
    metrics: dict[Name, Margin] = {}


class SuiteSpec(Strict):
    """A named list of tasks. `average` lists the tasks of the macro-average (all of `tasks` when left out); the
    others are diagnostics; it weighs tasks alike, or `average_by` their scored examples. `models` are the model specs
    of a run that names none, `limit` the number of examples of
    each split that a run reads which says nothing else. `margins` are for the gate; a baseline keeps them.
    """

    name: Name
    version: int = Field(default=1, ge=1)
    description: str = ""
    tasks: list[TaskName] = Field(min_length=1)
    average: list[TaskName] | None = None
    average_by: Literal["tasks", "examples"] = "tasks"
    models: list[Name] = []
    limit: int | None = Field(default=None, ge=1)
    margins: Margins = Margins()

    @model_validator(mode="after")
    def _average_is_of_its_tasks(self) -> SuiteSpec:
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks: a name is given twice")
        unknown_names = set(self.average or []) - set(self.tasks)
        if unknown_names:
            raise ValueError(f"average: not among tasks: {', '.join(sorted(unknown_names))}")
        if unknown_names := set(self.margins.tasks) - set(self.tasks):
            raise ValueError(f"margins.tasks: not among tasks: {', '.join(sorted(unknown_names))}")
        return self

    @property
    def averaged(self) -> list[str]:
        return list(self.average if self.average is not None else self.tasks)


class TrainingSpec(Strict):
    """How a model is fine-tuned. Overrides on the command line replace single values.

    Left out, `epochs`, `learning_rate` and `max_length` are chosen by the size of the training split and of the model
    (`harness.training.defaults`); the record of a fit has what they were. Longer texts are cut, and counted.
    `batch_size` is the number of examples an optimizer step sees on average: batches are filled to a token budget of
    `batch_size` times the mean length, so that short examples share a batch and long ones do not pay for padding.
    With the optimizer `adafactor` the learning rate is relative to the size of each weight: 0.01 rather than 1e-4.
    `augment` makes further examples of those of the training split. `peft` trains an adapter and the head alone, with
    a learning rate of its own where that is left out. `label_smoothing` gives that part of each target
    to all classes or tokens alike (Szegedy et al. 2016). `average_last` keeps the mean of the weights that the last so
    many epochs end with (Izmailov et al. 2018), in place of the last ones. `adversarial` trains on perturbed embeddings
    as well. `gradient_checkpointing` keeps the inputs of layers alone and computes their activations again
    (Chen et al. 2016): less memory, the same weights. `compile` trains what `torch.compile` makes of the model,
    with `auto` where that is estimated to pay back on this machine within the fine-tuning.
    """

    epochs: float | None = Field(default=None, gt=0, le=1000)
    batch_size: int = Field(default=32, ge=1, le=65536)
    optimizer: OptimizerName = "adamw"
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    warmup_ratio: float = Field(default=0.06, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_length: int | None = Field(default=None, ge=4, le=32768)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    select: Literal["last", "best"] = "last"
    augment: AugmentSpec | None = None
    peft: PeftSpec | None = None
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    average_last: int | None = Field(default=None, ge=2, le=1000)
    adversarial: AdversarialSpec | None = None
    gradient_checkpointing: bool = False
    compile: bool | Literal["auto"] = False

    @model_validator(mode="after")
    def _one_choice_of_weights(self) -> TrainingSpec:
        if self.adversarial is not None and self.compile is True:
            raise ValueError("compile does not go with adversarial: a compiled model's embeddings are not perturbed")
        if self.average_last is not None and self.select == "best":
            raise ValueError("average_last and select: best choose the weights that are kept: give one or the other")
        if self.average_last is not None and self.epochs is not None and self.average_last > self.epochs:
            raise ValueError(f"average_last: there are {self.epochs:g} epochs, not {self.average_last}")
        return self


class ModelSpec(Strict):
    """A model one can ask for by name. One YAML file in `baselines/`.

    `learner` names the code that fits and predicts (`majority`, `tfidf`, `transformer`, or a plug-in's). For
    `transformer`, either `pretrained` (a local `save_pretrained` folder or a hub id, with `revision`) or `config` (a
    `transformers` config: `model_type` and its arguments) and `tokenizer` for a model trained from scratch. Either is
    trained on unlabelled text first where there is a section `pretraining`, and then on several tasks where there is
    `meta`; a checkpoint keeps its tokenizer. `options` goes to the learner as it is. `default` puts the model spec in a
    run that names no model. `card` describes the model for a reader.
    """

    name: Name
    version: int = Field(default=1, ge=1)
    description: str = ""
    learner: Name
    pretrained: str | None = None
    revision: str | None = None
    config: dict[str, Any] | None = None
    tokenizer: TokenizerSpec | None = None
    pretraining: PretrainingSpec | None = None
    meta: MetaSpec | None = None
    training: TrainingSpec = TrainingSpec()
    options: dict[str, Any] = {}
    default: bool = False
    card: ModelCard = ModelCard()

    @model_validator(mode="before")
    @classmethod
    def _slower_from_a_checkpoint(cls, values: Any) -> Any:
        settings = values.get("pretraining") if isinstance(values, dict) and values.get("pretrained") else None
        if not isinstance(settings, dict):
            return values
        return {**values, "pretraining": {"learning_rate": GOING_ON_RATE, **settings}}

    @model_validator(mode="after")
    def _one_origin(self) -> ModelSpec:
        if self.pretrained and self.config:
            raise ValueError("give either pretrained or config, not both")
        if self.config is not None and "model_type" not in self.config:
            raise ValueError("config: model_type is missing (e.g. bert)")
        if self.pretraining is not None and self.config is None and self.pretrained is None:
            raise ValueError(
                "pretraining: it needs config and tokenizer, a model to build, or pretrained, a checkpoint"
            )
        if self.pretraining is not None and self.pretrained is not None:
            self._check_going_on(self.pretraining)
        elif self.pretraining is not None and self.pretraining.peft is not None:
            raise ValueError("pretraining: peft: an adapter takes pretrained weights, and these are random ones")
        on_corpus = self.tokenizer is not None and self.tokenizer.corpus == "pretraining"
        if self.tokenizer is not None and on_corpus != (self.pretraining is not None and self.config is not None):
            raise ValueError("tokenizer.corpus is 'pretraining' where the model spec has pretraining, and only there")
        if self.meta is not None and not (self.pretrained or self.pretraining):
            raise ValueError("meta: it starts from pretrained or pretraining (steps: 0 for random weights)")
        if self.revision and not self.pretrained:
            raise ValueError("revision goes with pretrained")
        return self

    def _check_going_on(self, settings: PretrainingSpec) -> None:
        if self.tokenizer is not None:
            raise ValueError("tokenizer: that of the checkpoint is kept; leave it out")
        if settings.steps == 0:
            raise ValueError("pretraining: 0 steps leave the checkpoint as it is; leave pretraining out")
