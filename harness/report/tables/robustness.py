"""Robustness: what a model's scores lose under noise, from the stored predictions of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from harness.core.cell_records import ScoreFacts
from harness.core.hashing import hash_json
from harness.core.specs import NOISE_MARK
from harness.report.tables import attacks, checks, formats
from harness.report.tables.attacks import AttackTable
from harness.report.tables.checks import CheckTable
from harness.report.tables.comparable import Record, comparable, labels_of
from harness.report.tables.pairs import Load, Pairs, change_of, counted, loaded, scale_of
from harness.stats.aggregate import Estimate, over_metrics, over_seeds, over_tasks

AVERAGE = "average"
NOTE = (
    "In brackets after a score under noise: its change against the clean one with the 95 % interval that the gate "
    "gives a drop: over examples and, with several seeds, their spread; bold: the interval leaves out 0. Labels stay "
    "as they are. An average is over the tasks scored under every noise."
)


@dataclass(frozen=True)
class Under:
    """A score under noise, and its change against the clean one."""

    score: Estimate
    change: Estimate


@dataclass(frozen=True)
class Row:
    """A model on a task, or on the average of tasks. A `scale` of 100: scores are fractions."""

    task: str
    model: str
    seeds: int
    n: int
    clean: Estimate
    noises: Mapping[str, Under]
    scale: int = 100


@dataclass(frozen=True)
class Robustness:
    """The rows that may stand in one table, the noises in order of appearance."""

    title: str
    noises: tuple[str, ...]
    rows: tuple[Row, ...]


def build(records: Sequence[Record], order: Sequence[str], load: Load) -> list[Robustness]:
    """Tables of the models that were scored both without and with noise; `order` is that of the tasks."""
    tables = []
    for draft in comparable(records):
        labels = labels_of([records[0] for records in draft.models.values()])
        pairs = {labels[model]: _pairs(records) for model, records in draft.models.items()}
        noises = {noise for by_task in pairs.values() for by_noise in by_task.values() for noise in by_noise}
        if not noises:
            continue
        rows = [
            _row(task, model, by_noise, load) for model, by_task in pairs.items() for task, by_noise in by_task.items()
        ]
        rows.sort(key=lambda row: (order.index(row.task), -row.clean.value, row.model))
        every = [record for records in draft.models.values() for record in records]
        ranked = [name.partition(NOISE_MARK)[2] for name in order]
        ordered = tuple(sorted(noises, key=ranked.index))
        title = formats.heading_of("robustness", every)
        tables.append(Robustness(title, ordered, (*_averages(rows, ordered), *rows)))
    return tables


def _pairs(records: Sequence[Record]) -> dict[str, dict[str, Pairs]]:
    """By task and noise, for records of one model that come newest first. Two are a pair where the same weights were
    scored on the same examples.
    """

    def scored(record: Record, task: str, clean: str) -> tuple:
        return task, record.split, record.seed, hash_json(record.lineage.as_json()), clean

    clean: dict[tuple, Record] = {}
    for record in records:
        if record.scores and not record.task.perturbation:
            fingerprint = record.data.splits[record.split].fingerprint
            clean.setdefault(scored(record, record.task.name, fingerprint), record)
    by_task: dict[str, dict[str, Pairs]] = {}
    for record in records:
        noise = record.task.noise
        if record.scores and noise:
            task = record.task.name.partition(NOISE_MARK)[0]
            clean_record = clean.get(scored(record, task, record.data.splits[record.split].clean or ""))
            if clean_record is not None:
                by_seed = by_task.setdefault(task, {}).setdefault(noise, {})
                by_seed.setdefault((record.seed, record.split), (clean_record, record))
    return by_task


def _row(task: str, model: str, by_noise: Mapping[str, Pairs], load: Load) -> Row:
    clean_records = {key: clean for pairs in by_noise.values() for key, (clean, _) in pairs.items()}
    first = next(iter(clean_records.values()))
    return Row(
        task=task,
        model=model,
        seeds=len({seed for seed, _ in clean_records}),
        n=sum({split: record.n for (_, split), record in clean_records.items()}.values()),
        clean=_score(clean_records),
        noises={
            noise: Under(_score({key: noisy for key, (_, noisy) in pairs.items()}), _change(pairs, load))
            for noise, pairs in by_noise.items()
        },
        scale=scale_of(first),
    )


def _score(records: Mapping[tuple[int, str], Record]) -> Estimate:
    """The mean over seeds, then over splits and metrics, of stored scores."""
    parts: dict[tuple[str, str], list[ScoreFacts]] = {}
    for (_, split), record in sorted(records.items(), key=lambda item: item[0]):
        for name in counted(record):
            parts.setdefault((split, name), []).append(record.scores[name])
    return over_metrics(
        [
            over_seeds([(score.value, score.low, score.high) for score in scores], scores[0].scale)
            for scores in parts.values()
        ]
    )


def _change(pairs: Pairs, load: Load) -> Estimate:
    return change_of(loaded(pairs, load), next(iter(pairs.values()))[0])


def _averages(rows: Sequence[Row], noises: Sequence[str]) -> list[Row]:
    """A row a model with several tasks that are fractions and were scored under every noise."""
    averages = []
    for model in dict.fromkeys(row.model for row in rows):
        averageable = [
            row for row in rows if row.model == model and row.scale == 100 and set(row.noises) == set(noises)
        ]
        if len(averageable) > 1:
            under = {
                noise: Under(
                    over_tasks([row.noises[noise].score for row in averageable]),
                    over_tasks([row.noises[noise].change for row in averageable]),
                )
                for noise in noises
            }
            task = f"{AVERAGE} of {len(averageable)}"
            seeds, n = max(row.seeds for row in averageable), sum(row.n for row in averageable)
            averages.append(Row(task, model, seeds, n, over_tasks([row.clean for row in averageable]), under))
    return sorted(averages, key=lambda row: (-row.clean.value, row.model))


def to_markdown(table: Robustness) -> str:
    """Rows of tasks and models, columns of noises."""

    def cell(row: Row, noise: str) -> str:
        if noise not in row.noises:
            return formats.NONE
        score, by = row.noises[noise].score, row.noises[noise].change
        digits = 1 if row.scale == 100 else 2
        return f"{row.scale * score.value:.{digits}f} ({formats.signed(by, row.scale)})"

    header = ["task", "model", "seeds", "examples", "clean", *table.noises]
    body = [
        [
            formats.escaped(row.task),
            formats.escaped(row.model),
            str(row.seeds),
            str(row.n),
            formats.number(row.clean, row.scale),
            *(cell(row, noise) for noise in table.noises),
        ]
        for row in table.rows
    ]
    return formats.markdown_table(table.title, header, body, [f"Scores ×100 where they are fractions. {NOTE}"])


def to_json(
    tables: Sequence[Robustness], under_attack: Sequence[AttackTable] = (), tested: Sequence[CheckTable] = ()
) -> str:
    """Everything, at full precision, scale 0…1."""
    content = {
        "schema_version": formats.SCHEMA_VERSION,
        "tables": [{**asdict(table), "note": NOTE} for table in tables],
        "attacks": attacks.as_json(under_attack),
        "checks": checks.as_json(tested),
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
