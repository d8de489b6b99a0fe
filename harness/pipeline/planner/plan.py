"""From a run spec to its cells: what is to be computed, under which content hash, from what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.core.cached_facts import KnownData
from harness.core.errors import HarnessError, TaskAbsentError, did_you_mean
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, SuiteSpec, TaskSpec
from harness.core.store import Store
from harness.core.transfer import base_name
from harness.modeling.weights.pretrained import Weights, find_finished
from harness.pipeline.cells import Cell
from harness.pipeline.planner.attacks import with_parts
from harness.pipeline.planner.behaviour import checks_of, task_of, with_checks
from harness.pipeline.planner.compression import Compressions, compressed_name
from harness.pipeline.planner.contamination import contamination_cells
from harness.pipeline.planner.data_facts import as_scored, data_facts, refuse_dropped
from harness.pipeline.planner.few_examples import check_draws, no_classes
from harness.pipeline.planner.fitting import Compressed, cells_of_model
from harness.pipeline.planner.going_on import start_of
from harness.pipeline.planner.measuring import measure_cells
from harness.pipeline.planner.meta import check_start, meta_inputs
from harness.pipeline.planner.model_plan import ModelPlan
from harness.pipeline.planner.precision import in_precision
from harness.pipeline.planner.pretraining import check_model, corpus_facts, known_corpus, with_controls, with_corpora
from harness.pipeline.planner.reading import as_read, check_reading
from harness.pipeline.planner.suites import as_attacked, default_limit, default_models, suites_of
from harness.training.learners import LEARNERS


@dataclass(frozen=True)
class Plan:
    """A run's cells in an order that respects `needs`; absent tasks with the reason; the suites asked for.

    `asked` holds every cell under every name it was asked for: two models of equal content are computed once, and are
    two to a reader. `not_applicable` says of (task, model) pairs why the model cannot do the task; `notes` are
    sentences for whoever starts the run.
    """

    asked: tuple[Cell, ...]
    absent: Mapping[str, str]
    suites: tuple[SuiteSpec, ...]
    models: tuple[str, ...] = ()
    data: Mapping[str, KnownData] = field(default_factory=dict)
    not_applicable: Mapping[tuple[str, str], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What is computed, each once."""
        return tuple({cell.key: cell for cell in reversed(self.asked)}.values())[::-1]


def make_plan(run: RunSpec, registry: Registry, store: Store, held_out: int | None = None) -> Plan:
    """Resolve names, read and fingerprint the data, hash everything. `held_out`: instead of the scored splits the first
    of so many parts of the training split is scored, by models that did not see it.

    Raises:
        HarnessError: unknown names, bad data, weights that cannot be had, or no task of the run in the data.
    """
    suites, checks = with_checks(suites_of(run, registry), run, registry), checks_of(run)
    run = run.model_copy(update={"limit": run.limit or default_limit(suites)})
    names_of_tasks = dict.fromkeys(name for suite in suites for name in suite.tasks)
    tasks = [as_attacked(task_of(name, checks, registry), run) for name in names_of_tasks]
    check_reading(run, tasks)
    tasks = [as_read(task, run) for task in tasks]
    models = _models(run, registry, store, list(dict.fromkeys(run.model or default_models(suites, registry))))
    compressions = Compressions(run, registry, store)
    _check_label_map(run, tasks, models, registry)
    _check_unlabelled(run, models)
    absent: dict[str, str] = {}
    not_applicable: dict[tuple[str, str], str] = {}
    facts: dict[str, KnownData] = {}
    cells: dict[tuple[str, str], Cell] = {}
    finished = all(model.finished for model in models)
    for task in tasks:
        only_scored = finished and not task.shots
        other = task.train_on if task.train_on and not only_scored else None
        trained_on = task.clean if other is None else as_read(registry.task(other), run)
        try:
            for needed in {trained_on.name: trained_on, task.name: task}.values():
                if needed.name not in facts:
                    facts[needed.name] = data_facts(needed, run.data, run.limit, store, only_scored)
                    if not run.allow_dropped:
                        refuse_dropped(needed, facts[needed.name])
        except TaskAbsentError as error:
            if run.evaluated_on.get(base_name(task.name)) is not None and task.train_on is not None:
                raise HarnessError(f"--eval-on {task.name}: {error}") from None
            absent[task.name] = str(error)
            continue
        if other is not None:
            task = _with_classes_of(trained_on, task, facts, run, store)
        task = as_scored(task, facts[task.name])
        trained_on = as_scored(trained_on, facts[trained_on.name])
        if not finished:
            check_draws(trained_on, facts[trained_on.name], run)
        for model in models:
            of_fit = task if task.shots is not None else trained_on
            reason = no_classes(of_fit, run) if not model.finished else None
            reason = reason or model.not_applicable(task) or model.cannot_train(of_fit)
            if reason is not None:
                not_applicable[task.name, model.name] = reason
                continue
            methods, refused = compressions.applicable(task, model)
            model.check_weights(of_fit, facts[of_fit.name].labels)
            if methods:
                compressions.check_students(of_fit, facts[of_fit.name].labels)
            for method, why_not in refused:
                not_applicable[task.name, compressed_name(model.name, method)] = why_not
            compressed = Compressed(partial(compressions.cells, methods), partial(compressions.untrained, methods))
            for cell in cells_of_model(task, trained_on, model, compressed, run, facts, held_out):
                cells.setdefault((cell.key, cell.model), cell)
    for model in models:
        check_model(model.model_spec)
    for cell in [] if held_out else contamination_cells(list(cells.values()), models, facts, run.largest_corpus):
        cells[cell.key, cell.model] = cell
    for cell in measure_cells(run, list(cells.values()), {model.name: model for model in models}):
        cells[cell.key, cell.model] = cell
    if absent and len(absent) == len(tasks):
        raise HarnessError(f"none of the tasks asked for is in --data {run.data}: {next(iter(absent.values()))}")
    if not cells:
        (task_name, model_name), reason = next(iter(not_applicable.items()))
        raise HarnessError(
            f"nothing to run: no model asked for can do the tasks; {model_name} on {task_name}: {reason}"
        )
    shown = {task.name: facts[task.name] for task in tasks if task.name in facts}
    names = tuple(model.name for model in models)
    notes = tuple(
        f"{model.name} on {task.name}: it is shown examples, not trained, so that its augment does nothing"
        for task in tasks
        for model in models
        if task.shots is not None and model.augmentations
    )
    return Plan(tuple(with_parts(cells.values())), absent, tuple(suites), names, shown, not_applicable, notes)


def _with_classes_of(
    trained_on: TaskSpec, task: TaskSpec, facts: dict[str, KnownData], run: RunSpec, store: Store
) -> TaskSpec:
    """The task with the classes of the one its model is trained on, where its own are found in data that may lack
    some; `facts` are then of these.
    """
    classes = facts[trained_on.name].labels
    if task.labels is not None or not set(facts[task.name].labels) < set(classes):
        return task
    task = task.model_copy(update={"labels": classes})
    facts[task.name] = data_facts(task, run.data, run.limit, store)
    return task


def _check_label_map(run: RunSpec, tasks: Sequence[TaskSpec], models: Sequence[ModelPlan], registry: Registry) -> None:
    """Raises HarnessError where a label map names a class that no model, or no task, has."""
    labels = {label for task in tasks for label in (*(task.labels or ()), *task.label_aliases)}
    classes = {name for model in models for name in model.classes}
    trained = [registry.task(task.train_on) for task in tasks if task.train_on] if run.train else []
    classes |= {label for task in trained for label in task.labels or ()}
    for name, label in run.labels_by_name.items():
        if label not in labels and all(task.labels is not None for task in tasks):
            hint = did_you_mean(label, labels)
            raise HarnessError(f"--label-map {name}={label}: no task of the run has a class '{label}'.{hint}")
        are_known = all(task.labels for task in trained) if run.train else all(model.settings for model in models)
        if name not in classes and are_known:
            hint = did_you_mean(name, classes)
            raise HarnessError(f"--label-map {name}={label}: no model of the run has a class {name}.{hint}")


def _models(run: RunSpec, registry: Registry, store: Store, names: list[str]) -> list[ModelPlan]:
    model_specs = {name: _resolved(model_spec, run) for name, model_spec in registry.asked(names).items()}
    if run.corpus:
        model_specs = with_corpora(model_specs, run.corpus)
    if run.from_scratch:
        model_specs = with_controls(model_specs)
    return [_model(name, model_spec, run, registry, store) for name, model_spec in model_specs.items()]


def _model(name: str, model_spec: ModelSpec, run: RunSpec, registry: Registry, store: Store) -> ModelPlan:
    learner = LEARNERS.get(model_spec.learner)
    if not learner.in_folder:
        identity, given = learner.state(model_spec), model_spec.options.get("corpus")
        corpus = known_corpus(str(given), store) if given else None
        model_spec = in_precision(model_spec)
        return ModelPlan(name, model_spec, Weights(Path(identity), identity), corpus, store, finished=True)
    if not run.train:
        weights = find_finished(model_spec, store, run.allow_partial)
        return ModelPlan(name, in_precision(model_spec, weights.folder), weights, None, store, finished=True)
    corpus = corpus_facts(model_spec, store) if model_spec.pretraining else None
    start = start_of(model_spec, store, run.allow_partial)
    check_start(model_spec, start)
    model_spec = in_precision(model_spec, None if start is None else start.folder)
    return ModelPlan(name, model_spec, start, corpus, store, meta_inputs(model_spec, registry, store))


def _check_unlabelled(run: RunSpec, models: Sequence[ModelPlan]) -> None:
    given = [model.model_spec.training.adversarial for model in models if not model.finished]
    if run.unlabelled is not None and not any(spec is not None and spec.unlabelled for spec in given):
        raise HarnessError("--unlabelled: no model asked for is trained with adversarial vat; add --adversarial vat")


def _resolved(model_spec: ModelSpec, run: RunSpec) -> ModelSpec:
    """With the run's training values."""
    return model_spec.model_copy(update={"training": run.training(model_spec.training)})
