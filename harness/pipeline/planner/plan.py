"""From a run spec to its cells: what is to be computed, under which content hash, from what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import harness
from harness import data, metrics
from harness.core.errors import HarnessError, TaskAbsent
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.noise import can_have_noise, check_name, with_noise
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import RecipeSpec, SuiteSpec, TaskSpec
from harness.core.store import Store
from harness.modeling.pretrained import Weights, find
from harness.pipeline.cells import Cell, Origin, code_of, model_identity, model_record, seeded
from harness.pipeline.planner.compression import Compressions, compressed_name
from harness.pipeline.planner.measuring import measure_cells
from harness.pipeline.planner.pretraining import corpus_facts, pretrain_cell, with_twins
from harness.training.learners import LEARNERS

OWN_TASKS = "selected tasks"
"""The name of the suite of a run that names single tasks."""


@dataclass(frozen=True)
class Plan:
    """A run's cells in an order that respects `needs`; absent tasks with the reason; the suites asked for.

    `not_applicable` says of (task, model) pairs why the model cannot do the task.
    """

    cells: tuple[Cell, ...]
    absent: Mapping[str, str]
    suites: tuple[SuiteSpec, ...]
    models: tuple[str, ...] = ()
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    not_applicable: Mapping[tuple[str, str], str] = field(default_factory=dict)


def make_plan(run: RunSpec, registry: Registry, store: Store) -> Plan:
    """Resolve names, read and fingerprint the data, hash everything.

    Raises:
        HarnessError: unknown names, bad data, weights that cannot be had, or no task of the run in the data.
    """
    suites = _suites(run, registry)
    run = run.model_copy(update={"limit": run.limit or _default_limit(suites)})
    tasks = [registry.task(name) for name in dict.fromkeys(name for suite in suites for name in suite.tasks)]
    names = list(dict.fromkeys(run.model or _default_models(suites, registry)))
    recipes = {name: _resolved(registry.recipe(name), run) for name in names}
    if run.from_scratch:
        recipes = with_twins(recipes)
    weights = {name: find(recipe, store) for name, recipe in recipes.items()}
    corpora = {name: corpus_facts(recipe, store) for name, recipe in recipes.items() if recipe.pretraining}
    models = [_Model(name, recipe, weights[name], corpora.get(name), store) for name, recipe in recipes.items()]
    compressions = Compressions(run, registry, store)
    absent: dict[str, str] = {}
    not_applicable: dict[tuple[str, str], str] = {}
    facts: dict[str, dict[str, Any]] = {}
    cells: dict[str, Cell] = {}
    for task in tasks:
        trained_on = registry.task(task.train_on) if task.train_on else task.clean
        try:
            for needed in {trained_on.name: trained_on, task.name: task}.values():
                if needed.name not in facts:
                    facts[needed.name] = data_facts(needed, run.data, run.limit, store)
        except TaskAbsent as error:
            absent[task.name] = str(error)
            continue
        for model in models:
            learner = LEARNERS.get(model.recipe.learner)
            reason = learner.not_applicable(task, model.recipe, model.architecture)
            if reason is not None:
                not_applicable[task.name, model.name] = reason
                continue
            methods, refused = compressions.applicable(task, model.recipe, model.weights, model.architecture)
            for method, why_not in refused:
                not_applicable[task.name, compressed_name(model.name, method)] = why_not
            makes = partial(compressions.cells, methods)
            for cell in _cells(task, trained_on, model, makes, run, facts):
                cells[cell.key] = cell
    for cell in measure_cells(run, list(cells.values()), {model.name: model.architecture for model in models}):
        cells[cell.key] = cell
    if absent and len(absent) == len(tasks):
        raise HarnessError(f"none of the tasks asked for is in --data {run.data}: {next(iter(absent.values()))}")
    if not cells:
        (task_name, model_name), reason = next(iter(not_applicable.items()))
        raise HarnessError(
            f"nothing to run: no model asked for can do the tasks; {model_name} on {task_name}: {reason}"
        )
    shown = {task.name: facts[task.name] for task in tasks if task.name in facts}
    return Plan(tuple(cells.values()), absent, tuple(suites), tuple(recipes), shown, not_applicable)


@dataclass(frozen=True)
class _Model:
    """A recipe of a run under its name there, and what its cells start from."""

    name: str
    recipe: RecipeSpec
    weights: Weights | None
    corpus: Mapping[str, Any] | None
    store: Store

    @cached_property
    def architecture(self) -> str | None:
        return _architecture(self.recipe, self.weights, self.store)


def _cells(
    task: TaskSpec,
    trained_on: TaskSpec,
    model: _Model,
    smaller_ones: Callable[[Cell], list[list[Cell]]],
    run: RunSpec,
    facts: Mapping[str, Mapping[str, Any]],
) -> Iterator[Cell]:
    """The cells of a model on a task, what is needed before what needs it, some of them several times.

    `smaller_ones` gives for a fine-tuned model the cells of each compressed one, that one's last.
    """
    trainings = _trainings(run, model.recipe) if task.shots is None else [(1.0, seed) for seed in _drawings(task, run)]
    for fraction, seed in trainings:
        start = None
        if model.corpus is not None:
            start = pretrain_cell(seeded(model.recipe, seed), model.name, model.corpus, run)
            yield start
        origin = Origin(model.weights, model.corpus, start)
        fit, smaller = None, []
        if task.shots is None:
            own = facts[trained_on.name]
            fit = _finetune(trained_on, model.recipe, model.name, origin, seed, fraction, run, own)
            yield fit
            smaller = smaller_ones(fit)
            for made in smaller:
                yield from made
        for scored in [fit, *(made[-1] for made in smaller)]:
            called = model.name if scored is None else scored.model
            for split in task.eval:
                yield _score(task, split, scored, model.recipe, called, origin, seed, run, facts[task.name])


def _default_limit(suites: Sequence[SuiteSpec]) -> int | None:
    limits = {suite.limit for suite in suites}
    if len(limits) > 1:
        raise HarnessError(
            f"{' and '.join(suite.name for suite in suites)} read different numbers of examples; run them apart, or "
            "give --limit"
        )
    return limits.pop()


def _default_models(suites: Sequence[SuiteSpec], registry: Registry) -> list[str]:
    """Each suite's own models, the registry's defaults where a suite names none."""
    return [name for suite in suites for name in suite.models or registry.default_recipes()]


def _architecture(recipe: RecipeSpec, weights: Weights | None, store: Store) -> str | None:
    """Of a transformer, remembered by its model_type: asking `transformers` takes seconds."""
    config = json.loads((weights.folder / "config.json").read_text(encoding="utf-8")) if weights else recipe.config
    if config is None:
        return None
    known = {key: config.get(key) for key in ("model_type", "is_encoder_decoder")}

    def ask() -> dict[str, Any]:
        from harness.modeling.heads import architecture_of

        return {"architecture": architecture_of(known)}

    key = hash_json(["architecture", known, version("transformers")])
    return store.remembered(key, ask)["architecture"]


def _drawings(task: TaskSpec, run: RunSpec) -> list[int]:
    """The seeds by which examples to show are drawn; none are drawn for none."""
    return list(range(run.first_seed, run.first_seed + run.seeds)) if task.shots else [0]


def _trainings(run: RunSpec, recipe: RecipeSpec) -> list[tuple[float, int]]:
    """The shares of the examples and the seeds a recipe is trained with; the seed also draws the share."""
    seeds = range(run.first_seed, run.first_seed + run.seeds)
    deterministic = LEARNERS.get(recipe.learner).deterministic
    return [
        (fraction, seed)
        for fraction in dict.fromkeys(run.train_fractions or [1.0])
        for seed in ([0] if deterministic and fraction == 1 else seeds)
    ]


def _suites(run: RunSpec, registry: Registry) -> list[SuiteSpec]:
    suites = [registry.suite(name) for name in dict.fromkeys(run.suite)]
    if run.task:
        for name in run.task:
            registry.task(name)
        suites.append(
            SuiteSpec.model_construct(
                name=OWN_TASKS,
                version=1,
                description="",
                tasks=list(dict.fromkeys(run.task)),
                average=[name for name in dict.fromkeys(run.task) if registry.task(name).noise is None],
            )
        )
    if not suites:
        raise HarnessError(
            f"nothing to run: give --suite ({', '.join(registry.suites)}) or --task; `harness list tasks` shows all"
        )
    if not run.noise:
        return suites
    noisy = [_under_noise(suite, run.noise, registry) for suite in suites]
    if noisy == suites:
        raise HarnessError(
            f"--noise {run.noise[0]}: no task of the run answers with a class or a number, as noise needs"
        )
    return noisy


def _under_noise(suite: SuiteSpec, noises: Sequence[str], registry: Registry) -> SuiteSpec:
    """The suite with each task that can have noise also under each of these, as diagnostics."""
    for noise in noises:
        check_name(noise, "--noise")
    tasks = [registry.task(name) for name in suite.tasks]
    clean = [task for task in tasks if task.noise is None and can_have_noise(task)]
    added = [with_noise(task, noise).name for noise in noises for task in clean]
    new = [name for name in added if name not in suite.tasks]
    return suite.model_copy(update={"tasks": [*suite.tasks, *new], "average": suite.averaged}) if new else suite


def _resolved(recipe: RecipeSpec, run: RunSpec) -> RecipeSpec:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=run.overrides())})


EPOCHS_AT_MOST = 10
"""Trained on a share of the examples, a recipe's epochs are multiplied by its inverse, up to this: as many steps as on
all examples, down to a tenth of them. Few examples seen few times would show little of what a model can make of them.
"""


def _for_share(recipe: RecipeSpec, fraction: float) -> RecipeSpec:
    epochs = recipe.training.epochs * min(1 / fraction, EPOCHS_AT_MOST)
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": epochs})})


def data_facts(task: TaskSpec, source: str, limit: int | None, store: Store) -> dict[str, Any]:
    """What the plan must know of a task's data, from the store's cache where the source's state is unchanged.

    Returns `{"source", "location", "labels", "notes", "splits": {split: {"n", "fingerprint", "labelled", "words"}}}`.
    """
    state = data.state(task, source)
    key = hash_json(["data", state, limit, task.train, task.eval, task.train_on])
    return store.remembered(key if state else None, lambda: _read_facts(task, source, limit))


def _read_facts(task: TaskSpec, source: str, limit: int | None) -> dict[str, Any]:
    loaded = data.load(task, source, limit)
    splits = loaded.fingerprints()
    for name, split in loaded.splits.items():
        splits[name]["words"] = sum(text.count(" ") + 1 for column in split.fields.values() for text in column)
    return {
        "source": loaded.source,
        "location": loaded.location,
        "labels": list(loaded.labels),
        "notes": list(loaded.notes),
        "splits": splits,
    }


def _finetune(
    task: TaskSpec,
    recipe: RecipeSpec,
    name: str,
    origin: Origin,
    seed: int,
    fraction: float,
    run: RunSpec,
    facts: Mapping[str, Any],
) -> Cell:
    train = _split(task, task.train, facts)
    if not train["labelled"]:
        raise HarnessError(f"task {task.name}: the split {task.train} has no labels, so nothing can be trained on it")
    held_out = _split(task, task.eval[0], facts) if recipe.training.select == "best" else None
    learner = LEARNERS.get(recipe.learner)
    model = model_record(recipe, name, origin, run)
    recipe = _for_share(recipe, fraction)
    spec = {
        "kind": "finetune",
        "task": _task_identity(task, facts),
        "data": {task.train: train["fingerprint"]} | ({task.eval[0]: held_out["fingerprint"]} if held_out else {}),
        "model": model_identity(recipe, origin) | {"checkpoint": origin.cell.key if origin.cell else None},
        "seed": seed,
        "fraction": fraction,
        "code": code_of((*learner.code(), FAMILIES.source(task.family))),
    }
    if held_out:
        spec["select_by"] = _metric_versions(task.metrics[:1])
    job = {
        "task": task.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json"),
        "pretrained": str(origin.weights.folder) if origin.weights else None,
        "checkpoint": origin.cell.key if origin.cell else None,
        "model": model,
        "fraction": fraction,
        "data": run.data,
        "limit": run.limit,
        "facts": dict(facts),
    }
    folder = origin.weights.folder if origin.weights else None
    flops = learner.estimate(recipe, folder, round(fraction * train["n"]), round(fraction * train["words"]))
    needs = (origin.cell.key,) if origin.cell else ()
    return Cell("finetune", hash_json(spec), spec, job, needs, task.name, name, seed, None, flops, fraction)


def _score(
    task: TaskSpec,
    split: str,
    fit: Cell | None,
    recipe: RecipeSpec,
    name: str,
    origin: Origin,
    seed: int,
    run: RunSpec,
    facts: Mapping[str, Any],
) -> Cell:
    """The scoring of a fitted model or, without one, of a pretrained model that is shown examples."""
    scored = _split(task, split, facts)
    if fit is not None and facts["labels"] != fit.spec["task"]["labels"]:
        raise HarnessError(
            f"task {task.name} is scored with the model of {fit.task}, but their labels differ: {facts['labels']} and "
            f"{fit.spec['task']['labels']}"
        )
    package = Path(harness.__file__).parent
    learner = LEARNERS.get(recipe.learner)
    own_code = [package / "stats" / "bootstrap.py", package / "execute" / "score.py", FAMILIES.source(task.family)]
    used = {split: scored["fingerprint"]}
    if fit is None:
        own_code += learner.code()
        if task.shots:
            used[task.train] = _split(task, task.train, facts)["fingerprint"]
    spec: dict[str, Any] = {
        "kind": "score",
        "task": _task_identity(task, facts),
        "split": split,
        "data": used,
        "model": fit.key if fit is not None else origin.cell.key if origin.cell else model_identity(recipe, origin),
        "metrics": _metric_versions(task.metrics),
        "code": code_of(tuple(own_code)),
    }
    if fit is None:
        spec["seed"] = seed
    job = {
        "task": task.model_dump(mode="json"),
        "split": split,
        "learner": recipe.learner,
        "model": fit.job["model"] if fit is not None else model_record(recipe, name, origin, run),
        "pretrained": str(origin.weights.folder) if origin.weights else None,
        "checkpoint": origin.cell.key if origin.cell else None,
        "data": run.data,
        "limit": run.limit,
        "facts": dict(facts),
    }
    folder = origin.weights.folder if origin.weights else None
    cost = learner.estimate(recipe, folder, scored["n"], scored["words"])
    flops = None if cost is None else cost / (3 * recipe.training.epochs)
    before = fit if fit is not None else origin.cell
    needs = (before.key,) if before else ()
    fraction = fit.fraction if fit is not None else 1.0
    seed = fit.seed if fit is not None else seed
    return Cell("score", hash_json(spec), spec, job, needs, task.name, name, seed, split, flops, fraction)


def _split(task: TaskSpec, name: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return facts["splits"][name]
    except KeyError:
        raise HarnessError(
            f"task {task.name}: {facts['location']} has no split {name}, only {', '.join(facts['splits'])}"
        ) from None


def _task_identity(task: TaskSpec, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of a task a result depends on, beside its data; how it is put into words counts where that is done."""
    identity = {"name": task.name, "version": task.version, "family": task.family, "labels": facts["labels"]}
    given = task.model_dump(mode="json", include={"prompt", "verbalizers", "decoding", "shots", "label_range"})
    return identity | {key: value for key, value in given.items() if value not in (None, {})}


def _metric_versions(names: Sequence[str]) -> dict[str, str]:
    return {name: metrics.code_version(name) for name in names}
