"""Leaderboards: models by tasks, from score records. What must not be compared never meets in a table."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

from harness.hashing import hash_json
from harness.stats.aggregate import Estimate, over_metrics, over_seeds, over_tasks

if TYPE_CHECKING:
    from harness.report.resources import Resource

Record = Mapping[str, Any]


class Suite(Protocol):
    """What is needed of a suite: its name, its tasks in order, and those of the average."""

    @property
    def name(self) -> str: ...
    @property
    def tasks(self) -> list[str]: ...
    @property
    def averaged(self) -> list[str]: ...


@dataclass(frozen=True)
class Part:
    """One metric of one split: a model's score over its seeds, and what chance and the noise-free labels score.

    `headline`: the task's score rests on it. `is_share`: it lies between 0 (or -1) and 1.
    """

    split: str
    metric: str
    n: int
    estimate: Estimate
    chance: float | None
    ceiling: Estimate | None
    greater_is_better: bool
    headline: bool = True
    is_share: bool = True


@dataclass(frozen=True)
class Score:
    """A model's score on a task, and its parts. `best` where it is better than all of every other model's interval."""

    estimate: Estimate
    parts: tuple[Part, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One model: its label in this table, its id, the fewest and most seeds behind a score, its scores by task, its
    average where it has all averaged tasks, what a reader must know of its scores, and what its records say of it.

    `partial` holds what there is of a task that lacks a split or metric other models have: no score to compare.
    """

    label: str
    model: str
    seeds: tuple[int, int]
    scores: Mapping[str, Score]
    partial: Mapping[str, tuple[Part, ...]]
    average: Score | None
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One task of a table: what all its cells rest on, and what chance and the noise-free labels score. A `scale` of
    100 turns a share into per cent where it is shown; what is no share has 1.
    """

    task: str
    version: int
    diagnostic: bool
    greater_is_better: bool
    n: Mapping[str, int]
    fingerprint: str
    metrics: Mapping[str, int]
    chance: float | None
    ceiling: Estimate | None
    scale: int = 100
    headline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A leaderboard of one suite on one source. `absent` are its tasks without a record here, `unlabelled` those with
    predictions only. The average is over `averaged`, of `of_tasks` tasks the suite averages. `resources` are columns of
    speed, memory and size, where they are asked for.
    """

    suite: str
    source: str
    location: str
    limit: int | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    absent: tuple[str, ...]
    unlabelled: tuple[str, ...]
    averaged: tuple[str, ...]
    of_tasks: int
    train_fraction: float = 1.0
    chance: float | None = None
    ceiling: Estimate | None = None
    fingerprint: str = ""
    resources: tuple[Resource, ...] = ()


Basis = dict[tuple[str, str], Any]


@dataclass(eq=False)
class Draft:
    """A table being filled: the basis its cells share, and each model's records."""

    basis: Basis = field(default_factory=dict)
    models: dict[str, list[Record]] = field(default_factory=dict)


def build(records: Sequence[Record], suites: Sequence[Suite]) -> list[Table]:
    """Tables of the suites, newest records first. A score that was computed twice (same model, seed, task, split,
    data) counts once, the newest.

    A model meets in a table only models whose scores on every task they share rest on the same data (training and
    scored), task version and metric versions; otherwise a further table is made.
    """
    return [table for table, _ in build_with_records(records, suites)]


def build_with_records(records: Sequence[Record], suites: Sequence[Suite]) -> list[tuple[Table, Draft]]:
    """As `build`, each table with the records it was made of, by the ids of its rows' models."""
    return [
        (_table(suite, draft), draft)
        for suite in suites
        for draft in comparable([record for record in records if record["task"]["name"] in suite.tasks])
    ]


def comparable(records: Sequence[Record]) -> list[Draft]:
    """Records by what may stand in one table, the newest first."""
    sources: dict[tuple, list[Record]] = {}
    for record in sorted(records, key=lambda record: (record["created"], record["cell"]), reverse=True):
        data = record["data"]
        key = (data["source"], data["limit"], data.get("train_fraction", 1.0))
        sources.setdefault(key, []).append(record)
    return [draft for group in sources.values() for draft in _compatible(group)]


def _compatible(records: Iterable[Record]) -> list[Draft]:
    """Spread models over as few drafts as the rule of `build` allows."""
    by_model: dict[str, list[Record]] = {}
    for record in records:
        by_model.setdefault(record["model"]["id"], []).append(record)
    drafts: list[Draft] = []
    for model, own in by_model.items():
        variants: list[Draft] = []  # one model may itself have been scored on different data
        for record in own:
            variant = _first_fitting(variants, _basis(record))
            variant.models.setdefault(model, []).append(record)
        for variant in variants:
            free = [draft for draft in drafts if model not in draft.models]
            draft = _first_fitting(free, variant.basis)
            draft.models |= variant.models
            if draft not in drafts:
                drafts.append(draft)
    return drafts


def _first_fitting(drafts: list[Draft], basis: Basis) -> Draft:
    """The first draft that agrees with `basis` wherever both speak, else a new one at the end; it takes on `basis`."""
    for draft in drafts:
        if all(draft.basis.get(key, value) == value for key, value in basis.items()):
            break
    else:
        draft = Draft()
        drafts.append(draft)
    draft.basis.update(basis)
    return draft


def _basis(record: Record) -> Basis:
    """What two scores on a task must share to be compared: the task's version, all its splits and the data trained on;
    and its metrics, of which a split without labels says nothing.
    """
    task, data = record["task"], record["data"]
    prints = {name: split["fingerprint"] for name, split in data["splits"].items()}
    basis: Basis = {(task["name"], "data"): [task["version"], prints, data.get("trained_on")]}
    if record["scores"]:
        versions = {name: score["version"] for name, score in record["scores"].items()}
        basis[task["name"], "metrics"] = versions
    return basis


def _table(suite: Suite, draft: Draft) -> Table:
    every = [record for own in draft.models.values() for record in own]
    found = {record["task"]["name"] for record in every}
    scored = {record["task"]["name"] for record in every if record["scores"]}
    parts = {model: _parts_by_task(own) for model, own in draft.models.items()}
    columns = tuple(
        _column(
            task,
            task not in suite.averaged,
            [own[task] for own in parts.values() if task in own],
            [record for record in every if record["task"]["name"] == task],
        )
        for task in suite.tasks
        if task in scored
    )
    counted = [column for column in columns if not column.diagnostic and column.greater_is_better]
    averaged = tuple(column.task for column in counted)
    labels = labels_of([own[0] for own in draft.models.values()])
    rows = [_row(model, own, labels[model], parts[model], columns, averaged) for model, own in draft.models.items()]
    rows.sort(key=lambda row: (row.average is None, -(row.average.estimate.value if row.average else 0.0), row.label))
    chances = [column.chance for column in counted if column.chance is not None]
    ceilings = [column.ceiling for column in counted if column.ceiling is not None]
    first = every[0]
    prints = [column.fingerprint for column in columns] or sorted({one["data"]["fingerprint"] for one in every})
    return Table(
        suite=suite.name,
        source=first["data"]["source"],
        location=common_location({record["data"]["location"] for record in every}),
        limit=first["data"]["limit"],
        train_fraction=first["data"].get("train_fraction", 1.0),
        columns=columns,
        rows=tuple(_with_best(rows, columns)),
        absent=tuple(task for task in suite.tasks if task not in found),
        unlabelled=tuple(task for task in suite.tasks if task in found - scored),
        averaged=averaged,
        of_tasks=len(suite.averaged),
        chance=fmean(chances) if counted and len(chances) == len(counted) else None,
        ceiling=over_tasks(ceilings) if counted and len(ceilings) == len(counted) else None,
        fingerprint=joint_fingerprint(prints),
    )


def _row(
    model: str,
    records: Sequence[Record],
    label: str,
    parts: Mapping[str, tuple[Part, ...]],
    columns: Sequence[Column],
    averaged: Sequence[str],
) -> Row:
    scores, partial = {}, {}
    for column in columns:
        own = parts.get(column.task, ())
        if {part.split for part in own} == set(column.n):
            scores[column.task] = Score(over_metrics([part.estimate for part in _counted(own)]), own)
        elif own:
            partial[column.task] = own
    average = None
    if averaged and all(task in scores for task in averaged):
        average = Score(over_tasks([scores[task].estimate for task in averaged]))
    seeds = [len(part.estimate.per_seed) for own in parts.values() for part in own] or [0]
    notes = (record.get("selection", {}).get("note") for record in records)
    said = tuple(dict.fromkeys(note for note in notes if note))
    return Row(label, model, (min(seeds), max(seeds)), scores, partial, average, said, _facts(records))


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """Of one model: its learner, the runtimes it was scored in, what it started from (a pretrained model, or the
    original of a compressed one, or itself), how it was compressed, and its parameters, where all tasks agree.
    """
    model = records[0]["model"]
    runtimes = sorted({record["runtime"] for record in records if record.get("runtime")})
    sizes = {record["model"].get("parameters") for record in records}
    return {
        "learner": model["learner"],
        "runtime": ", ".join(runtimes) or None,
        "base": model.get("pretrained") or model.get("original") or model["name"],
        "method": model.get("method"),
        "parameters": sizes.pop() if len(sizes) == 1 else None,
    }


def _parts_by_task(records: Iterable[Record]) -> dict[str, tuple[Part, ...]]:
    """A model's parts of each task. `records` come newest first, and of several of one seed the newest counts."""
    cells: dict[str, dict[tuple[str, str], dict[int, Mapping[str, Any]]]] = {}
    headlines: dict[str, Sequence[str]] = {}
    for record in records:
        headlines.setdefault(record["task"]["name"], record["task"].get("headline", tuple(record["scores"])))
        for metric, score in record["scores"].items():
            of_task = cells.setdefault(record["task"]["name"], {})
            of_task.setdefault((record["split"], metric), {}).setdefault(record["seed"], score)
    return {
        task: tuple(
            _part(split, metric, seeds, metric in headlines[task]) for (split, metric), seeds in sorted(of_task.items())
        )
        for task, of_task in cells.items()
    }


def _part(split: str, metric: str, by_seed: Mapping[int, Mapping[str, Any]], headline: bool) -> Part:
    own = [by_seed[seed] for seed in sorted(by_seed)]
    first = own[0]
    low, high = first["bounds"]
    ceiling = first.get("ceiling")
    return Part(
        split=split,
        metric=metric,
        n=first["n"],
        estimate=over_seeds([(score["value"], score["low"], score["high"]) for score in own], (low, high)),
        chance=first.get("chance"),
        ceiling=Estimate(ceiling["value"], ceiling["low"], ceiling["high"]) if ceiling else None,
        greater_is_better=first.get("greater_is_better", True),
        headline=headline,
        is_share=high is not None and high <= 1,
    )


def _counted(parts: Sequence[Part]) -> list[Part]:
    """The parts a task's score is the mean of: an error rate beside an accuracy would only cancel it."""
    headline = [part for part in parts if part.headline] or list(parts)
    return [part for part in headline if part.greater_is_better] or headline


def _column(task: str, diagnostic: bool, models: Sequence[tuple[Part, ...]], records: Sequence[Record]) -> Column:
    """Chance and ceiling are of the data, so that any model's parts tell them."""
    parts = list({(part.split, part.metric): part for own in models for part in own}.values())
    counted = _counted(parts)
    chances = [part.chance for part in counted if part.chance is not None]
    ceilings = [part.ceiling for part in counted if part.ceiling is not None]
    prints = {record["split"]: record["data"]["fingerprint"] for record in records if record["scores"]}
    versions = {name: score["version"] for record in records for name, score in record["scores"].items()}
    return Column(
        task=task,
        version=records[0]["task"]["version"],
        diagnostic=diagnostic,
        greater_is_better=counted[0].greater_is_better,
        n={part.split: part.n for part in sorted(parts, key=lambda part: part.split)},
        fingerprint=joint_fingerprint([prints[split] for split in sorted(prints)]),
        metrics=dict(sorted(versions.items())),
        chance=fmean(chances) if len(chances) == len(counted) else None,
        ceiling=over_metrics(ceilings) if len(ceilings) == len(counted) else None,
        scale=100 if all(part.is_share for part in counted) else 1,
        headline=tuple(dict.fromkeys(part.metric for part in counted)),
    )


def _with_best(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Mark a score as best where every other model's whole interval is on the worse side of its own."""

    def best(scores: Mapping[str, Score | None], greater: bool = True) -> str | None:
        found = {model: score.estimate for model, score in scores.items() if score is not None}
        if len(found) < 2:
            return None
        sign = 1 if greater else -1
        leader, *others = sorted(found, key=lambda model: sign * found[model].value, reverse=True)
        worst = found[leader].low if greater else -found[leader].high
        apart = all(worst > (found[other].high if greater else -found[other].low) for other in others)
        return leader if apart else None

    average = best({row.model: row.average for row in rows})
    by_task = {
        column.task: best({row.model: row.scores.get(column.task) for row in rows}, column.greater_is_better)
        for column in columns
    }
    return [
        replace(
            row,
            average=replace(row.average, best=True) if row.average and row.model == average else row.average,
            scores={
                task: replace(score, best=True) if by_task[task] == row.model else score
                for task, score in row.scores.items()
            },
        )
        for row in rows
    ]


def labels_of(firsts: Sequence[Record]) -> dict[str, str]:
    """Names by id, told apart by their overrides or, where these do not differ, by the beginning of the id."""
    models = [record["model"] for record in firsts]
    overrides: dict[str, list[Mapping[str, Any]]] = {}
    for model in models:
        overrides.setdefault(model["name"], []).append(model["overrides"])
    labels = {}
    for model in models:
        twins = overrides[model["name"]]
        told = ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in model["overrides"].items()
        )
        if len(twins) == 1:
            labels[model["id"]] = model["name"]
        elif twins.count(model["overrides"]) == 1:
            labels[model["id"]] = f"{model['name']} ({told})" if told else model["name"]
        else:
            labels[model["id"]] = f"{model['name']} ({f'{told}, ' if told else ''}{model['id'][:8]})"
    return labels


def common_location(locations: Set[str]) -> str:
    """The folder that several tasks' folders are in; else the first place, and how many more there are."""
    first, *others = sorted(locations)
    if not others:
        return first
    with suppress(ValueError):  # a mixture of absolute and relative paths
        if shared := os.path.commonpath(locations):
            return shared
    return f"{first} and {len(others)} more"


def joint_fingerprint(prints: Sequence[str]) -> str:
    return prints[0] if len(prints) == 1 else hash_json(list(prints))
