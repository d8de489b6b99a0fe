"""From a run spec to its cells: what is to be computed, under which content hash, from what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import harness
from harness import data, metrics
from harness.errors import HarnessError, TaskAbsent
from harness.families import FAMILIES
from harness.hashing import hash_code, hash_json
from harness.models import LEARNERS
from harness.pretrained import Weights, find
from harness.registry import Registry
from harness.specs import RecipeSpec, RunSpec, SuiteSpec, TaskSpec
from harness.store import Store

OWN_TASKS = "selected tasks"
"""The name of the suite of a run that names single tasks."""


@dataclass(frozen=True)
class Cell:
    """One unit of work.

    `spec` is all the result depends on, by content; `key` is its hash. `job` is what a worker needs to do it: where
    the inputs are. `needs` are the keys of cells that come first. `flops` estimates the cost, None where unknown.
    """

    kind: Literal["pretrain", "finetune", "score"]
    key: str
    spec: Mapping[str, Any]
    job: Mapping[str, Any]
    needs: tuple[str, ...]
    task: str
    model: str
    seed: int
    split: str | None = None
    flops: float | None = None
    fraction: float = 1.0

    @property
    def label(self) -> str:
        share = "" if self.fraction == 1 else f"{100 * self.fraction:g} %"
        parts = [part for part in (self.kind, self.task, self.model, share, f"seed {self.seed}") if part]
        return " ".join([*parts, self.split] if self.split and self.split != "dev" else parts)


@dataclass(frozen=True)
class Origin:
    """Where a fine-tuned model starts: weights found, or a pretrain cell on a corpus; neither for random weights."""

    weights: Weights | None = None
    corpus: Mapping[str, Any] | None = None
    cell: Cell | None = None


@dataclass(frozen=True)
class Plan:
    """A run's cells in an order that respects `needs`; absent tasks with the reason; the suites asked for."""

    cells: tuple[Cell, ...]
    absent: Mapping[str, str]
    suites: tuple[SuiteSpec, ...]
    models: tuple[str, ...] = ()
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def make_plan(run: RunSpec, registry: Registry, store: Store) -> Plan:
    """Resolve names, read and fingerprint the data, hash everything.

    Raises:
        HarnessError: unknown names, bad data, weights that cannot be had, or no task of the run in the data.
    """
    suites = _suites(run, registry)
    tasks = [registry.task(name) for name in dict.fromkeys(name for suite in suites for name in suite.tasks)]
    names = list(dict.fromkeys(run.model or registry.default_recipes()))
    recipes = {name: _resolved(registry.recipe(name), run) for name in names}
    if run.from_scratch:
        recipes = _with_twins(recipes)
    weights = {name: find(recipe, store) for name, recipe in recipes.items()}
    corpora = {name: corpus_facts(recipe, store) for name, recipe in recipes.items() if recipe.pretraining}
    absent: dict[str, str] = {}
    facts: dict[str, dict[str, Any]] = {}
    cells: dict[str, Cell] = {}
    for task in tasks:
        trained_on = registry.task(task.train_on) if task.train_on else task
        try:
            for needed in {trained_on.name: trained_on, task.name: task}.values():
                if needed.name not in facts:
                    facts[needed.name] = data_facts(needed, run.data, run.limit, store)
        except TaskAbsent as error:
            absent[task.name] = str(error)
            continue
        for name, recipe in recipes.items():
            for fraction, seed in _trainings(run, recipe):
                start = None
                if recipe.pretraining:
                    start = pretrain_cell(_seeded(recipe, seed), name, corpora[name], run)
                    cells[start.key] = start
                origin = Origin(weights[name], corpora.get(name), start)
                fit = _finetune(trained_on, recipe, name, origin, seed, fraction, run, facts[trained_on.name])
                cells[fit.key] = fit
                for split in task.eval:
                    score = _score(task, split, fit, recipe, weights[name], run, facts[task.name])
                    cells[score.key] = score
    if absent and not cells:
        raise HarnessError(f"none of the tasks asked for is in --data {run.data}: {next(iter(absent.values()))}")
    shown = {task.name: facts[task.name] for task in tasks if task.name in facts}
    return Plan(tuple(cells.values()), absent, tuple(suites), tuple(recipes), shown)


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
                name=OWN_TASKS, version=1, description="", tasks=list(dict.fromkeys(run.task)), average=None
            )
        )
    if not suites:
        raise HarnessError(
            f"nothing to run: give --suite ({', '.join(registry.suites)}) or --task; `harness list tasks` shows all"
        )
    return suites


def _resolved(recipe: RecipeSpec, run: RunSpec) -> RecipeSpec:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=run.overrides())})


EPOCHS_AT_MOST = 10
"""Trained on a share of the examples, a recipe's epochs are multiplied by its inverse, up to this: as many steps as on
all examples, down to a tenth of them. Few examples seen few times would show little of what a model can make of them.
"""


def _for_share(recipe: RecipeSpec, fraction: float) -> RecipeSpec:
    epochs = recipe.training.epochs * min(1 / fraction, EPOCHS_AT_MOST)
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": epochs})})


TWIN = "-scratch"
"""What `--from-scratch` appends to a recipe's name for its twin with random weights."""


def _with_twins(recipes: Mapping[str, RecipeSpec]) -> dict[str, RecipeSpec]:
    """Beside each recipe that is pretrained the same one with no step of it: same tokenizer, same architecture."""
    both: dict[str, RecipeSpec] = {}
    for name, recipe in recipes.items():
        both[name] = recipe
        if recipe.pretraining:
            random = recipe.pretraining.model_copy(update={"steps": 0, "tokens": None, "budget": None})
            both[name + TWIN] = recipe.model_copy(update={"name": recipe.name + TWIN, "pretraining": random})
    if len(both) == len(recipes):
        raise HarnessError(
            f"--from-scratch: none of {', '.join(recipes)} has a pretraining section, so that there is no twin"
        )
    return both


def _seeded(recipe: RecipeSpec, seed: int) -> RecipeSpec:
    """Random weights are drawn anew for each seed; a pretrained checkpoint is one for all."""
    if recipe.pretraining and recipe.pretraining.steps == 0:
        return recipe.model_copy(update={"pretraining": recipe.pretraining.model_copy(update={"seed": seed})})
    return recipe


def corpus_facts(recipe: RecipeSpec, store: Store) -> dict[str, Any]:
    """What the plan must know of a recipe's corpus, from the store's cache where the corpus is unchanged."""
    from harness.data import corpus as corpora

    settings = recipe.pretraining
    assert settings is not None
    corpus = corpora.open_corpus(settings.corpus, settings.sentences, settings.field)
    state = corpora.state(corpus)
    key = hash_json(["corpus", state])
    known = store.cached(key) if state else None
    if isinstance(known, dict):
        return known
    facts = corpora.facts(corpus)
    if state:
        store.cache(key, facts)
    return facts


def pretrain_cell(recipe: RecipeSpec, name: str, corpus: Mapping[str, Any], run: RunSpec) -> Cell:
    """The cell that makes a recipe's checkpoint. Raises HarnessError for an objective or options it does not have."""
    from harness.execute.pretrain import check_objective
    from harness.objectives import OBJECTIVES

    settings = recipe.pretraining
    assert settings is not None
    check_objective(recipe)
    package = Path(harness.__file__).parent
    spec = {
        "kind": "pretrain",
        "model": recipe.model_dump(mode="json", include={"config", "tokenizer"}),
        "pretraining": settings.model_dump(mode="json", exclude={"corpus", "sentences", "field", "checkpoint_every"}),
        "corpus": corpus["fingerprint"],
        "seed": settings.seed,
        "code": _code(
            (
                package / "pretraining", package / "execute" / "pretrain.py", package / "training" / "tokenizers.py",
                package / "models" / "building.py", package / "objectives", OBJECTIVES.source(settings.objective),
            )
        ),
    }  # fmt: skip
    key = hash_json(spec)
    job = {
        "key": key,
        "recipe": recipe.model_dump(mode="json"),
        "corpus": dict(corpus),
        "model": _model_record(recipe, name, Origin(corpus=corpus), run),
    }
    return Cell("pretrain", key, spec, job, (), "", name, settings.seed, None, _pretraining_flops(recipe))


def _pretraining_flops(recipe: RecipeSpec) -> float | None:
    settings = recipe.pretraining
    assert settings is not None
    tokens = settings.tokens
    if settings.steps is not None:
        tokens = settings.steps * settings.batch_size * settings.block_size
    if tokens is None:
        return None
    once = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 1.0})})
    return LEARNERS.get(recipe.learner).estimate(once, None, tokens // settings.block_size, tokens)


def data_facts(task: TaskSpec, source: str, limit: int | None, store: Store) -> dict[str, Any]:
    """What the plan must know of a task's data, from the store's cache where the source's state is unchanged.

    Returns `{"source", "location", "labels", "notes", "splits": {split: {"n", "fingerprint", "labelled", "words"}}}`.
    """
    state = data.state(task, source)
    key = hash_json(["data", state, limit, task.train, task.eval, task.train_on])
    known = store.cached(key) if state else None
    if isinstance(known, dict):
        return known
    loaded = data.load(task, source, limit)
    splits = loaded.fingerprints()
    for name, split in loaded.splits.items():
        splits[name]["words"] = sum(text.count(" ") + 1 for column in split.fields.values() for text in column)
    facts = {
        "source": loaded.source,
        "location": loaded.location,
        "labels": list(loaded.labels),
        "notes": list(loaded.notes),
        "splits": splits,
    }
    if state:
        store.cache(key, facts)
    return facts


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
    model = _model_record(recipe, name, origin, run)
    recipe = _for_share(recipe, fraction)
    spec = {
        "kind": "finetune",
        "task": _task_identity(task, facts),
        "data": {task.train: train["fingerprint"]} | ({task.eval[0]: held_out["fingerprint"]} if held_out else {}),
        "model": _model_identity(recipe, origin) | {"checkpoint": origin.cell.key if origin.cell else None},
        "seed": seed,
        "fraction": fraction,
        "code": _code((*learner.code(), FAMILIES.source(task.family))),
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
    fit: Cell,
    recipe: RecipeSpec,
    weights: Weights | None,
    run: RunSpec,
    facts: Mapping[str, Any],
) -> Cell:
    scored = _split(task, split, facts)
    if facts["labels"] != fit.spec["task"]["labels"]:
        raise HarnessError(
            f"task {task.name} is scored with the model of {fit.task}, but their labels differ: {facts['labels']} and "
            f"{fit.spec['task']['labels']}"
        )
    package = Path(harness.__file__).parent
    spec = {
        "kind": "score",
        "task": _task_identity(task, facts),
        "split": split,
        "data": {split: scored["fingerprint"]},
        "model": fit.key,
        "metrics": _metric_versions(task.metrics),
        "code": _code(
            (package / "stats" / "bootstrap.py", package / "execute" / "score.py", FAMILIES.source(task.family))
        ),
    }
    job = {
        "task": task.model_dump(mode="json"),
        "split": split,
        "learner": recipe.learner,
        "model": fit.job["model"],
        "data": run.data,
        "limit": run.limit,
        "facts": dict(facts),
    }
    cost = LEARNERS.get(recipe.learner).estimate(
        recipe, weights.folder if weights else None, scored["n"], scored["words"]
    )
    flops = None if cost is None else cost / (3 * recipe.training.epochs)
    needs = (fit.key,)
    return Cell("score", hash_json(spec), spec, job, needs, task.name, fit.model, fit.seed, split, flops, fit.fraction)


def _split(task: TaskSpec, name: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return facts["splits"][name]
    except KeyError:
        raise HarnessError(
            f"task {task.name}: {facts['location']} has no split {name}, only {', '.join(facts['splits'])}"
        ) from None


def _task_identity(task: TaskSpec, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": task.name, "version": task.version, "family": task.family, "labels": facts["labels"]}


def _model_identity(recipe: RecipeSpec, origin: Origin) -> dict[str, Any]:
    """What a recipe computes, without what it is called."""
    identity = recipe.model_dump(mode="json", include={"learner", "config", "tokenizer", "training", "options"})
    if recipe.tokenizer is not None and recipe.tokenizer.corpus == "embedded":
        identity["corpus"] = _code((Path(data.__file__).parent / "embedded",))
    if recipe.pretraining and origin.corpus:
        settings = recipe.pretraining.model_dump(
            mode="json", exclude={"corpus", "sentences", "field", "checkpoint_every"}
        )
        identity |= {"pretraining": settings, "corpus": origin.corpus["fingerprint"]}
    return identity | {"weights": origin.weights.fingerprint if origin.weights else None}


def _model_record(recipe: RecipeSpec, name: str, origin: Origin, run: RunSpec) -> dict[str, Any]:
    """How a record names its model. `id` tells apart what must not be averaged; it knows no seed of fine-tuning."""
    unseeded = recipe
    if recipe.pretraining and recipe.pretraining.steps == 0:
        unseeded = _seeded(recipe, 0)
    return {
        "name": name,
        "id": hash_json([recipe.name, _model_identity(unseeded, origin)]),
        "learner": recipe.learner,
        "overrides": run.overrides() if not LEARNERS.get(recipe.learner).deterministic else {},
        "pretrained": recipe.pretrained,
        "revision": recipe.revision,
        "weights": origin.weights.fingerprint if origin.weights else None,
    }


def _metric_versions(names: Sequence[str]) -> dict[str, str]:
    return {name: metrics.code_version(name) for name in names}


@cache
def _code(paths: tuple[Path, ...]) -> str:
    return hash_code(paths)
