"""Results as lm-evaluation-harness writes them, so that what reads its files reads ours.

A standard error is the half-width of the 95 % interval over 1.96: where there are several seeds it covers them too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from harness.core.errors import HarnessError
from harness.core.store import Store
from harness.core.text import origin_name
from harness.core.version import __version__
from harness.report.export.source import Model, fitted
from harness.report.tables.table import MetricScore

NAMES = {"accuracy": "acc", "matthews_correlation": "mcc"}
"""Metrics that have another name there."""
PER_CENT = ("bleu", "bleu_zh", "chrf")
"""Fractions here that are per cent there."""
FILTER = "none"
Z = 1.959964


def results(store: Store, model: Model) -> dict[str, Any]:
    """`{"results": {task: {"acc,none": …, "acc_stderr,none": …}}, "configs": …, "versions": …, "n-shot": …, …}`. A task
    scored on several splits is one task a split.

    Raises:
        HarnessError: the model has no score on labelled data.
    """
    content: dict[str, Any] = {
        name: {}
        for name in ("results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples")
    }
    for task, metric_scores in model.metric_scores.items():
        splits = list(dict.fromkeys(metric_score.split for metric_score in metric_scores))
        for split in splits:
            name = task if len(splits) == 1 else f"{task}_{split}"
            _add(
                content,
                store,
                model,
                task,
                name,
                [metric_score for metric_score in metric_scores if metric_score.split == split],
            )
    if not content["results"]:
        raise HarnessError(f"{model.name} has no scores in run {model.run.run}: its tasks have no labels")
    return {**content, **_general(store, model)}


def to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _add(
    content: dict[str, Any], store: Store, model: Model, task: str, name: str, metric_scores: list[MetricScore]
) -> None:
    records = [record for record in model.records[task] if record.split == metric_scores[0].split]
    first = min(records, key=lambda record: record.seed)
    scores: dict[str, Any] = {"alias": name}
    better = {}
    for metric_score in metric_scores:
        metric, scale = (
            NAMES.get(metric_score.metric, metric_score.metric),
            100 if metric_score.metric in PER_CENT else 1,
        )
        scores[f"{metric},{FILTER}"] = scale * metric_score.estimate.value
        scores[f"{metric}_stderr,{FILTER}"] = scale * (metric_score.estimate.high - metric_score.estimate.low) / (2 * Z)
        better[metric] = metric_score.greater_is_better
    shots = _shots(task)
    content["results"][name] = scores
    content["group_subtasks"][name] = []
    content["configs"][name] = {
        "task": name,
        "dataset_path": first.data.source,
        "test_split": metric_scores[0].split,
        "doc_to_text": first.task_spec.get("prompt") or "",
        "num_fewshot": shots,
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": greater} for metric, greater in better.items()
        ],
        "output_type": "multiple_choice" if first.labels else "generate_until",
        "repeats": 1,
        "should_decontaminate": False,
        "metadata": {
            "version": first.task.version,
            "fine_tuned": fitted(store, first) is not None,
            "data_fingerprint": first.data.fingerprint,
            "seeds": sorted(record.seed for record in records),
            "cells": [record.cell for record in sorted(records, key=lambda record: record.seed)],
        },
    }
    content["versions"][name] = first.task.version
    content["n-shot"][name] = shots
    content["higher_is_better"][name] = better
    content["n-samples"][name] = {"original": metric_scores[0].n, "effective": metric_scores[0].n}


def _shots(task: str) -> int:
    match = re.search(r"@(\d+)-shot$", task)
    return int(match.group(1)) if match else 0


def _general(store: Store, model: Model) -> dict[str, Any]:
    """What is said of the run as a whole. Times come from the run's own record."""
    task = next(iter(model.records))
    record = model.first(task)
    versions = record.environment.versions
    training = fitted(store, record)
    pretrained = record.model.pretrained
    seed = record.seed
    return {
        "config": {
            "model": f"harness/{record.model.learner}",
            "model_args": f"pretrained={origin_name(pretrained)}" if pretrained else f"recipe={model.name}",
            "model_num_parameters": record.model.parameters,
            "model_revision": record.model.revision or "",
            "model_sha": record.model.weights or "",
            "batch_size": training.training.get("batch_size") if training else None,
            "batch_sizes": [],
            "device": (training.fit.device if training else None) or "cpu",
            "use_cache": None,
            "limit": record.data.limit,
            "bootstrap_iters": 1000,
            "gen_kwargs": record.decoding or None,
            "random_seed": seed,
            "numpy_seed": seed,
            "torch_seed": seed,
            "fewshot_seed": seed,
        },
        "git_hash": None,
        "date": datetime.fromisoformat(model.run.created).timestamp(),
        "pretty_env_info": json.dumps(record.environment.as_json(), ensure_ascii=False),
        "transformers_version": versions.get("transformers", "N/A"),
        "lm_eval_version": None,
        "harness_version": versions.get("harness", __version__),
        "harness_run": model.run.run,
        "upper_git_hash": None,
        "task_hashes": {},
        "model_source": "harness",
        "model_name": model.name,
        "model_name_sanitized": re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model.name),
        "system_instruction": None,
        "chat_template": None,
        "total_evaluation_time_seconds": str(model.run.timings.seconds),
    }
