"""Stores of many score records, shaped as runs of GLUE with three seeds write them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from harness.hashing import hash_json
from harness.store import Store

TASKS = {
    "cola": ["matthews_correlation"], "sst2": ["accuracy"], "mrpc": ["accuracy", "f1"],
    "stsb": ["pearson", "spearman"], "qqp": ["accuracy", "f1"], "mnli": ["accuracy"], "qnli": ["accuracy"],
    "rte": ["accuracy"], "wnli": ["accuracy"], "ax": ["matthews_correlation"],
}  # fmt: skip
SPLITS = {"mnli": ["dev_matched", "dev_mismatched"], "ax": ["test"]}
SEEDS = 3
ENVIRONMENT = {
    "platform": "Linux-6.1-x86_64-with-glibc2.36",
    "cpu": {"model": "a processor", "isa": ["avx2", "fma"]},
    "cores": 2,
    "threads": 1,
    "versions": dict.fromkeys(("harness", "python", "torch", "transformers", "numpy", "scipy", "pyarrow"), "1.2.3"),
}
PREDICTIONS = b"not read by tables"


def make_store(root: Path, records: int) -> Store:
    """A store of one run with at least `records` score records: models × seeds × (tasks, MNLI on two splits)."""
    store = Store.open(root)
    draw = random.Random(records)
    cells: list[dict[str, Any]] = []
    model = 0
    while len(cells) < records:
        name = f"model-{model}"
        for seed in range(SEEDS):
            for task in TASKS:
                for split in SPLITS.get(task, ["dev"]):
                    record = score_record(task, split, name, seed, draw)
                    write_record(store, record)
                    cells.append(
                        {"cell": record["cell"], "kind": "score", "task": task, "model": name, "seed": seed,
                         "split": split, "status": "done"}
                    )  # fmt: skip
        model += 1
    suite = {"name": "glue", "version": 1, "tasks": list(TASKS), "averaged": [task for task in TASKS if task != "ax"]}
    store.write_run(
        "20261125-000000-glue-0000",
        {"status": "done", "created": "2026-11-25T00:00:00Z", "spec": {"suite": ["glue"]}, "suites": [suite],
         "cells": cells, "absent": {}, "environment": ENVIRONMENT, "timings": {"seconds": 1.0}},
    )  # fmt: skip
    return store


def score_record(task: str, split: str, model: str, seed: int, draw: random.Random) -> dict[str, Any]:
    """All keys of a real record, with drawn scores."""
    value = draw.uniform(0.4, 0.9)
    prints = {
        name: {"n": 1000, "fingerprint": hash_json([task, name]), "labelled": True, "words": 12_000}
        for name in ("train", *SPLITS.get(task, ["dev"]))
    }
    spec = {
        "kind": "score",
        "task": {"name": task, "version": 1, "family": "classification", "labels": ["no", "yes"], "prompt": 120 * "x",
                 "decoding": {"max_new_tokens": 64, "num_beams": 1, "length_penalty": 1.0, "do_sample": False}},
        "split": split, "data": {split: prints[split]["fingerprint"]}, "model": hash_json([model, seed, task]),
        "metrics": {name: hash_json(name) for name in TASKS[task]}, "code": hash_json("code"),
    }  # fmt: skip
    score = {
        "value": value, "low": value - 0.03, "high": value + 0.03, "level": 0.95,
        "method": "percentile bootstrap, 1000 resamples", "n": 1000, "chance": 0.5,
        "ceiling": {"value": 0.95, "low": 0.93, "high": 0.97}, "bounds": [-1.0, 1.0], "greater_is_better": True,
        "version": 1,
    }  # fmt: skip
    return {
        "schema_version": 1, "kind": "score", "created": f"2026-11-25T00:{seed:02}:00Z", "seed": seed,
        "task": {"name": task, "version": 1, "family": "classification", "headline": TASKS[task], "noise": None},
        "split": split,
        "model": {"name": model, "id": hash_json(model), "learner": "transformer", "overrides": {}, "pretrained": None,
                  "revision": None, "weights": None, "parameters": 1_000_000},
        "n": 1000,
        "data": {"source": "embedded", "location": "embedded world v1", "limit": None, "train_fraction": 1.0,
                 "fingerprint": hash_json([task, split]), "splits": prints,
                 "trained_on": {"train": prints["train"]["fingerprint"]}, "notes": []},
        "scores": dict.fromkeys(TASKS[task], score),
        "predictions": {"file": "predictions.parquet", "sha256": hash_json([task, split, model, seed])},
        "decoding": {}, "runtime": "torch", "selection": {"mode": "last"},
        "lineage": {"finetune": spec["model"], "pretrain": None, "weights": None},
        "spec": spec, "environment": ENVIRONMENT, "timings": {"seconds": 0.5}, "cell": hash_json(spec),
        "files": {"predictions.parquet": {"bytes": len(PREDICTIONS), "sha256": hash_json("bytes")}},
    }  # fmt: skip


def write_record(store: Store, record: dict[str, Any]) -> Path:
    """As the store writes it, without its fsync, which takes minutes for thousands."""
    folder = store.folder(record["cell"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictions.parquet").write_bytes(PREDICTIONS)
    path = folder / "record.json"
    path.write_text(json.dumps({**record, "checksum": hash_json(record)}, indent=1), encoding="utf-8")
    return path
