"""What a run is asked for: the flags of `harness run`, or a file with the same keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from harness.core.adversarial_spec import AdversarialSpec, with_texts
from harness.core.attack_spec import Attacks
from harness.core.option_values import (
    checked_options,
    checked_resources,
    comma_separated,
    label_pairs,
    named_sources,
    option_pairs,
    tokens_or_task,
)
from harness.core.panels import COMPRESSION, MEASURING, MODELS, OUTPUT, TRAINING, WHAT, WHERE
from harness.core.peft_spec import PeftSpec
from harness.core.placement import ResourceRequest, as_pairs, check_address, resource_request
from harness.core.pretraining_specs import OptimizerName
from harness.core.source_names import SYNTHETIC, canonical
from harness.core.source_specs import ReadingSpec
from harness.core.specs import SHOTS_MARK, TaskName, TrainingSpec
from harness.core.strict_spec import Name, Strict, listed, setting

Fraction = Annotated[float, Field(gt=0, le=1)]
SEED_MODES = {"pr": 3, "nightly": 5, "release": 10}
"""How many seeds a pull request, a nightly run and a release take."""
Count = Annotated[int, Field(ge=1, le=65536)]


Length = Annotated[int | Literal["task"], BeforeValidator(tokens_or_task)]


LARGEST_CORPUS = 1_000_000_000
"""Bytes of a corpus that is looked through for each scored split, some two minutes."""
Mode = Literal["pr", "nightly", "release"]
Names = Annotated[list[str], BeforeValidator(listed)]
Trackers = Names


def tracker_setting() -> Any:
    """The trackers that a verb reports to."""
    return setting(
        list,
        "Report to tensorboard, wandb, mlflow or trackio; PLACE: a folder, a project, an address.",
        panel=OUTPUT, metavar="TRACKER[:PLACE]", aliases=("report_to",),
    )  # fmt: skip


Cluster = Literal["slurm", "local", "debug"]
EXECUTOR_SETTINGS = ("address", "resources", "cluster", "cluster_option", "fsdp", "checkpoint_every")
"""Settings of a run that some executors take and others refuse."""


Device = Literal["auto", "cpu", "cuda"]


DRAWS = 10
"""Draws of few examples, as LEOPARD has them (Bansal et al. 2020)."""
MEASURE_BATCH, MEASURE_LENGTH = 8, 64
"""Rows and tokens of a timed call where a run says nothing else."""
MEASURE_PRECISION = 0.02
"""Half the width of an interval that is narrow enough; that of the protocol."""


class RunSpec(Strict):
    """What one `harness run` is asked for: the flags, or the keys of `--config run.yaml`."""

    suite: Annotated[list[Name], BeforeValidator(listed)] = setting(list, "A suite of tasks, e.g. glue.", panel=WHAT)
    task: Annotated[list[TaskName], BeforeValidator(listed)] = setting(list, "A single task.", panel=WHAT)
    data: Annotated[str, BeforeValidator(canonical)] = setting(
        SYNTHETIC, "synthetic, hub, or a folder or file.", panel=WHAT, metavar="SOURCE"
    )
    text_column: Annotated[list[str], BeforeValidator(listed)] = setting(
        list, "The column of a text, in the order of the task's, or FIELD=COLUMN.", panel=WHAT, metavar="COLUMN"
    )
    label_column: str | None = setting(None, "The column of the labels or answers.", panel=WHAT, metavar="COLUMN")
    delimiter: str | None = setting(
        None, "Of csv files: auto, comma, semicolon, tab, pipe, or a character.", panel=WHAT, shown="auto"
    )
    test: str | None = setting(None, "Score the rows of this file.", panel=WHAT, metavar="FILE")
    dev_fraction: float | None = setting(
        None,
        "The fraction of the training rows that serves as dev where there is no dev split.",
        panel=WHAT,
        shown="0.1",
        aliases=("dev_share",),
        gt=0,
        lt=1,
    )
    folds: int | None = setting(
        None,
        "Cross-validate: train K times, and score each training row by the model that did not see it.",
        panel=WHAT,
        metavar="K",
        ge=2,
        le=1000,
    )
    limit: int | None = setting(None, "Use the first N examples of each split.", panel=WHAT, ge=1)
    allow_dropped: bool = setting(
        False, "Go on where more than 1 % of a split's rows are left out: malformed, or without a label.", panel=WHAT
    )
    noise: Annotated[list[str], BeforeValidator(listed)] = setting(
        list, "Score also under typos, case or punctuation noise.", panel=WHAT
    )
    attack: Attacks = setting(
        list,
        "Score also under an attack on the model: deepwordbug, textfooler, bae:model=FOLDER; options as in "
        "textfooler:queries=200,changed=0.2.",
        panel=WHAT,
        metavar="NAME[:OPTIONS]",
    )
    eval_on: Annotated[list[str], BeforeValidator(named_sources)] = setting(
        list,
        "Score the models also on this task, on which they are not trained; its own data follows =.",
        panel=WHAT,
        metavar="TASK[=SOURCE]",
    )
    checks: Names = setting(list, "Test also the behaviour on changed texts: sentiment, or a YAML file.", panel=WHAT)
    model: Annotated[list[str], BeforeValidator(listed)] = setting(
        list, "A model spec, a save_pretrained folder, a hub id, or an endpoint, openai:URL#NAME.", panel=MODELS
    )
    corpus: Annotated[list[str], BeforeValidator(listed)] = setting(
        list,
        "Pretrain on this corpus, not the model spec's; of several the difference is shown. NAME=SOURCE names it.",
        panel=MODELS,
        metavar="SOURCE",
    )
    from_scratch: bool = setting(False, "Beside each pretrained model its random-init control.", panel=MODELS)
    train: bool = setting(
        True, "Train the models first; without, finished models are scored as they are.", panel=MODELS
    )
    label_map: Annotated[list[str], BeforeValidator(label_pairs)] = setting(
        list,
        "The task's class for one that a model, finished or trained on another task, calls otherwise: "
        "MODEL_LABEL=TASK_LABEL, or a YAML file of such.",
        panel=MODELS,
        metavar="A=B",
    )
    any_corpus: bool = setting(
        False, "Look for the scored examples in a model's corpus whatever its size; else in one of up to 1 GB.",
        panel=MODELS,
    )  # fmt: skip
    allow_partial: bool = setting(
        False, "Go on where a model's weights do not fit its config, with random numbers for the rest.", panel=MODELS
    )
    seeds: int = setting(1, "How many seeds to train with.", panel=TRAINING, ge=1, le=1000)
    first_seed: int = setting(0, "The first of them.", panel=TRAINING, ge=0, lt=2**31)
    epochs: float | None = setting(None, "Instead of the model spec's.", panel=TRAINING, gt=0, le=1000)
    batch_size: int | None = setting(None, "Instead of the model spec's.", panel=TRAINING, ge=1, le=65536)
    optimizer: OptimizerName | None = setting(None, "adamw or adafactor, instead of the model spec's.", panel=TRAINING)
    learning_rate: float | None = setting(None, "Instead of the model spec's.", panel=TRAINING, gt=0, le=10)
    max_length: int | None = setting(
        None, "Tokens of a text that are read, instead of the model spec's; longer ones are cut.", panel=TRAINING,
        ge=4, le=32768,
    )  # fmt: skip
    precision: Literal["auto", "fp32", "bf16"] | None = setting(
        None, "Floats of the training, instead of the model spec's; auto: bf16 where that is faster.", panel=TRAINING
    )
    select: Literal["last", "best"] | None = setting(
        None, "Keep the last epoch, or the best on the scored split.", panel=TRAINING, shown="last"
    )
    peft: PeftSpec | None = setting(
        None, "Train an adapter: lora, dora or ia3, with options as in lora:r=8,alpha=16.", panel=TRAINING,
        metavar="METHOD[:OPTIONS]",
    )  # fmt: skip
    adversarial: AdversarialSpec | None = setting(
        None, "Train on perturbed embeddings too: fgm, pgd, freelb, smart, vat or r-drop, with options as in "
        "freelb:steps=3.", panel=TRAINING, metavar="METHOD[:OPTIONS]",
    )  # fmt: skip
    unlabelled: str | None = setting(
        None,
        "Texts without labels for vat: a file, or task, the training split's rest.",
        panel=TRAINING,
        metavar="FILE",
    )
    train_fractions: Annotated[list[Fraction], BeforeValidator(comma_separated)] = setting(
        list, "Train on these fractions of the examples, e.g. 0.1,1.", panel=TRAINING, metavar="F,…", comma=True
    )
    k_shot: Annotated[list[Count], BeforeValidator(comma_separated)] = setting(
        list, "Train on so many examples of each class, e.g. 4,8,16, as often as --draws says.", panel=TRAINING,
        metavar="K,…", comma=True,
    )  # fmt: skip
    draws: int | None = setting(
        None, "Draws of the examples of --k-shot, each with the seed of its number.", panel=TRAINING, shown=str(DRAWS),
        ge=1, le=1000,
    )  # fmt: skip
    compress: Annotated[list[str], BeforeValidator(listed)] = setting(
        list,
        "Score also what a method makes of each fine-tuned transformer: int8, prune-structured:0.5, distill:MODEL, or "
        "a chain, 'prune-structured:0.5|int8'.",
        panel=COMPRESSION,
        metavar="METHOD",
    )
    measure: bool = setting(
        False,
        "Time each fine-tuned transformer against what --compress made of it, alone, after scoring; without "
        "--compress the first against the others.",
        panel=MEASURING,
    )
    measure_batch: Annotated[list[Count], BeforeValidator(comma_separated)] = setting(
        list, "Rows of a timed call.", panel=MEASURING, metavar="N,…", shown=str(MEASURE_BATCH), comma=True
    )
    measure_length: Annotated[list[Length], BeforeValidator(comma_separated)] = setting(
        list,
        "Tokens of a row; `task`: as the task's own examples are.",
        panel=MEASURING,
        metavar="N,…",
        shown=str(MEASURE_LENGTH),
        comma=True,
    )
    measure_device: Device | None = setting(
        None, "Where models are timed; without it as `harness measure` chooses.", panel=MEASURING
    )
    measure_precision: float | None = setting(
        None,
        "Half the width of an interval that is narrow enough.",
        panel=MEASURING,
        shown=str(MEASURE_PRECISION),
        gt=0,
        lt=1,
    )
    measure_budget: str | None = setting(None, "Of each measuring cell, such as 5m.", panel=MEASURING, metavar="TIME")
    out: str = setting(
        "results", "The results folder, or s3://BUCKET/NAME and the like.", panel=WHERE, metavar="DIR", flag="results"
    )
    verify: bool = setting(
        False, "Read and hash all files anew, data, weights and results, whatever is known of them.", panel=WHERE
    )
    executor: str = setting(
        "local", "What computes: local (processes), inline, ray, submitit (SLURM), or a plug-in's.", panel=WHERE
    )
    address: Annotated[str, AfterValidator(check_address)] | None = setting(
        None, "Of a Ray cluster: auto, HOST:PORT, or local, one of this machine for the time of the run.", panel=WHERE,
        metavar="ADDRESS", shown="local",
    )  # fmt: skip
    resources: Annotated[list[str], BeforeValidator(as_pairs), AfterValidator(checked_resources)] = setting(
        list,
        "What each worker gets on a cluster; memory is estimated where it is not given, other names are resources of "
        "the cluster's own.",
        panel=WHERE,
        metavar="cpu=N,gpu=M,memory=SIZE",
        comma=True,
    )
    cluster: Cluster | None = setting(
        None, "Where submitit runs its jobs: slurm, local (processes) or debug (this process).", panel=WHERE,
        shown="slurm",
    )  # fmt: skip
    cluster_option: Annotated[list[str], BeforeValidator(option_pairs), AfterValidator(checked_options)] = setting(
        list, "A parameter of submitit's jobs, such as timeout_min=240 or slurm_partition=gpu.", panel=WHERE,
        metavar="NAME=VALUE",
    )  # fmt: skip
    fsdp: bool = setting(False, "Under torchrun: shard a model that is fine-tuned over the processes.", panel=WHERE)
    checkpoint_every: int | None = setting(
        None, "Under torchrun: steps of a fine-tuning between checkpoints to go on from.", panel=WHERE,
        shown="some five minutes' worth", ge=1,
    )  # fmt: skip
    workers: int | None = setting(None, "Processes.", panel=WHERE, shown="one per core", ge=1, le=1024)
    threads: int | None = setting(None, "Intra-op threads per process.", panel=WHERE, shown="calibrated", ge=1, le=1024)
    include: Annotated[list[str], BeforeValidator(listed)] = setting(
        list, "More tasks, suites, model specs (YAML) and plug-ins (.py).", panel=WHERE, metavar="PATH"
    )
    track: Trackers = tracker_setting()

    @model_validator(mode="after")
    def _settings_of_measuring_go_with_it(self) -> RunSpec:
        given = [name for name in type(self).model_fields if name.startswith("measure_") and getattr(self, name)]
        if given and not self.measure:
            raise ValueError(f"{given[0]} goes with measure")
        return self

    @model_validator(mode="after")
    def _draws_are_of_few_examples(self) -> RunSpec:
        if self.draws is not None and not self.k_shot:
            raise ValueError("draws goes with k_shot")
        others = ("train_fractions", "folds")
        if self.k_shot and (other := next((name for name in others if getattr(self, name)), None)):
            raise ValueError(f"k_shot and {other}: give one or the other")
        if self.k_shot and self.seeds != 1:
            raise ValueError("k_shot: each draw has a seed of its own; give draws in place of seeds")
        if self.k_shot and not self.train:
            raise ValueError("k_shot goes with models that are trained")
        return self

    @model_validator(mode="after")
    def _label_maps_are_of_models_from_elsewhere(self) -> RunSpec:
        others = self.eval_on or any(SHOTS_MARK in name for name in self.task)
        if self.label_map and self.train and not others:
            raise ValueError("label_map goes with finished models or eval_on: use evaluate, or train: false")
        for pair in self.label_map:
            name, equals, label = pair.partition("=")
            if not (name.strip() and equals and label.strip()):
                raise ValueError(f"label_map: {pair!r} is no MODEL_LABEL=TASK_LABEL")
        if len(self.labels_by_name) < len(self.label_map):
            raise ValueError("label_map: a class of the model is given twice")
        return self

    @model_validator(mode="after")
    def _each_attack_once(self) -> RunSpec:
        methods = [attack.method for attack in self.attack]
        if twice := [method for method in methods if methods.count(method) > 1]:
            raise ValueError(f"attack: {twice[0]} is given twice; other options take another run")
        return self

    @model_validator(mode="after")
    def _one_way_to_score(self) -> RunSpec:
        ways = [name for name in ("test", "dev_fraction", "folds") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)}: give one or the other")
        if self.eval_on and self.folds is not None:
            raise ValueError("folds and eval_on: cross-validated models are of one fold each; give one or the other")
        names = [name for name, _ in self._evaluated]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"eval_on: {twice} is given twice; describe the other data in a task file of its own")
        if self.folds is not None:
            if not self.train:
                raise ValueError("folds does not go with models that are not trained: all rows are scored anyway")
            if self.select == "best" and self.folds < 3:
                raise ValueError("folds: select best takes three or more: one is scored, one chooses the epoch")
        if self.delimiter is not None:
            ReadingSpec(delimiter=self.delimiter)
        return self

    @property
    def _evaluated(self) -> list[tuple[str, str | None]]:
        pairs = [item.partition("=") for item in self.eval_on]
        return [(name.strip(), canonical(source.strip()) if equals else None) for name, equals, source in pairs]

    @property
    def evaluated_on(self) -> dict[str, str | None]:
        """The tasks of `eval_on`, each with the source of its data; None: that of the run."""
        return dict(self._evaluated)

    @property
    def labels_by_name(self) -> dict[str, str]:
        """`label_map` as a mapping."""
        return {name.strip(): label.strip() for name, _, label in (pair.partition("=") for pair in self.label_map)}

    @property
    def largest_corpus(self) -> int | None:
        """Bytes of a corpus that is looked through for the scored examples; None for any."""
        return None if self.any_corpus else LARGEST_CORPUS

    @property
    def resource_request(self) -> ResourceRequest:
        """What each worker gets."""
        return resource_request(self.resources)

    def overrides(self) -> dict[str, Any]:
        """The training values given for this run, by the names of `TrainingSpec`, as JSON has them."""
        plain = {"epochs", "batch_size", "optimizer", "learning_rate", "max_length", "precision", "select"}
        given = self.model_dump(mode="json", include=plain, exclude_none=True)
        methods = {"peft": self.peft, "adversarial": with_texts(self.adversarial, self.unlabelled)}
        return given | {name: str(method) for name, method in methods.items() if method is not None}

    def training(self, of: TrainingSpec) -> TrainingSpec:
        """The training of a model spec with this run's values. A learning rate of all weights is none of an adapter."""
        given = {name: getattr(self, name) for name in self.overrides()}
        given["adversarial"] = with_texts(self.adversarial or of.adversarial, self.unlabelled)
        return of.model_copy(update={**({"learning_rate": None} if self.peft and of.peft is None else {}), **given})
