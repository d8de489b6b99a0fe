"""Files as other evaluation tools write them, made of scores of single examples; sentences drawn from a few words."""

from __future__ import annotations

import json
import math
import random
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = [
    "red",
    "green",
    "blue",
    "old",
    "new",
    "small",
    "large",
    "house",
    "river",
    "stone",
    "bird",
    "music",
    "number",
    "paper",
    "winter",
    "road",
]
MOMENT = "2026-01-21T03-44-18.458309"


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(3, 8)))


def error_of(scores: Sequence[float]) -> float:
    return stdev(scores) / math.sqrt(len(scores)) if len(scores) > 1 else 0.0


def question(at: int) -> str:
    return f"Is the number {at} even?"


def label(at: int) -> str:
    return "yes" if at % 2 == 0 else "no"


def answer(at: int, score: float) -> str:
    return label(at) if score else label(at + 1)


def write_lm_eval(
    folder: Path,
    tasks: Mapping[str, Sequence[float]],
    model: str = "pretrained=org/m",
    samples: bool = True,
    **more: Any,
) -> Path:
    """A folder as `--output_path FOLDER --log_samples` leaves it. Tasks are `NAME` or `NAME:METRIC,FILTER`."""
    below = folder / model.rpartition("=")[2].replace("/", "__")
    below.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "results": {}, "group_subtasks": {}, "configs": {}, "versions": {}, "n-shot": {}, "higher_is_better": {},
        "n-samples": {}, "config": {"model": "hf", "model_args": model, "limit": None, "fewshot_seed": 1234},
        "model_name": model.rpartition("=")[2], "lm_eval_version": "0.4.13", "transformers_version": "5.0.0",
    }  # fmt: skip
    lines: dict[str, list[str]] = {}
    for key, scores in tasks.items():
        task, _, rest = key.partition(":")
        metric, _, kept = (rest or "acc,none").partition(",")
        content["results"].setdefault(task, {"alias": task, "sample_len": len(scores)})
        content["results"][task] |= {f"{metric},{kept}": fmean(scores), f"{metric}_stderr,{kept}": error_of(scores)}
        content["configs"][task] = {"task": task, "num_fewshot": 5}
        content["versions"][task] = 1.0
        content["n-shot"][task] = 5
        content["higher_is_better"].setdefault(task, {})[metric] = True
        content["n-samples"][task] = {"original": len(scores), "effective": len(scores)}
        for at, score in enumerate(scores):
            sample = {
                "doc_id": at, "doc": {"question": question(at), "label": label(at)}, "target": label(at),
                "arguments": {"gen_args_0": {"arg_0": f"Q: {question(at)}\nA:", "arg_1": {"until": ["\n"]}}},
                "resps": [[answer(at, score)]], "filtered_resps": [answer(at, score)], "filter": kept,
                "metrics": [metric], "doc_hash": f"d{at}", "prompt_hash": f"p{at}", "target_hash": f"t{at}", metric: score,
            }  # fmt: skip
            lines.setdefault(task, []).append(json.dumps(sample))
    (below / f"results_{MOMENT}.json").write_text(json.dumps({**content, **more}, indent=2))
    if samples:
        for task, written in lines.items():
            (below / f"samples_{task}_{MOMENT}.jsonl").write_text("".join(f"{line}\n" for line in written))
    return folder


def inspect_log(scores: Sequence[float], task: str = "evens", epochs: int = 1) -> dict[str, Any]:
    """The JSON of a log. Scores are 1, 0, 0.5, or NaN of what was not scored; of several epochs the same."""
    letters = {1: "C", 0: "I", 0.5: "P"}
    scored = [score for score in scores if not math.isnan(score)]
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "created": "2026-01-21T03:44:18+00:00", "task": task, "task_version": 0, "task_args": {"shots": 5},
            "dataset": {"name": task, "samples": len(scores)}, "model": "openai/m", "config": {"epochs": epochs},
            "packages": {"inspect_ai": "0.3.285"},
        },
        "results": {
            "total_samples": len(scores) * epochs,
            "completed_samples": len(scores) * epochs,
            "scores": [
                {
                    "name": "match", "scorer": "match", "params": {},
                    "metrics": {
                        "accuracy": {"name": "accuracy", "value": fmean(scored), "params": {}},
                        "stderr": {"name": "stderr", "value": error_of(scored), "params": {}},
                    },
                }
            ],
        },
        "samples": [
            {
                "id": at, "epoch": epoch + 1, "input": [{"role": "user", "content": question(at)}], "target": label(at),
                "scores": {"match": {"value": letters.get(score, score), "answer": answer(at, score)}},
            }
            for epoch in range(epochs)
            for at, score in enumerate(scores)
        ],
    }  # fmt: skip


def write_inspect(path: Path, log: Mapping[str, Any]) -> Path:
    """As `.json`, or as `.eval`, a zip of its parts."""
    if path.suffix == ".json":
        path.write_text(json.dumps(log))
        return path
    samples = log["samples"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": log["eval"], "plan": {}}))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("summaries.json", json.dumps(samples))
        archive.writestr("header.json", json.dumps({key: value for key, value in log.items() if key != "samples"}))
    return path


def write_lighteval(folder: Path, tasks: Mapping[str, Sequence[float]], model: str = "org/m") -> Path:
    """A folder as `--output-dir FOLDER --save-details` leaves it."""
    results, details = folder / "results" / model, folder / "details" / model / MOMENT
    for below in (results, details):
        below.mkdir(parents=True)
    content: dict[str, Any] = {
        "config_general": {"model_name": model, "max_samples": None, "lighteval_sha": "abc"},
        "results": {}, "versions": {}, "config_tasks": {}, "summary_tasks": {},
    }  # fmt: skip
    for task, scores in tasks.items():
        content["results"][task] = {"em": fmean(scores), "em_stderr": error_of(scores)}
        rows = [
            {
                "doc": {"id": str(at), "query": question(at), "choices": ["yes", "no"], "gold_index": at % 2},
                "metric": {"em": score},
                "model_response": {"text": [answer(at, score)], "logprobs": []},
            }
            for at, score in enumerate(scores)
        ]
        pq.write_table(pa.Table.from_pylist(rows), details / f"details_{task}_{MOMENT}.parquet")
    content["results"]["all"] = {"em": fmean(scores["em"] for scores in content["results"].values())}
    (results / f"results_{MOMENT}.json").write_text(json.dumps(content))
    return folder


def write_eee(path: Path, scores: Sequence[float], samples: bool = True, **details: Any) -> Path:
    """An evaluation in the schema of Every Eval Ever, version 0.3.0, with its examples beside it."""
    uncertainty = {"standard_error": {"value": error_of(scores), "method": "analytic"}, "num_samples": len(scores)}
    content = {
        "schema_version": "0.3.0", "evaluation_id": "evens/org_m/1", "retrieved_timestamp": "1",
        "source_metadata": {"source_type": "evaluation_run", "source_organization_name": "us", "evaluator_relationship": "other"},
        "eval_library": {"name": "lm_eval", "version": "0.4.13"},
        "model_info": {"name": "m", "id": "org/m", "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"}},
        "evaluation_results": [
            {
                "evaluation_result_id": "evens.acc", "evaluation_name": "evens",
                "source_data": {"dataset_name": "evens", "source_type": "other"},
                "metric_config": {"metric_id": "accuracy", "lower_is_better": False, "score_type": "continuous",
                                  "min_score": 0.0, "max_score": 1.0},
                "score_details": {"score": fmean(scores), "uncertainty": uncertainty} | details,
            }
        ],
    }  # fmt: skip
    path.write_text(json.dumps(content))
    if samples:
        lines = [
            {
                "schema_version": "0.3.0", "evaluation_id": "evens/org_m/1", "model_id": "org/m", "evaluation_name": "evens",
                "evaluation_result_id": "evens.acc", "sample_id": f"evens-{at}", "interaction_type": "single_turn",
                "input": {"raw": question(at), "reference": [label(at)]}, "output": {"raw": [answer(at, score)]},
                "answer_attribution": [{"turn_idx": 0, "source": "output.raw", "extracted_value": answer(at, score),
                                        "extraction_method": "exact", "is_terminal": True}],
                "evaluation": {"score": score, "is_correct": bool(score)},
            }
            for at, score in enumerate(scores)
        ]  # fmt: skip
        path.with_name(f"{path.stem}_samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_csv(path: Path, scores: Sequence[float], texts: bool = False, numbered: str = "") -> Path:
    """`id`, `prediction`, `label` and, with `texts`, `text`."""
    lines = [["id", "prediction", "label", *(["text"] if texts else [])]]
    lines += [
        [f"{numbered}{at}", answer(at, score), label(at), *([question(at)] if texts else [])]
        for at, score in enumerate(scores)
    ]
    path.write_text("".join(",".join(f'"{value}"' for value in line) + "\n" for line in lines))
    return path


def write_trainer(folder: Path, scores: Sequence[float], split: str = "eval") -> Path:
    """An output folder of an example script of transformers; predictions without labels."""
    folder.mkdir(parents=True)
    results = {f"{split}_accuracy": fmean(scores), f"{split}_samples": len(scores), f"{split}_loss": 0.4, "epoch": 3.0,
               f"{split}_runtime": 1.2, f"{split}_samples_per_second": 700.0}  # fmt: skip
    (folder / "all_results.json").write_text(json.dumps({**results, "train_loss": 0.1, "train_samples": 9}))
    lines = ["index\tprediction", *(f"{at}\t{answer(at, score)}" for at, score in enumerate(scores))]
    (folder / "predict_results.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def draws(n: int, right: int, seed: int = 0) -> list[float]:
    """n scores, `right` of them 1, in an order of their own."""
    order = sorted(range(n), key=lambda at: hash((at * 2654435761 + seed * 97) % 1000003))
    return [1.0 if at in set(order[:right]) else 0.0 for at in range(n)]
