"""Where a model comes from: corpus or weights, pretraining, fine-tuning, compression, score, each with its hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.text import origin_name, without_paths
from harness.report.page.model import Chain, Lineage, Stage
from harness.report.page.text import counted, megabytes
from harness.report.tables.comparable import Draft
from harness.report.tables.table import Table

Record = Mapping[str, Any]
MOST = 60
"""Chains of one model that are shown."""
MOST_OF_TABLE = 600
"""Those of all models of a table, at least one each."""


def lineages(table: Table, draft: Draft, made: Mapping[str, Record]) -> tuple[Lineage, ...]:
    """The chains of each row; `made` are the records of the cells that made the models, by key."""
    order = {column.task: index for index, column in enumerate(table.columns)}
    most = min(MOST, max(1, MOST_OF_TABLE // max(1, len(table.rows))))
    found = []
    for row in table.rows:
        newest: dict[tuple[str, int], dict[str, Record]] = {}
        for record in draft.models[row.model]:
            task = record["task"]["name"]
            newest.setdefault((task, record["seed"]), {}).setdefault(record["split"], record)
        keys = sorted(newest, key=lambda key: (order.get(key[0], len(order)), key))
        chains = tuple(_chain(task, seed, newest[task, seed], made) for task, seed in keys[:most])
        model = draft.models[row.model][0]["model"]
        found.append(Lineage(row.label, _identity(model), chains, max(0, len(keys) - most)))
    return tuple(found)


def _identity(model: Mapping[str, Any]) -> str:
    parts = [f"learner {model['learner']}", f"model id {model['id']}"]
    if model.get("pretrained"):
        revision = f" at {model['revision']}" if model.get("revision") else ""
        parts.append(f"weights of {origin_name(model['pretrained'])}{revision}")
    if model["overrides"]:
        parts.append(", ".join(f"{name} {value}" for name, value in model["overrides"].items()))
    return "; ".join(parts)


def _chain(task: str, seed: int, by_split: Mapping[str, Record], made: Mapping[str, Record]) -> Chain:
    records = [by_split[split] for split in sorted(by_split)]
    lineage = records[0].get("lineage", {})
    stages = []
    pretrained = made.get(lineage.get("pretrain") or "")
    if pretrained is not None:
        data = pretrained["data"]
        facts = f"{counted(data['documents'], 'document')}, {megabytes(data['bytes'])} MB"
        stages.append(
            Stage("corpus", f"{data['source']}: {without_paths(data['location'])}", data["fingerprint"], facts)
        )
    elif lineage.get("weights"):
        stages.append(
            Stage("weights", origin_name(records[0]["model"].get("pretrained") or "found"), lineage["weights"])
        )
    for kind, describe in (("pretrain", _pretraining), ("finetune", _fine_tuning), ("compress", _compression)):
        if key := lineage.get(kind):
            record = made.get(key)
            label, facts = describe(record) if record is not None else ("record not at hand", "")
            stages.append(Stage(kind, label, key, facts))
    stages += [_score(record) for record in records]
    return Chain(task, seed, tuple(stages))


def _pretraining(record: Record) -> tuple[str, str]:
    fit = record["fit"]
    facts = f"{fit['steps']:,} steps, {fit['tokens']:,} tokens, {_seconds(record)}"
    return f"{record['objective']}, seed {record['seed']}", facts


def _fine_tuning(record: Record) -> tuple[str, str]:
    fit, data = record["fit"], record["data"]
    split, facts_of = next(iter(data["splits"].items()))
    fraction = f" ({100 * data['train_fraction']:g} %)" if data.get("train_fraction", 1.0) != 1 else ""
    said = [f"{data['trained_on']:,} examples of {split}{fraction}, data {facts_of['fingerprint'][:12]}"]
    if "steps" in fit:
        said.append(f"{fit['steps']:,} steps")
    said += [f"{fit[name]}" for name in ("precision", "device") if name in fit]
    return f"{record['model']['name']}, seed {record['seed']}", ", ".join([*said, _seconds(record)])


def _compression(record: Record) -> tuple[str, str]:
    before, after = record["compression"]["before"], record["compression"]["after"]
    facts = f"{megabytes(before['bytes'])} to {megabytes(after['bytes'])} MB, runs in {after['runtime']}"
    return record["compression"]["method"], facts


def _score(record: Record) -> Stage:
    scores = ", ".join(f"{name} {one['value']:.4f}" for name, one in record["scores"].items()) or "no labels"
    said = [f"{record['n']:,} examples", f"data {record['data']['fingerprint'][:12]}"]
    if record.get("predictions"):
        said.append(f"predictions {record['predictions']['sha256'][:12]}")
    return Stage("score", f"{record['split']}: {scores}", record["cell"], ", ".join(said))


def _seconds(record: Record) -> str:
    return f"{record['timings']['seconds']:,.1f} s" if record.get("timings") else ""
