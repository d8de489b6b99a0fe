"""Leaderboards: models by tasks, from score records. What must not be compared never meets in a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.stats.aggregate import Estimate, over_metrics, over_seeds, over_tasks

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
    """One metric of one split: a model's score over its seeds."""

    split: str
    metric: str
    n: int
    estimate: Estimate


@dataclass(frozen=True)
class Score:
    """A model's score on a task, and the parts it is the mean of. `best` where every other model's interval lies
    below.
    """

    estimate: Estimate
    parts: tuple[Part, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One model: its label in this table, its id, its seeds, its scores by task, and its average where it has all
    averaged tasks.
    """

    label: str
    model: str
    seeds: int
    scores: Mapping[str, Score]
    average: Score | None = None


@dataclass(frozen=True)
class Column:
    """One task of a table: what all its cells rest on, and what chance and the noise-free labels score."""

    task: str
    diagnostic: bool
    n: Mapping[str, int]
    fingerprint: str
    versions: str
    chance: float
    ceiling: Estimate | None


@dataclass(frozen=True)
class Table:
    """A leaderboard of one suite on one source. `absent` are tasks of the suite without a score here."""

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
    chance: float | None = None
    ceiling: Estimate | None = None
    fingerprint: str = ""


@dataclass
class _Draft:
    """A table being filled: for each task the basis its cells share, and each model's records."""

    basis: dict[str, tuple[str, ...]] = field(default_factory=dict)
    models: dict[str, list[Record]] = field(default_factory=dict)


def build(records: Sequence[Record], suites: Sequence[Suite]) -> list[Table]:
    """Tables of the suites, newest records first. A score that was computed twice (same model, seed, task, split,
    data) counts once, the newest.

    A model meets in a table only models whose scores on every task they share rest on the same data (training and
    scored), task version and metric versions; otherwise a further table is made.
    """
    newest = sorted(records, key=lambda record: record["created"], reverse=True)
    tables = []
    for suite in suites:
        sources: dict[tuple, list[Record]] = {}
        for record in newest:
            if record["task"]["name"] in suite.tasks:
                data = record["data"]
                sources.setdefault((data["source"], data["limit"]), []).append(record)
        for group in sources.values():
            tables += [_table(suite, draft) for draft in _compatible(group)]
    return tables


def _compatible(records: Iterable[Record]) -> list[_Draft]:
    """Spread models over as few drafts as the rule of `build` allows."""
    drafts: list[_Draft] = []
    by_model: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        by_model.setdefault((record["model"]["id"], record["model"]["name"]), []).append(record)
    for (model, _), own in by_model.items():
        variants: list[list[Record]] = []
        for record in own:  # one model may itself have been scored on different data
            for variant in variants:
                known = {one["task"]["name"]: _basis(one) for one in variant}
                if known.get(record["task"]["name"], _basis(record)) == _basis(record):
                    variant.append(record)
                    break
            else:
                variants.append([record])
        for variant in variants:
            basis = {record["task"]["name"]: _basis(record) for record in variant}
            for draft in drafts:
                if model not in draft.models and all(
                    draft.basis.get(task, own_basis) == own_basis for task, own_basis in basis.items()
                ):
                    break
            else:
                draft = _Draft()
                drafts.append(draft)
            draft.basis.update(basis)
            draft.models[model] = variant
    return drafts


def _basis(record: Record) -> tuple[str, ...]:
    """What two scores on a task must share to be compared. Splits of one task differ in fingerprint, so the training
    data and version stand for them.
    """
    versions = ",".join(f"{name} v{score['version']}" for name, score in sorted(record["scores"].items()))
    splits = record["data"]["splits"]
    prints = ",".join(f"{name}:{splits[name]['fingerprint']}" for name in sorted(splits))
    return (str(record["task"]["version"]), versions, prints, ",".join(sorted(record["data"]["trained_on"].values())))


def _table(suite: Suite, draft: _Draft) -> Table:
    every = [record for own in draft.models.values() for record in own]
    scored = {record["task"]["name"] for record in every if record["scores"]}
    tasks = [task for task in suite.tasks if task in scored]
    averaged = tuple(task for task in tasks if task in suite.averaged)
    labels = _labels([own[0] for own in draft.models.values()])
    rows = [_row(model, own, labels[model], tasks, averaged) for model, own in draft.models.items()]
    rows.sort(key=lambda row: (row.average is None, -(row.average.estimate.value if row.average else 0.0), row.label))
    columns = tuple(
        _column(task, task not in suite.averaged, [one for one in every if one["task"]["name"] == task])
        for task in tasks
    )
    ceilings = [column.ceiling for column in columns if column.task in averaged]
    known = [ceiling for ceiling in ceilings if ceiling is not None]
    first = every[0]
    return Table(
        suite=suite.name,
        source=first["data"]["source"],
        location=first["data"]["location"],
        limit=first["data"]["limit"],
        columns=columns,
        rows=tuple(_with_best(rows, tasks)),
        absent=tuple(task for task in suite.tasks if task not in {record["task"]["name"] for record in every}),
        unlabelled=tuple(task for task in suite.tasks if task in {record["task"]["name"] for record in every} - scored),
        averaged=averaged,
        of_tasks=len(suite.averaged),
        chance=sum(column.chance for column in columns if column.task in averaged) / len(averaged)
        if averaged
        else None,
        ceiling=over_tasks(known) if known and len(known) == len(ceilings) else None,
        fingerprint=_joint([column.fingerprint for column in columns]),
    )


def _row(model: str, records: Sequence[Record], label: str, tasks: Sequence[str], averaged: Sequence[str]) -> Row:
    scores = {}
    for task in tasks:
        own = [record for record in records if record["task"]["name"] == task and record["scores"]]
        if own:
            parts = _parts(own)
            scores[task] = Score(over_metrics([part.estimate for part in parts]), parts)
    average = None
    if averaged and all(task in scores for task in averaged):
        average = Score(over_tasks([scores[task].estimate for task in averaged]))
    return Row(label, model, len({record["seed"] for record in records}), scores, average)


def _parts(records: Sequence[Record]) -> tuple[Part, ...]:
    """One part for each split and metric, over seeds; of several records of one seed the newest, which comes first."""
    cells: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for record in records:
        for metric, score in record["scores"].items():
            cells.setdefault((record["split"], metric), {}).setdefault(record["seed"], score)
    parts = []
    for (split, metric), by_seed in cells.items():
        own = [by_seed[seed] for seed in sorted(by_seed)]
        triples = [(score["value"], score["low"], score["high"]) for score in own]
        parts.append(Part(split, metric, own[0]["n"], over_seeds(triples, tuple(own[0]["bounds"]))))  # type: ignore[arg-type]
    return tuple(sorted(parts, key=lambda part: part.split))


def _column(task: str, diagnostic: bool, records: Sequence[Record]) -> Column:
    """Chance and ceiling are of the data, so any record of each split tells them."""
    one_a_split = list({record["split"]: record for record in records if record["scores"]}.values())
    scores = [score for record in one_a_split for score in record["scores"].values()]
    ceilings = [
        Estimate(score["ceiling"]["value"], score["ceiling"]["low"], score["ceiling"]["high"])
        for score in scores
        if score["ceiling"]
    ]
    return Column(
        task=task,
        diagnostic=diagnostic,
        n={record["split"]: record["n"] for record in sorted(one_a_split, key=lambda record: record["split"])},
        fingerprint=_joint(sorted(record["data"]["fingerprint"] for record in one_a_split)),
        versions=",".join(
            sorted(
                {f"{name} v{score['version']}" for record in one_a_split for name, score in record["scores"].items()}
            )
        ),
        chance=sum(score["chance"] for score in scores) / len(scores),
        ceiling=over_metrics(ceilings) if len(ceilings) == len(scores) else None,
    )


def _with_best(rows: Sequence[Row], tasks: Sequence[str]) -> list[Row]:
    """Mark a score as best where its whole interval lies above every other model's."""
    from dataclasses import replace

    def best(scores: Mapping[str, Score | None]) -> str | None:
        found = {model: score for model, score in scores.items() if score is not None}
        if len(found) < 2:
            return None
        leader, *others = sorted(found, key=lambda model: found[model].estimate.value, reverse=True)
        apart = all(found[leader].estimate.low > found[other].estimate.high for other in others)
        return leader if apart else None

    average = best({row.model: row.average for row in rows})
    by_task = {task: best({row.model: row.scores.get(task) for row in rows}) for task in tasks}
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


def _labels(firsts: Sequence[Record]) -> dict[str, str]:
    """Names, told apart by their overrides or, where these do not differ, by the beginning of the id."""
    labels = {}
    for record in firsts:
        model = record["model"]
        twins = [one["model"] for one in firsts if one["model"]["name"] == model["name"]]
        name = model["name"]
        if len(twins) > 1:
            overrides = ", ".join(
                f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                for key, value in model["overrides"].items()
            )
            unique = [one["overrides"] for one in twins].count(model["overrides"]) == 1
            name = (
                f"{name} ({overrides})" if overrides and unique else name if unique else f"{name} ({model['id'][:8]})"
            )
        labels[model["id"]] = name
    return labels


def _joint(prints: Sequence[str]) -> str:
    from harness.hashing import hash_json

    return prints[0] if len(prints) == 1 else hash_json(list(prints))
