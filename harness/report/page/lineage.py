"""Where a model comes from: corpus or weights, pretraining, fine-tuning, compression, score, each with its hash."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.cell_records import CompressRecord, FitRecord, ModelFacts, ModelRecord, PretrainRecord, ScoreRecord
from harness.core.meta_records import MetaRecord
from harness.core.portions import portion_name
from harness.core.text import origin_name, without_paths
from harness.report.page.model import Chain, Lineage, Stage
from harness.report.page.text import counted, megabytes
from harness.report.tables.comparable import Draft
from harness.report.tables.table import Table

MOST = 60
"""Chains of one model that are shown."""
MOST_OF_TABLE = 600
"""Those of all models of a table, at least one each."""


def lineages(table: Table, draft: Draft, made: Mapping[str, ModelRecord]) -> tuple[Lineage, ...]:
    """The chains of each row; `made` are the records of the cells that made the models, by key."""
    order = {column.task: index for index, column in enumerate(table.columns)}
    most = min(MOST, max(1, MOST_OF_TABLE // max(1, len(table.rows))))
    of_rows = []
    for row in table.rows:
        newest: dict[tuple[str, int], dict[str, ScoreRecord]] = {}
        for record in draft.models[row.model]:
            task = record.task.name
            newest.setdefault((task, record.seed), {}).setdefault(record.split, record)
        keys = sorted(newest, key=lambda key: (order.get(key[0], len(order)), key))
        chains = tuple(_chain(task, seed, newest[task, seed], made) for task, seed in keys[:most])
        model = draft.models[row.model][0].model
        of_rows.append(Lineage(row.label, _identity(model), chains, max(0, len(keys) - most)))
    return tuple(of_rows)


def _identity(model: ModelFacts) -> str:
    parts = [f"learner {model.learner}", f"model id {model.id}"]
    if model.pretrained:
        revision = f" at {model.revision}" if model.revision else ""
        parts.append(f"weights of {origin_name(model.pretrained)}{revision}")
    if model.overrides:
        parts.append(", ".join(f"{name} {value}" for name, value in model.overrides.items()))
    return "; ".join(parts)


def _chain(task: str, seed: int, by_split: Mapping[str, ScoreRecord], made: Mapping[str, ModelRecord]) -> Chain:
    records = [by_split[split] for split in sorted(by_split)]
    lineage = records[0].lineage
    stages = []
    pretrained = made.get(lineage.pretrain or "")
    if isinstance(pretrained, PretrainRecord):
        data = pretrained.data
        facts = f"{counted(data.documents, 'document')}, {megabytes(data.bytes)} MB"
        stages.append(Stage("corpus", f"{data.source}: {without_paths(data.location)}", data.fingerprint, facts))
    elif lineage.weights:
        stages.append(Stage("weights", origin_name(records[0].model.pretrained or "found"), lineage.weights))
    for kind, key in lineage.first.cells.items():
        label, facts = _described(made.get(key))
        label = (
            f"{label}, the first of {len(lineage.folds)} folds"
            if lineage.folds and kind not in ("pretrain", "meta")
            else label
        )
        stages.append(Stage(kind, label, key, facts))
    stages += [_score(record) for record in records]
    return Chain(task, seed, tuple(stages))


def _described(record: ModelRecord | None) -> tuple[str, str]:
    if isinstance(record, PretrainRecord):
        return _pretraining(record)
    if isinstance(record, MetaRecord):
        return _meta_training(record)
    if isinstance(record, CompressRecord):
        return _compression(record)
    return _fine_tuning(record) if isinstance(record, FitRecord) else ("record not at hand", "")


def _pretraining(record: PretrainRecord) -> tuple[str, str]:
    fit = record.fit
    facts = f"{fit.steps:,} steps, {fit.tokens:,} {fit.unit}, {_seconds(record)}"
    return f"{record.objective}, seed {record.seed}", facts


def _meta_training(record: MetaRecord) -> tuple[str, str]:
    tasks = ", ".join(f"{task.name} {task.fingerprint[:12]}" for task in record.tasks)
    facts = f"{record.fit.steps:,} steps, {record.fit.episodes:,} episodes of {tasks}, {_seconds(record)}"
    return f"{record.method}, seed {record.seed}", facts


def _fine_tuning(record: FitRecord) -> tuple[str, str]:
    fit, data = record.fit, record.data
    split, facts_of = next(iter(data.splits.items()))
    portion = portion_name(data.train_fraction, data.k_shot)
    facts = [
        f"{data.trained_on:,} examples of {split}{f' ({portion})' if portion else ''}, data {facts_of.fingerprint[:12]}"
    ]
    if fit.steps is not None:
        facts.append(f"{fit.steps:,} steps")
    facts += [name for name in (fit.precision, fit.device, "compiled" if fit.compiled else None) if name]
    return f"{record.model.name}, seed {record.seed}", ", ".join([*facts, _seconds(record)])


def _compression(record: CompressRecord) -> tuple[str, str]:
    before, after = record.compression.before, record.compression.after
    facts = f"{megabytes(before.bytes)} to {megabytes(after.bytes)} MB, runs in {after.runtime}"
    return record.compression.method, facts


def _score(record: ScoreRecord) -> Stage:
    scores = ", ".join(f"{name} {score.value:.4f}" for name, score in record.scores.items()) or "no labels"
    facts = [f"{record.n:,} examples", f"data {record.data.fingerprint[:12]}"]
    if record.predictions:
        facts.append(f"predictions {record.predictions.sha256[:12]}")
    return Stage("score", f"{record.split}: {scores}", record.cell, ", ".join(facts))


def _seconds(record: ModelRecord) -> str:
    return f"{record.timings.seconds:,.1f} s"
