"""Results in the schema of Every Eval Ever, version 0.3.0: a JSON file of scores, and a file of single examples.

A score of each seed is a result of its own, so that its examples give it; https://github.com/evaleval/every_eval_ever.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.core.cell_records import ScoreRecord
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.store import Store, write_atomically
from harness.core.text import origin_name
from harness.core.version import __version__
from harness.gating.entries import Entry, Texts, entries_of, with_contents
from harness.gating.run_results import of_run
from harness.report.export.model_card import hub_dataset
from harness.report.export.source import Model

SCHEMA_VERSION = "0.3.0"
LIBRARY = "nlp-harness"
Z = 1.959964
HF, OTHER = "hf_dataset", "other"


def evaluation(
    store: Store, model: Model, organization: str, relationship: str, texts: Texts | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The scores and the examples of a model. No examples without `texts`, or where these cannot be read again.

    Raises:
        HarnessError: the model has no score on labelled data.
    """
    entries = [
        entry
        for entry in entries_of(of_run(store, model.run.run).only((model.name,)))
        if entry.task_split is not None and entry.task_split.task in model.records
    ]
    records = {
        (record.task.name, record.split, record.seed): record
        for of_task in model.records.values()
        for record in of_task
    }
    first = next(iter(records.values()), None)
    if not entries or first is None:
        raise HarnessError(f"{model.name} has no scores in run {model.run.run}: its tasks have no labels")
    moment = str(int(datetime.fromisoformat(model.run.created).timestamp()))
    pretrained = first.model.pretrained
    model_id = origin_name(pretrained) if pretrained else model.name
    identity = f"{LIBRARY}/{_plain(model.name)}/{moment}"
    results, samples = [], []
    for entry in entries:
        part = entry.task_split
        assert part is not None
        record = records.get((part.task, part.split, entry.seed))
        if record is None:
            continue
        name = ".".join([part.task, part.split, entry.outcome.metric, f"seed{entry.seed}"])
        results.append(_result(name, entry, record))
        rows = _samples(entry, texts) if texts is not None else []
        shared = {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": identity,
            "model_id": model_id,
            "evaluation_name": entry.outcome.task,
            "evaluation_result_id": name,
        }
        samples += [{**shared, **row} for row in rows]
    content = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": identity,
        "evaluation_timestamp": moment,
        "retrieved_timestamp": moment,
        "source_metadata": {
            "source_name": LIBRARY,
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relationship,
        },
        "eval_library": {"name": LIBRARY, "version": first.environment.versions.get("harness") or __version__},
        "model_info": {
            "name": model.name,
            "id": model_id,
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                "learner": first.model.learner,
                **({"parameters": str(first.model.parameters)} if first.model.parameters else {}),
                **({"revision": first.model.revision} if first.model.revision else {}),
                **({"compressed_by": first.model.method} if first.model.method else {}),
                "run": model.run.run,
            },
        },
        "evaluation_results": results,
    }  # fmt: skip
    return content, samples


def _result(name: str, entry: Entry, record: ScoreRecord) -> dict[str, Any]:
    outcome = entry.outcome
    score = record.scores[outcome.metric]
    low, high = score.bounds
    return {
        "evaluation_result_id": name,
        "evaluation_name": outcome.task,
        "source_data": _source(record),
        "metric_config": {
            "metric_id": outcome.metric,
            "metric_name": outcome.metric,
            "metric_unit": "proportion" if (low, high) == (0.0, 1.0) else "points",
            "lower_is_better": not score.greater_is_better,
            "score_type": "continuous",
            "min_score": "-Infinity" if low is None or math.isinf(low) else low,
            "max_score": "Infinity" if high is None or math.isinf(high) else high,
        },
        "score_details": {
            "score": score.value,
            "uncertainty": {
                "standard_error": {"value": (score.high - score.low) / (2 * Z), "method": "interval / (2 · 1.96)"},
                "confidence_interval": {
                    "lower": score.low, "upper": score.high, "confidence_level": score.level, "method": score.method,
                },
                "num_samples": record.n,
            },
            "details": {
                "seed": str(entry.seed),
                "metric_version": str(score.version),
                "task_version": str(record.task.version),
                "data_fingerprint": record.data.fingerprint,
                "cell": record.cell,
                **{f"lineage_{kind}": key for kind, key in record.lineage.cells.items()},
            },
        },
    }  # fmt: skip


def _source(record: ScoreRecord) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "dataset_name": record.task.name,
        "additional_details": {"split": record.split, "source": record.data.source},
    }
    if record.data.source != "hub":
        return {**shared, "source_type": OTHER}
    dataset, config, revision = hub_dataset(record)
    details = {**shared["additional_details"], "revision": revision, **({"config": config} if config else {})}
    return {**shared, "source_type": HF, "hf_repo": dataset, "hf_split": record.split, "samples_number": record.n,
            "additional_details": details}  # fmt: skip


def _samples(entry: Entry, texts: Texts) -> list[dict[str, Any]]:
    """A line an example, where the score is the mean of what its examples score, and their texts can be read."""
    examples = with_contents(entry, texts).examples
    if not entry.mean_is_reported or examples.inputs is None:
        return []
    rows = zip(
        examples.ids,
        examples.scores or (),
        examples.labels or (),
        examples.predictions or (),
        examples.inputs,
        strict=True,
    )
    return [
        {
            "sample_id": name,
            "sample_hash": hashlib.sha256(
                json.dumps({"raw": asked, "reference": [label]}, sort_keys=True, separators=(",", ":")).encode()
            ).hexdigest(),
            "interaction_type": "single_turn",
            "input": {"raw": asked, "reference": [label]},
            "output": {"raw": [answer]},
            "answer_attribution": [
                {"turn_idx": 0, "source": "output.raw", "extracted_value": answer, "extraction_method": "none",
                 "is_terminal": True}
            ],
            "evaluation": {"score": score, "is_correct": score == 1.0},
        }
        for name, score, label, answer, asked in rows
    ]  # fmt: skip


def write(folder: Path, content: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write the scores, and beside them the examples where there are any, as the schema's own repository lays them out:
    `data/COLLECTION/DEVELOPER/MODEL/UUID.json`; returns the files. The same results have the same name.
    """
    developer, _, name = str(content["model_info"]["id"]).rpartition("/")
    parts = [LIBRARY, _plain(developer or "unknown"), _plain(name)]
    unique = uuid.UUID(hash_json([content["evaluation_id"], len(samples)])[:32], version=4)
    below = folder.joinpath("data", *parts)
    path = below / f"{unique}.json"
    text = "".join(json.dumps(sample, ensure_ascii=False, allow_nan=False) + "\n" for sample in samples)
    beside = path.with_name(f"{unique}_samples.jsonl")
    detailed = {
        "format": "jsonl",
        "file_path": "/".join(["data", *parts, beside.name]),
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(text.encode()).hexdigest(),
        "total_rows": len(samples),
    }
    content = {**content, "detailed_evaluation_results": detailed} if samples else content
    try:
        below.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot write to {below}: {error.strerror}") from None
    if samples:
        write_atomically(beside, text)
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return [path, beside] if samples else [path]


def _plain(name: str) -> str:
    """A name as that of a folder."""
    return re.sub("[^A-Za-z0-9._-]+", "_", name).strip(".") or "unknown"
