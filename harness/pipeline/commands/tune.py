"""`harness tune`: training values searched on a part of the training examples, and the best scored once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from harness import metrics
from harness.core.atomic import write_atomically
from harness.core.cell_records import ScoreRecord
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.machine.environment import describe
from harness.core.packages import require_packages
from harness.core.reading import expanded, is_folder
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.search_records import COMPLETE, CUT, FAILED, PRUNED
from harness.core.search_spec import DEFAULT, Range, Space, TuneSpec, read_space, with_values
from harness.core.specs import ModelSpec, TaskSpec, TrainingSpec
from harness.core.store import Store
from harness.core.strict_spec import seconds_of
from harness.modeling.weights.config_file import parameters_of
from harness.modeling.weights.settings import model_config
from harness.pipeline.cells import Cell, Event, ScoreJob, held_out_name
from harness.pipeline.commands.run import Prepared, compute, perform, prepare
from harness.pipeline.commands.trials import Trial, distribution, line, study_of, tell_study
from harness.pipeline.planner.plan import make_plan
from harness.stats.expected_best import curve
from harness.training.defaults import epochs_for
from harness.training.search_space import default_space

Listen = Callable[[Event], None]
Begin = Callable[[Prepared], None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Searched:
    """The cell of a search, and the run in which its best model was trained on all examples and scored."""

    cell: str
    run: str


def tune(
    run: RunSpec, search: TuneSpec, registry: Registry, store: Store, listen: Listen, begin: Begin, tell: Tell
) -> Searched:
    """Search, then train and score the best.

    Args:
        run: One task and one model; how cells are computed; seeds of the best model.
        search: How the search goes.
        registry: Where names are looked up.
        store: Where cells are kept.
        listen: Told of each event of a cell.
        begin: Told of what is computed, before it is, once for each batch and rung.
        tell: Told of each trial that ends, in a line.

    Raises:
        HarnessError: optuna is not installed, a space that makes no sense, a model that is not trained in steps, or no
            trial that could be trained.
    """
    require_packages("optuna", extra="search")
    if search.output is not None and not search.output.resolve().parent.is_dir():
        raise HarnessError(f"-o {search.output}: no folder {search.output.parent}; make it first")
    started = time.time()
    job = Search.of(run, search, registry, store, listen, begin, tell)
    trials, ended = job.trials(started)
    best = _best(trials, job.sign)
    winner = _winner(job.model_spec, job.name, best.training)
    cell = _keep(job, trials, ended, best, winner, started)
    if search.output is not None:
        write_atomically(search.output, spec_text(winner))
    final = job.plain.model_copy(update={"model": [winner.name], "seeds": run.seeds})
    registry = with_specs(job.registry, [winner])
    prepared = prepare(final, registry, store)
    begin(prepared)
    name = perform(final, prepared, store, listen)
    _name_in_run(store, name, cell, job)
    return Searched(cell, name)


def _best(trials: Sequence[Trial], sign: int) -> Trial:
    """Of the trials that were trained whole; where the budget ended before any was, of those that came furthest."""
    done = [trial for trial in trials if trial.state == COMPLETE]
    if not done:
        cut = [trial for trial in trials if trial.state == CUT and trial.rungs]
        done = [trial for trial in cut if len(trial.rungs) == max(len(other.rungs) for other in cut)]
    if not done:
        causes = [trial.cause for trial in trials if trial.cause]
        raise HarnessError(f"no trial of {len(trials)} could be trained: {causes[0] if causes else 'all were pruned'}")
    return max(done, key=lambda trial: (sign * (trial.value or 0.0), -trial.number))


@dataclass(frozen=True)
class Search:
    """A search with all that it needs, checked."""

    plain: RunSpec
    search: TuneSpec
    registry: Registry
    store: Store
    listen: Listen
    begin: Begin
    tell: Tell
    name: str
    model_spec: ModelSpec
    task: TaskSpec
    data: Mapping[str, Any]
    examples: int
    space: Space

    @classmethod
    def of(
        cls, run: RunSpec, search: TuneSpec, registry: Registry, store: Store, listen: Listen, begin: Begin, tell: Tell
    ) -> Search:
        (name, given), *_ = registry.asked(run.model).items()
        model_spec = given.model_copy(update={"training": run.training(given.training)})
        if model_spec.learner != "transformer":
            raise HarnessError(f"model {name}: {model_spec.learner} is not trained in steps, and has nothing to search")
        if run.folds is not None:
            raise HarnessError("folds: a search is chosen on a part of the training examples; leave it out")
        plain = run.model_copy(update=dict.fromkeys(run.overrides()))
        plan = make_plan(
            plain.model_copy(update={"model": [name], "seeds": 1}),
            with_specs(registry, [model_spec.model_copy(update={"name": name})]),
            store,
            search.held_out,
        )
        scores = [cell for cell in plan.cells if cell.kind == "score"]
        if len(scores) != 1:
            raise HarnessError(f"{len(plan.data)} tasks: a search is of one")
        scored = scores[0].job
        assert isinstance(scored, ScoreJob)
        inputs = scored.inputs
        task, facts = inputs.task, inputs.facts
        if task.train_on is not None:
            raise HarnessError(f"task {task.name}: it is scored with the model of {task.train_on}; tune that")
        if task.shots is not None:
            raise HarnessError(f"task {task.name}: a model is shown examples, and not trained")
        train = facts.splits[task.train]
        if search.held_out > train.distinct:
            raise HarnessError(f"--held-out: {search.held_out} parts of {train.distinct} distinct texts; take fewer")
        data = {
            "source": facts.source, "location": facts.location, "limit": inputs.limit, "split": task.train,
            "parts": search.held_out, "fingerprint": train.fingerprint,
        }  # fmt: skip
        space = (
            _usual_space(model_spec, scored, train.n)
            if search.space == DEFAULT
            else read_space(expanded(search.space), model_spec.training)
        )
        return cls(plain, search, registry, store, listen, begin, tell, name, model_spec, task, data, train.n, space)

    @property
    def measured_by(self) -> list[str]:
        """The task's primary metrics; of those that differ in which way is better the first."""
        names = self.task.primary_metrics or list(self.task.metrics)
        ways = {metrics.get(name).greater_is_better for name in names}
        return names if len(ways) == 1 else names[:1]

    @property
    def sign(self) -> int:
        return 1 if metrics.get(self.measured_by[0]).greater_is_better else -1

    def trials(self, started: float) -> tuple[list[Trial], str]:
        """The trials in their order, and why there are no more: `trials` or `budget`. What is drawn next depends on the
        values of those before, batch by batch, and on no clock but that of the budget.
        """
        study = study_of(self.search)
        budget = None if self.search.budget is None else seconds_of(self.search.budget)

        def in_time(cell: Cell | None = None) -> bool:
            """Whether a cell may start: what was trained in time is scored all the same."""
            return budget is None or (cell is not None and cell.kind == "score") or time.time() - started < budget

        made: list[Trial] = []
        while len(made) < self.search.trials and (not made or in_time()):
            batch = self._batch(study, self.search.trials - len(made))
            self._climb(batch, in_time)
            for trial in batch:
                tell_study(study, trial, self.sign)
                self.tell(line(trial))
            made += batch
        cut = len(made) < self.search.trials or any(trial.state == CUT for trial in made)
        return made, "budget" if cut else "trials"

    def drawn_first(self) -> list[Trial]:
        """The trials of the first batch, before any is trained."""
        return self._batch(study_of(self.search), self.search.trials)

    def _batch(self, study: Any, at_most: int) -> list[Trial]:
        distributions = {name: distribution(name, part) for name, part in self.space.items()}
        return [self._drawn(study.ask(distributions)) for _ in range(min(self.search.batch, at_most))]

    def _drawn(self, drawn: Any) -> Trial:
        values = dict(drawn.params)
        where = f"trial {drawn.number}"
        try:
            training = with_values(self.model_spec.training, {k: v for k, v in values.items() if k == "peft"}, where)
            training = with_values(training, {k: v for k, v in values.items() if k != "peft"}, where)
        except HarnessError as error:
            return Trial(drawn.number, values, self.model_spec.training, drawn, [], FAILED, str(error))
        return Trial(drawn.number, values, training, drawn)

    def _climb(self, batch: Sequence[Trial], in_time: Callable[..., bool]) -> None:
        """Train the trials of a batch for ever more of their epochs; the worse ones end at each rung, and what is not
        begun `in_time` is cut.
        """
        for fraction in self.search.steps:
            going = [trial for trial in batch if trial.state == COMPLETE]
            if not going:
                return
            self._compute(going, fraction, in_time)
            going = [trial for trial in going if trial.state == COMPLETE]
            ranked = sorted(going, key=lambda trial: (-self.sign * (trial.value or 0.0), trial.number))
            kept = max(1, round(self.search.keep * len(ranked))) if fraction < 1 else len(ranked)
            for trial in ranked[kept:]:
                trial.state = PRUNED

    def prepared(self, trials: Sequence[Trial], fraction: float) -> tuple[RunSpec, Prepared, Mapping[str, Trial]]:
        """The run that trains trials for a fraction of their epochs, and its models by name."""
        specs = {f"{self.name}-trial-{trial.number}": trial for trial in trials}
        model_specs = [
            self.model_spec.model_copy(update={"name": name, "training": self._shortened(trial.training, fraction)})
            for name, trial in specs.items()
        ]
        run = self.plain.model_copy(update={"model": list(specs), "seeds": 1})
        registry = with_specs(self.registry, model_specs)
        return run, prepare(run, registry, self.store, held_out=self.search.held_out), specs

    def _compute(self, trials: Sequence[Trial], fraction: float, in_time: Callable[..., bool]) -> None:
        run, prepared, specs = self.prepared(trials, fraction)
        self.begin(prepared)
        plan = prepared.plan
        statuses = {cell.key: "cached" if cell.key in prepared.cached else "missing" for cell in plan.cells}
        causes: dict[str, str] = {}

        def note(event: Event) -> None:
            if event.kind in ("done", "cached", "failed", "skipped"):
                statuses[event.cell.key] = event.kind
            if event.kind == "failed":
                causes[event.cell.key] = event.cause
            self.listen(event)

        compute(run, prepared, self.store, statuses, note, self.listen, in_time)
        for name, trial in specs.items():
            reason = plan.not_applicable.get((self.task.name, name))
            cells: dict[str, Cell] = {cell.kind: cell for cell in plan.asked if cell.model == name}
            self._note(trial, fraction, cells, reason, statuses, causes)

    def _note(
        self,
        trial: Trial,
        fraction: float,
        cells: Mapping[str, Cell],
        reason: str | None,
        statuses: Mapping[str, str],
        causes: Mapping[str, str],
    ) -> None:
        if reason is None and statuses[cells["score"].key] == "missing":
            trial.state, trial.cause = CUT, "the budget ended before it was trained"
            return
        if reason is not None or statuses[cells["score"].key] not in ("done", "cached"):
            trial.state = FAILED
            trial.cause = reason or next((causes[cell.key] for cell in cells.values() if cell.key in causes), "")
            return
        record = self.store.read(cells["score"].key, ScoreRecord)
        value = sum(record.scores[name].value for name in self.measured_by) / len(self.measured_by)
        keys = {"finetune": cells["finetune"].key, "score": cells["score"].key}
        trial.rungs.append({"fraction": fraction, "value": value, **keys})

    def _shortened(self, training: TrainingSpec, fraction: float) -> TrainingSpec:
        if fraction == 1:
            return training
        return training.model_copy(update={"epochs": fraction * epochs_for(training, self.examples)})


def _usual_space(model_spec: ModelSpec, scored: ScoreJob, examples: int) -> Space:
    config = model_spec.config
    if scored.pretrained is not None:
        config = model_config(scored.pretrained)
    config = config or {}
    return default_space(model_spec.training, parameters_of(config), bool(config.get("is_encoder_decoder")), examples)


def with_specs(registry: Registry, model_specs: Sequence[ModelSpec]) -> Registry:
    """A registry that knows these as well."""
    return registry.with_model_specs({model_spec.name: model_spec for model_spec in model_specs})


def _winner(model_spec: ModelSpec, name: str, training: TrainingSpec) -> ModelSpec:
    pretrained = model_spec.pretrained
    if pretrained is not None and is_folder(expanded(pretrained)):
        pretrained = str(expanded(pretrained).resolve())
    changes = {"name": f"{name}-tuned", "pretrained": pretrained, "training": training, "default": False}
    return model_spec.model_copy(update=changes)


def spec_text(model_spec: ModelSpec) -> str:
    """A model spec as its file."""
    content = model_spec.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _keep(job: Search, trials: Sequence[Trial], ended: str, best: Trial, winner: ModelSpec, started: float) -> str:
    """Write the record of the search; returns its cell."""
    search = job.search
    settings = {
        "sampler": search.sampler, "batch": search.batch, "rungs": search.steps, "keep": search.keep,
        "seed": search.search_seed, "budget": search.budget, "first_seed": job.plain.first_seed,
    }  # fmt: skip
    space = {name: part.model_dump() if isinstance(part, Range) else list(part) for name, part in job.space.items()}
    values = [trial.value for trial in trials if trial.value is not None]
    body = {
        "task": {"name": job.task.name, "version": job.task.version, "family": job.task.family},
        "metrics": job.measured_by,
        "greater_is_better": job.sign > 0,
        "data": dict(job.data),
        "space": space,
        "settings": settings,
        "asked": search.trials,
        "ended": ended,
        "trials": [trial.facts() for trial in trials],
        "best": best.number,
        "winner": winner.model_dump(mode="json", exclude_defaults=True, exclude={"pretrained"}),
        "expected": [
            {"trials": draws, "value": mean, "deviation": deviation}
            for draws, mean, deviation in curve(values, job.sign > 0)
        ],
    }
    spec = {"kind": "tune", **{key: body[key] for key in ("task", "data", "space", "settings", "trials", "ended")}}
    key = hash_json(spec)
    with job.store.try_lock(key) as mine:
        if mine and not job.store.has(key):
            with job.store.building(key) as folder:
                (folder / "winner.yaml").write_text(spec_text(winner), encoding="utf-8")
                record = {
                    "kind": "tune",
                    "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                    "seed": search.search_seed,
                    "environment": describe(job.plain.threads or 1),
                    **body,
                    "spec": spec,
                    "timings": {"seconds": round(time.time() - started, 3)},
                }
                job.store.commit(key, folder, record)
    return key


def _name_in_run(store: Store, name: str, cell: str, job: Search) -> None:
    """Add the search to the run of its best model, so that whoever reads that finds it."""
    manifest = store.run(name).as_json()
    entry = {
        "cell": cell, "kind": "tune", "task": job.task.name, "model": job.name, "seed": job.search.search_seed,
        "fraction": 1.0, "split": held_out_name(job.search.held_out), "status": "done",
    }  # fmt: skip
    store.write_run(name, {**manifest, "cells": [entry, *manifest["cells"]]})
