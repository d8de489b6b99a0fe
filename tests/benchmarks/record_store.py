"""Stores of many score records, shaped as runs of GLUE with three seeds write them, with the records of the trainings
behind them.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.core.hashing import hash_json
from harness.core.store import Store

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
EXAMPLES = 100
MODEL = {"model/config.json": b"{}", "model/model.safetensors": b"eight by"}
"""Stand in for a trained model's files."""


def make_store(root: Path, records: int) -> Store:
    """A store of one run with at least `records` score records: models × seeds × (tasks, MNLI on two splits)."""
    store = Store.open(root)
    files = {"predictions.parquet": predictions(root)}
    draw = random.Random(records)
    cells: list[dict[str, Any]] = []
    model = 0
    while sum(cell["kind"] == "score" for cell in cells) < records:
        name = f"model-{model}"
        for seed in range(SEEDS):
            for task in TASKS:
                trained = finetune_record(task, name, seed)
                write_record(store, trained, MODEL)
                cells.append(
                    {"cell": trained["cell"], "kind": "finetune", "task": task, "model": name, "seed": seed,
                     "split": None, "status": "done"}
                )  # fmt: skip
                for split in SPLITS.get(task, ["dev"]):
                    record = score_record(task, split, name, seed, draw)
                    write_record(store, record, files)
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
        name: {"n": EXAMPLES, "fingerprint": hash_json([task, name]), "labelled": True, "words": 12_000}
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
        "method": "percentile bootstrap, 1000 resamples", "n": EXAMPLES, "chance": 0.5,
        "ceiling": {"value": 0.95, "low": 0.93, "high": 0.97}, "bounds": [-1.0, 1.0], "greater_is_better": True,
        "version": 1,
    }  # fmt: skip
    return {
        "schema_version": 1, "kind": "score", "created": f"2026-11-25T00:{seed:02}:00Z", "seed": seed,
        "task": {"name": task, "version": 1, "family": "classification", "headline": TASKS[task], "noise": None},
        "split": split,
        "model": {"name": model, "id": hash_json(model), "learner": "transformer", "overrides": {}, "pretrained": None,
                  "revision": None, "weights": None, "parameters": 1_000_000},
        "n": EXAMPLES,
        "data": {"source": "synthetic", "location": "synthetic world v1", "limit": None, "train_fraction": 1.0,
                 "fingerprint": hash_json([task, split]), "splits": prints,
                 "trained_on": {"train": prints["train"]["fingerprint"]}, "notes": []},
        "scores": dict.fromkeys(TASKS[task], score),
        "predictions": {"file": "predictions.parquet", "sha256": hash_json([task, split, model, seed])},
        "decoding": {}, "runtime": "torch", "selection": {"mode": "last"},
        "lineage": {"finetune": spec["model"], "pretrain": None, "weights": None},
        "spec": spec, "environment": ENVIRONMENT, "timings": {"seconds": 0.5}, "cell": hash_json(spec),
    }  # fmt: skip


def finetune_record(task: str, model: str, seed: int) -> dict[str, Any]:
    """All keys of a real record of the training behind the scores of a model on a task."""
    data = hash_json([task, "train"])
    return {
        "schema_version": 1, "kind": "finetune", "created": f"2026-11-25T00:{seed:02}:00Z", "seed": seed,
        "environment": ENVIRONMENT, "task": {"name": task, "version": 1, "family": "classification"},
        "model": {"name": model, "id": hash_json(model), "learner": "transformer", "overrides": {}, "pretrained": None,
                  "revision": None, "weights": None, "parameters": 1_000_000},
        "data": {"source": "synthetic", "location": "synthetic world v1", "limit": None, "train_fraction": 1.0,
                 "trained_on": 3000,
                 "splits": {"train": {"n": 3000, "fingerprint": data, "labelled": True, "words": 45_000}}},
        "fit": {"parameters": 1_000_000, "vocabulary": 4000, "head": "sequence-classification", "runtime": "torch",
                "truncated": 0, "steps": 1128, "loss": 0.5, "tokens": 700_000, "precision": "fp32", "device": "cpu",
                "selection": {"mode": "last"}},
        "lineage": {"pretrain": None, "weights": None},
        "spec": {"kind": "finetune", "task": {"name": task, "labels": ["no", "yes"], "prompt": 120 * "x"},
                 "model": {"learner": "transformer", "config": {"model_type": "bert", "hidden_size": 128},
                           "training": {"epochs": 12.0, "batch_size": 32, "learning_rate": 0.0003}},
                 "seed": seed, "code": hash_json("code")},
        "timings": {"seconds": 60.5}, "cell": hash_json([model, seed, task]),
    }  # fmt: skip


def predictions(root: Path) -> bytes:
    """The file of predictions of all score records: two classes with their logits."""
    import numpy as np

    from harness.core.predictions import write_predictions
    from harness.training.learners.base import Predictions

    random = np.random.default_rng(0)
    labels = np.arange(EXAMPLES) % 2
    logits = random.normal(size=(EXAMPLES, 2)).astype(np.float32)
    logits[np.arange(EXAMPLES), labels] += 1
    path = root / "predictions.parquet"
    ids = tuple(f"dev-{index}" for index in range(EXAMPLES))
    write_predictions(path, ids, Predictions(logits.argmax(1), {"logits": logits}), labels, None)
    found = path.read_bytes()
    path.unlink()
    return found


def write_record(store: Store, record: dict[str, Any], files: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """As the store writes it, without its fsync, which takes minutes for thousands. Files that it names already stay."""
    folder = store.folder(record["cell"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        record.setdefault("files", {})[name] = facts
    path = folder / "record.json"
    path.write_text(json.dumps({**record, "checksum": hash_json(record)}, indent=1), encoding="utf-8")
    return path
