"""A page made of records as runs write them, in brief: three models on two tasks, one of them compressed and timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from harness.core.cell_records import ScoreRecord
from harness.core.run_records import RunManifest
from harness.report.page import charts, examples, history, lineage, tables
from harness.report.page.cards import compression_cards
from harness.report.page.model import Page, Titled
from harness.report.page.resources import resources_of
from harness.report.tables import compression, efficiency, formats, ranks
from harness.report.tables.judging import judged
from harness.report.tables.leaderboard import build_with_records
from harness.report.tables.measured import read
from harness.report.tables.resources import KINDS, with_resources
from tests.unit.report import measures
from tests.unit.report.records import all_typed, digest, record, score, suite, typed

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"
LABELS = ["negative", "positive"]
N = 200


def scored(task: str, model: str, value: float, made: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    scores = {"accuracy": score(value, chance=0.5, ceiling={"value": 0.95, "low": 0.93, "high": 0.97})}
    found = record(task, model, scores, created=more.pop("created", "2026-11-24T10:00:00Z"), **more)
    found["task"]["headline"] = ["accuracy"]
    found["model"] |= {"learner": "transformer", **(made or {}).get("model", {})}
    found["lineage"] = {"finetune": None, "pretrain": None, "weights": None, **(made or {}).get("lineage", {})}
    if made:
        found["lineage"][made["kind"]] = made["cell"]
    found["predictions"] = {"file": "predictions.parquet", "sha256": digest(f"{task} {model}")}
    found["runtime"] = "torch"
    return found


def pretrained() -> dict[str, Any]:
    return {
        "kind": "pretrain", "cell": digest("pretrain"), "seed": 0, "objective": "mlm", "created": "2026-11-24T08:00:00Z",
        "model": {"name": "bert-demo"}, "scores": {"masked_perplexity": {"value": 31.5, "low": 30.0, "high": 33.0}},
        "data": {"source": "synthetic", "location": "synthetic world v1", "documents": 20_000, "bytes": 900_000, "fingerprint": digest("corpus")},
        "fit": {"steps": 500, "tokens": 64_000}, "timings": {"seconds": 61.0}, "files": {},
    }  # fmt: skip


def fine_tuned(task: str, model: str, size: int = 4_000_000) -> dict[str, Any]:
    return {
        "kind": "finetune", "cell": digest(f"finetune {task} {model}"), "seed": 0, "created": "2026-11-24T09:00:00Z",
        "model": {"name": model, "parameters": size // 4}, "task": {"name": task},
        "data": {"source": "synthetic", "trained_on": 500, "train_fraction": 1.0, "splits": {"train": {"n": 500, "fingerprint": digest(task)}}},
        "fit": {"steps": 40, "precision": "fp32", "device": "cpu"},
        "lineage": {"pretrain": digest("pretrain"), "weights": None}, "timings": {"seconds": 5.0},
        "files": {
            "model/config.json": {"bytes": 700, "sha256": digest("config")},
            "model/model.safetensors": {"bytes": size, "sha256": digest(f"weights {task} {model}")},
        },
    }  # fmt: skip


def compressed(original: dict[str, Any]) -> dict[str, Any]:
    before = {"runtime": "torch", "parameters": 1_000_000, "nonzero": 1_000_000, "bytes": 4_000_000}
    after = {"runtime": "onnxruntime", "parameters": 1_000_000, "nonzero": 990_000, "bytes": 1_100_000}
    task = original["task"]["name"]
    return {
        "kind": "compress", "cell": digest(f"compress {task}"), "seed": 0, "created": "2026-11-24T09:30:00Z",
        "task": {"name": task}, "data": original["data"], "fit": {}, "lineage": {**original["lineage"], "finetune": original["cell"]},
        "model": {"name": "bert-demo+int8", "method": "int8", "original": "bert-demo", "runtime": "onnxruntime"},
        "compression": {"method": "int8", "runtime": "onnxruntime", "before": before, "after": after, "notes": ["the head stays float"], "steps": []},
        "timings": {"seconds": 1.0}, "files": {"model/model.onnx": {"bytes": 1_100_000, "sha256": digest(f"onnx {task}")}},
    }  # fmt: skip


def measurement(original: Mapping[str, Any], candidate: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The candidate is twice as fast as the original."""
    cells = original["cell"], candidate["cell"]
    peaks = dict(zip(cells, (90_000_000, 60_000_000), strict=True))
    return measures.measure(cells[0], {cells[1]: 2.0}, rate=400.0, peaks=peaks, half=0.02, **more)


def widened(
    records: Sequence[Mapping[str, Any]],
    made: Mapping[str, Mapping[str, Any]],
    jobs: Sequence[Mapping[str, Any]],
    *tasks: str,
) -> list:
    """Tables with their columns of size, speed and memory, the records behind them, and what else is known of models."""
    found = read(all_typed(jobs))
    makers: dict[str, dict[str, Any]] = {}
    for one in records:
        key = one["lineage"].get("compress") or one["lineage"]["finetune"]
        if key in made:
            makers.setdefault(one["model"]["id"], {})[key] = made[key]
    known = {model: resources_of({key: typed(one) for key, one in own.items()}, found) for model, own in makers.items()}

    def weights(key: str) -> int | None:
        files = made[key]["files"] if key in made else {}
        return sum(one["bytes"] for name, one in files.items() if name.endswith((".safetensors", ".onnx"))) or None

    read_back = all_typed(records)
    built = build_with_records(read_back, [suite(*tasks)])
    return [(with_resources(table, read_back, found, weights, KINDS), draft, known) for table, draft in built]


def manifest(environment: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "run": "20261124-100000-demo", "created": "2026-11-24T10:00:00Z", "status": "done",
        "spec": {"task": ["a", "b"], "data": "synthetic", "limit": None}, "timings": {"seconds": 12.5},
        "cells": [{"cell": "x", "kind": "score", "task": "a", "model": "m", "seed": 0, "status": "done"}],
        "environment": environment or {"cpu": {"model": "A processor", "isa": ["avx2"]}, "cores": 2},
        **more,
    }  # fmt: skip


def predictions(one: ScoreRecord) -> examples.Predicted:
    """All models are right on the first half; after it each is wrong on examples of its own."""
    gold = np.arange(N) % 2
    step = {"tfidf": 2, "bert-demo": 5, "bert-demo+int8": 4}.get(one.model.name, 3)
    wrong = (np.arange(N) >= N // 2) & (np.arange(N) % step == 0)
    return examples.Predicted([f"dev-{index}" for index in range(N)], np.where(wrong, 1 - gold, gold), gold, LABELS)


def page(name: str = "bert-demo", task: str = "a", text: str = "a fine film", note: str = "a note") -> Page:
    """`name`, `task`, `text` and `note` are what a user could have chosen."""
    tasks = (task, "b", "c")
    made: dict[str, dict[str, Any]] = {digest("pretrain"): pretrained()}
    records = []
    for at, one in enumerate(tasks):
        fit = fine_tuned(one, name)
        small = compressed(fit)
        made |= {fit["cell"]: fit, small["cell"]: small}
        records.append(scored(one, "tfidf", 0.70 + 0.01 * at, source="synthetic"))
        records.append(
            scored(one, name, 0.80 - 0.1 * at, fit, source="synthetic", selection={"mode": "last", "note": note})
        )
        records.append(scored(one, "bert-demo+int8", 0.79 - 0.1 * at, small, source="synthetic"))
    fractions = [scored(one, "tfidf", 0.6, source="synthetic") for one in tasks]
    for one in fractions:
        one["data"]["train_fraction"] = 0.1
        one["cell"] = digest(one["cell"])
    jobs = [measurement(made[digest(f"finetune {task} {name}")], made[digest(f"compress {task}")])]
    built = widened([*records, *fractions], made, jobs, *tasks)
    built.sort(key=lambda one: one[0].train_fraction != 1)
    sections = [
        tables.section(f"t{at}", table, draft, known, ranked=ranks.of_table(table, lambda by, first, other: None))
        for at, (table, draft, known) in enumerate(built)
    ]
    found = [charts.tradeoffs(section, {}, {}) for section in sections]
    cards = compression.build(
        all_typed(records), {key: typed(one) for key, one in made.items() if one["kind"] == "compress"}, list(tasks),
        partial(
            judged,
            load=lambda one: (predictions(one).values, predictions(one).references),
            load_logits=lambda one: None,
        ),
    )  # fmt: skip
    runs, environments = history.asked_and_environments([RunManifest.model_validate(manifest())])
    fields = {"text": [f"{text} {index}" for index in range(N)]}
    views = [
        view
        for section, (table, draft, _) in zip(sections, built, strict=True)
        for view in examples.of_table(
            section.key, section.title, table, draft, predictions, lambda one: examples.Texts(fields)
        )
    ]
    losses = [(float(step), 6.0 - step / 200) for step in range(1, 501)]
    return Page(
        title="Leaderboard", created="2026-11-24 12:00 UTC", version="0", sections=tuple(sections),
        tradeoffs=tuple(chart for chart in found if chart),
        curves=charts.learning_curves([("bert-demo, seed 0", typed(made[digest("pretrain")]), losses)]),
        efficiency=charts.efficiency_charts(
            efficiency.build([table for table, _, _ in built], [formats.title(table) for table, _, _ in built])
        ),
        compression=compression_cards(cards),
        lineage=tuple(
            Titled(section.title, lineage.lineages(table, draft, {key: typed(one) for key, one in made.items()}), section.key)
            for section, (table, draft, _) in zip(sections, built, strict=True)
        ),
        examples=tuple(views), runs=runs, environments=environments,
    )  # fmt: skip
