"""The cells of one model on one task: fine-tuning and scoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness.compression import COMPRESSORS
from harness.core.adversarial_spec import REST
from harness.core.cached_facts import KnownData
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, TaskSpec
from harness.data.attacked import attack_identity
from harness.data.augment.expand import inputs_of, rows_an_example
from harness.data.behaviour import checks_identity
from harness.data.unlabelled import read_unlabelled
from harness.pipeline.cells import (
    Cell,
    FinetuneJob,
    Origin,
    ScoreJob,
    TaskInput,
    code_of,
    folds_name,
    held_out_name,
    machine_of,
    model_identity,
    model_record,
    seeded,
)
from harness.pipeline.planner.attacks import queries_of
from harness.pipeline.planner.compiling import with_compiling
from harness.pipeline.planner.costing import fitting, predicting, sizes_in
from harness.pipeline.planner.data_facts import metric_versions, split_facts, task_identity
from harness.pipeline.planner.few_examples import Portion, draws_of, few_of_class
from harness.pipeline.planner.meta import meta_cell
from harness.pipeline.planner.model_plan import ModelPlan
from harness.pipeline.planner.pretraining import pretrain_cell
from harness.training.defaults import epochs_for
from harness.training.learners import LEARNERS
from harness.training.learners.classes import labels_between

EPOCHS_AT_MOST = 10
"""Trained on a fraction of the examples, a model spec's epochs are multiplied by its inverse, up to this: as many
steps as on all examples, down to a tenth of them. Few examples seen few times would show little of what a model can
make of them.
"""

OUTCOMES = ["fails", "passes"]
"""What predictions of tests of behaviour are called."""


@dataclass(frozen=True)
class Compressed:
    """The cells that compress a model: `fitted` gives those of each method, its own last, from a model and the cell it
    was fine-tuned in; `untrained` one for each method, of a model that is scored as it is.
    """

    fitted: Callable[[ModelPlan, Cell], list[list[Cell]]]
    untrained: Callable[[ModelPlan, Origin], list[Cell]]


def cells_of_model(
    task: TaskSpec,
    trained_on: TaskSpec,
    model: ModelPlan,
    compressed: Compressed,
    run: RunSpec,
    facts: Mapping[str, KnownData],
    held_out: int | None = None,
) -> Iterator[Cell]:
    """The cells of a model on a task, what is needed before what needs it, some of them several times. `held_out`: of
    so many parts of the training split the first is scored, by a model that is trained on the others.
    """
    if model.finished:
        model.check_classes(task, facts[task.name].labels, run.labels_by_name)
        origin = Origin(model.weights)
        smaller = compressed.untrained(model, origin)
        yield from smaller
        seeds = [seed for _, seed in _trainings(task, run, model.model_spec, facts[task.name])] if task.shots else [0]
        for seed in seeds:
            for maker in (None, *smaller):
                for split in task.eval:
                    yield _score(task, split, maker, model, origin, seed, run, facts[task.name])
        return
    labels_by: Mapping[str, str] = {}
    if task.train_on and (run.label_map or facts[task.name].labels != facts[trained_on.name].labels):
        labels_by = _labels_by(task, trained_on, run, facts)
    folds = held_out or (run.folds if task.shots is None else None)
    if folds is not None and held_out is None:
        _check_folds(folds, trained_on, model, facts[trained_on.name])
    for portion, seed in _trainings(task, run, model.model_spec, facts[trained_on.name]):
        start = None
        if model.corpus is not None:
            start = pretrain_cell(seeded(model.model_spec, seed), model.name, model.corpus, run, model.weights)
            yield start
        origin = Origin(model.weights, model.corpus, start)
        if model.meta:
            start = meta_cell(seeded(model.model_spec, seed), model.name, model.meta, origin, run)
            yield start
            origin = Origin(model.weights, model.corpus, start)
        if held_out is not None:
            part = (0, held_out)
            fit = _finetune(trained_on, model, origin, seed, portion, run, facts[trained_on.name], part)
            yield fit
            yield _score(task, task.train, fit, model, origin, seed, run, facts[task.name], held_out=part)
            continue
        if folds is not None:
            cells = [
                _finetune(trained_on, model, origin, seed, portion, run, facts[trained_on.name], (fold, folds))
                for fold in range(folds)
            ]
            yield from cells
            made = [compressed.fitted(model, fit) for fit in cells]
            yield from (cell for chains in made for chain in chains for cell in chain)
            for makers in (cells, *([chain[-1] for chain in chains] for chains in zip(*made, strict=True))):
                yield _score(task, task.train, makers[0], model, origin, seed, run, facts[task.name], makers)
            continue
        sources: list[Cell | None] = [None]
        if task.shots is None:
            fit = _finetune(trained_on, model, origin, seed, portion, run, facts[trained_on.name])
            yield fit
            chains = compressed.fitted(model, fit)
            for chain in chains:
                yield from chain
            sources = [fit, *(chain[-1] for chain in chains)]
        else:
            smaller = compressed.untrained(model, origin)
            yield from smaller
            sources += smaller
        for source in sources:
            for split in task.eval:
                yield _score(task, split, source, model, origin, seed, run, facts[task.name], labels_by=labels_by)


def _labels_by(task: TaskSpec, trained_on: TaskSpec, run: RunSpec, facts: Mapping[str, KnownData]) -> Mapping[str, str]:
    """The task's class for each of the one that its model is trained on; answers to choose from have no classes."""
    if FAMILIES.get(task.family).choices is not None:
        return {}
    labels, trained_labels = facts[task.name].labels, facts[trained_on.name].labels
    return labels_between(trained_on, trained_labels, task, labels, run.labels_by_name)


def _check_folds(folds: int, task: TaskSpec, model: ModelPlan, facts: KnownData) -> None:
    distinct = split_facts(task, task.train, facts).distinct
    if folds > distinct:
        raise HarnessError(f"--folds: {folds} folds of {distinct} distinct texts; take fewer")
    if folds < 3 and model.model_spec.training.select == "best":
        raise HarnessError(
            f"--folds: model {model.name} picks its best epoch on a fold of its own: take three folds or more, or add "
            "--select last"
        )


def _trainings(task: TaskSpec, run: RunSpec, model_spec: ModelSpec, facts: KnownData) -> list[tuple[Portion, int]]:
    """The portions of the examples and the seeds a model spec is trained with; the seed also draws the portion. Where
    examples are shown instead, the seeds that draw them; none are drawn for none.
    """
    seeds = range(run.first_seed, run.first_seed + run.seeds)
    if task.shots is not None:
        return [(Portion(), seed) for seed in (seeds if task.shots else [0])]
    if run.k_shot:
        return [(few_of_class(k, facts), seed) for k in dict.fromkeys(run.k_shot) for seed in draws_of(run)]
    deterministic = LEARNERS.get(model_spec.learner).deterministic and model_spec.training.augment is None
    return [
        (Portion(fraction), seed)
        for fraction in dict.fromkeys(run.train_fractions or [1.0])
        for seed in ([0] if deterministic and fraction == 1 else seeds)
    ]


def _for_portion(model_spec: ModelSpec, portion: Portion, examples: int, run: RunSpec) -> ModelSpec:
    """Of `examples` in the whole training split; augmented, they are more rows. The epochs of a model spec are for
    whole splits: on so many of each class it takes the usual number for few, or the run's.
    """
    training, rows = model_spec.training, _rows(model_spec)
    if portion.k_shot is None:
        epochs = epochs_for(training, examples * rows) * min(1 / portion.fraction, EPOCHS_AT_MOST)
    else:
        of_run = training.model_copy(update={"epochs": run.epochs})
        epochs = epochs_for(of_run, round(examples * portion.fraction) * rows)
    return model_spec.model_copy(update={"training": training.model_copy(update={"epochs": epochs})})


def _rows(model_spec: ModelSpec) -> int:
    augment = model_spec.training.augment
    return 1 if augment is None else rows_an_example(augment)


def _unlabelled(model_spec: ModelSpec, task: TaskSpec, portion: Portion) -> str | None:
    """What stands for texts without labels in a cell's key. Raises HarnessError where there are none."""
    spec = model_spec.training.adversarial
    if spec is None or spec.unlabelled is None:
        return None
    if spec.unlabelled != REST:
        return read_unlabelled(task, spec.unlabelled).fingerprint
    if portion.k_shot is None and portion.fraction == 1:
        raise HarnessError(
            f"unlabelled: {REST}: all of {task.name}'s training examples are trained on with their labels; take fewer "
            "with --train-fractions or --k-shot, or give a file"
        )
    return REST


def _finetune(
    task: TaskSpec,
    model: ModelPlan,
    origin: Origin,
    seed: int,
    portion: Portion,
    run: RunSpec,
    facts: KnownData,
    fold: tuple[int, int] | None = None,
) -> Cell:
    train = split_facts(task, task.train, facts)
    if not train.labelled:
        raise HarnessError(f"task {task.name}: the split {task.train} has no labels, so nothing can be trained on it")
    model_spec = _for_portion(model.model_spec, portion, train.n, run)
    sizes = sizes_in(facts, task.train).scaled(
        _rows(model_spec) * (portion.fraction if fold is None else portion.fraction * (1 - 1 / fold[1]))
    )
    work = fitting(model_spec, origin.folder, task, sizes, model.head_used(task))
    model_spec = with_compiling(model_spec, origin.folder, work, run)
    held_out = split_facts(task, task.eval[0], facts) if model_spec.training.select == "best" else None
    used = {task.train: train.fingerprint} | ({task.eval[0]: held_out.fingerprint} if held_out else {})
    spec = {
        "kind": "finetune",
        "task": task_identity(task, facts),
        "data": used,
        "model": model_identity(model_spec, origin) | {"checkpoint": origin.checkpoint},
        "seed": seed,
        "fraction": portion.fraction,
        **({} if portion.k_shot is None else {"k_shot": portion.k_shot}),
        "code": code_of("finetune", *model.plugins(task), *model.augmentations),
        **machine_of(model_spec, run.threads),
    }
    augment = model_spec.training.augment
    if augment is not None and (read := inputs_of(augment, f"model {model.name}: augment")):
        spec["augment"] = read
    if (texts := _unlabelled(model_spec, task, portion)) is not None:
        spec["unlabelled"] = texts
    if fold is not None:
        spec["fold"] = list(fold)
    if held_out:
        spec["select_by"] = metric_versions(task.metrics[:1])
    job = FinetuneJob(
        inputs=TaskInput(task, run.data, run.limit, facts, tuple(used)),
        model_spec=model_spec,
        model=model_record(model.model_spec, model.name, origin, run),
        seed=seed,
        fraction=portion.fraction,
        k_shot=portion.k_shot,
        pretrained=origin.folder,
        checkpoint=origin.checkpoint,
        partial=origin.partial,
        fold=fold,
    )
    needs = (origin.checkpoint,) if origin.checkpoint else ()
    return Cell(
        hash_json(spec), spec, job, needs, task.name, model.name, seed, None, work, portion.fraction,
        k_shot=portion.k_shot,
    )  # fmt: skip


def _score(
    task: TaskSpec,
    split: str,
    source: Cell | None,
    model: ModelPlan,
    origin: Origin,
    seed: int,
    run: RunSpec,
    facts: KnownData,
    folds: Sequence[Cell] = (),
    held_out: tuple[int, int] | None = None,
    labels_by: Mapping[str, str] = MappingProxyType({}),
) -> Cell:
    """The scoring of a fitted model or, without one, of a finished one, or a pretrained one that is shown examples; or
    of what `source` made of such a one. Of `folds`, the first of which is `source`, each scores the examples it was not
    fitted to. `labels_by` names the task's class for each of a model that was trained on another task's classes.
    """
    scored = split_facts(task, split, facts)
    fitted = source is not None and bool(source.task)
    if task.attack is not None and not scored.labelled:
        raise HarnessError(f"task {task.name}: {split} has no labels, and an attack needs the right classes")
    used = {split: scored.fingerprint}
    if not fitted and task.shots:
        used[task.train] = split_facts(task, task.train, facts).fingerprint
    runtimes = [("runtime", name) for name in runtimes_of(source)] if source is not None else []
    spec: dict[str, Any] = {
        "kind": "score",
        "task": task_identity(task, facts) | ({} if task.checks is None else {"labels": OUTCOMES}),
        "split": split,
        "data": used,
        "model": source.key if source is not None else origin.checkpoint or _identity(model, origin),
        "metrics": metric_versions(task.scored_by),
        **({"primary_metrics": task.primary_metrics} if task.primary_metrics and task.checks is None else {}),
        **({} if task.checks is None else {"checks": checks_identity(task.checks), "classes": facts.labels}),
        **({} if task.attack is None else {"attack": attack_identity(task.attack)}),
        "code": code_of(*_code(task), *model.plugins(task), *runtimes),
        **machine_of(model.model_spec, run.threads),
    }
    label_map = run.labels_by_name if model.finished and facts.labels else labels_by
    trained_labels = tuple(labels_by)
    if trained_labels:
        spec |= {"trained_labels": list(trained_labels), "label_map": dict(label_map)}
    if folds:
        spec |= {"model": [cell.key for cell in folds], "split": folds_name(len(folds))}
    if held_out is not None:
        spec |= {"split": held_out_name(held_out[1]), "fold": list(held_out)}
    if not fitted:
        spec["seed"] = seed
        spec |= {"label_map": label_map} if label_map else {}
    named = model_record(model.model_spec, model.name, origin, run) if source is None else source.job.model
    job = ScoreJob(
        inputs=TaskInput(task, run.data, run.limit, facts, tuple(used)),
        split=split,
        learner=model.model_spec.learner,
        model=named,
        seed=source.seed if source is not None and fitted else seed,
        source=None if source is None else source.key,
        pretrained=origin.folder,
        checkpoint=origin.checkpoint,
        label_map=dict(label_map),
        partial=origin.partial,
        folds=tuple(cell.key for cell in folds),
        held_out=held_out,
        options={} if LEARNERS.get(model.model_spec.learner).in_folder else model.model_spec.options,
        trained_labels=trained_labels,
    )
    fitted_length = None if model.settings is None else model.settings.max_length
    sizes = sizes_in(facts, split)
    if task.attack is not None:
        sizes = sizes.scaled(queries_of(task.attack))
    work = predicting(model.model_spec, origin.folder, task, sizes, model.head_used(task), fitted_length)
    before = source if source is not None else origin.cell
    return Cell(
        key=hash_json(spec),
        spec=spec,
        job=job,
        needs=job.folds or ((before.key,) if before else ()),
        task=task.name,
        model=str(named["name"]),
        seed=job.seed,
        split=spec["split"],
        work=work,
        fraction=source.fraction if source is not None else 1.0,
        k_shot=source.k_shot if source is not None else None,
    )


def _code(task: TaskSpec) -> tuple[Any, ...]:
    """The step that scores a task, and the attack it uses."""
    if task.checks is not None:
        return ("checks",)
    return ("score",) if task.attack is None else ("attack", ("attack", task.attack.method))


def _identity(model: ModelPlan, origin: Origin) -> dict[str, Any]:
    """What a model is that no cell made; how it would be trained says nothing of a finished one."""
    if not model.finished:
        return model_identity(model.model_spec, origin)
    assert origin.weights is not None
    return {"finished": origin.weights.identity, "learner": model.model_spec.learner}


def runtimes_of(cell: Cell) -> list[str]:
    """The runtimes of the models that a cell makes on its way, the last one's last."""
    steps = cell.spec.get("method", ()) if cell.kind == "compress" else ()
    return list(dict.fromkeys(["torch", *(COMPRESSORS.get(name).runtime for name, _ in steps)]))
