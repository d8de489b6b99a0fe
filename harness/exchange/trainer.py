"""What the example scripts of transformers leave in their output folder: `all_results.json`, `eval_results.json`,
`predict_results*.txt`, `generated_predictions.txt`, `eval_predictions.json`.

Scores are those of the evaluation split, with its number of examples. Predictions stand there without labels: they are
scored where the other side of a comparison has the labels of the same examples, or where `predict_labels.txt` (or
`eval_labels.txt`) was put beside them: `index` and `label` in columns, or a label a line in the order of predictions.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import is_file, read_object, read_text
from harness.exchange.files import SAMPLES, mapping, text
from harness.exchange.outcomes import Examples, Outcome, ToolResults, is_lower_better, number, unique_ids
from harness.exchange.reader import ResultReader

RESULTS = ("all_results.json", "eval_results.json", "predict_results.json", "test_results.json")
SPLITS = ("eval", "predict", "test")
NO_SCORES = frozenset({"loss", "runtime", "samples", "model_preparation_time", "gen_len", "perplexity"})
UNKNOWN = ("task", "seed", "data fingerprint", "lineage", "standard errors")
PREDICTED = {"predict": "predict", "generated": "predict", "eval": "eval"}
"""Which split files of predictions are of, by how their names begin."""


class TrainerReader(ResultReader):
    """See the module."""

    def recognizes(self, path: Path) -> bool:
        return path.name in RESULTS or any(is_file(path / name) for name in RESULTS)

    def read(self, path: Path) -> ToolResults:
        folder = path.parent if is_file(path) else path
        files = [path] if is_file(path) else [folder / name for name in RESULTS if is_file(folder / name)]
        if not files:
            raise HarnessError(f"{path}: none of {', '.join(RESULTS)} in it; that is what Trainer writes")
        values: dict[str, Any] = {}
        for file in files:
            values = read_object(file, finite=False) | values
        config = _config(folder)
        model = text(config.get("_name_or_path")) or folder.resolve().name
        task = text(config.get("finetuning_task")) or folder.resolve().name
        predicted = _predictions(folder)
        outcomes = [
            outcome
            for split in SPLITS
            for outcome in _outcomes(files[0], values, split, model, task, predicted.get(split))
        ]
        if not outcomes:
            raise HarnessError(f"{files[0]}: no score in it such as eval_accuracy; evaluate with --do_eval")
        return ToolResults("trainer", str(path), tuple(outcomes), UNKNOWN)


def _outcomes(
    file: Path, values: Mapping[str, Any], split: str, model: str, task: str, examples: Examples | None
) -> list[Outcome]:
    count = values.get(f"{split}_samples")
    n = int(number(count, f"{file}: {split}_samples")) if count is not None else len(examples) if examples else None
    outcomes = []
    for key, value in values.items():
        metric = key.removeprefix(f"{split}_")
        if metric == key or metric in NO_SCORES or metric.endswith("_per_second") or not isinstance(value, int | float):
            continue
        is_second = metric.endswith("_mm")  # the second dev set of MNLI
        outcomes.append(
            Outcome(
                model=model,
                task=f"{task}_mismatched" if is_second else task if split == "eval" else f"{task}_{split}",
                metric=metric.removesuffix("_mm"),
                score=number(value, f"{file}: {key}"),
                n=None if is_second else n,
                greater_is_better=not is_lower_better(metric),
                examples=None if is_second else examples,
            )
        )
    if not outcomes and examples is not None:
        outcomes.append(Outcome(model, f"{task}_{split}", "accuracy", None, n=len(examples), examples=examples))
    return outcomes


def _config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    return mapping(read_object(path, finite=False)) if is_file(path) else {}


def _predictions(folder: Path) -> dict[str, Examples]:
    """Predictions by split, with labels where a file of them stands beside."""
    by_split: dict[str, Examples] = {}
    for path in sorted([*folder.glob("predict_results*.txt"), *folder.glob("generated_predictions.txt")]):
        table = path.name.startswith("predict_results")
        by_split.setdefault(PREDICTED[path.name.partition("_")[0]], _table(path) if table else _lines(path))
    for path in (folder / "eval_predictions.json", folder / "predict_predictions.json"):
        if is_file(path):
            answers = read_object(path, SAMPLES, finite=False)
            answered = tuple(text(answer) for answer in answers.values())
            by_split.setdefault(PREDICTED[path.name.partition("_")[0]], Examples(tuple(answers), predictions=answered))
    return {split: _labelled(folder / f"{split}_labels.txt", examples) for split, examples in by_split.items()}


def _labelled(path: Path, examples: Examples) -> Examples:
    """Predictions with the labels of a file, where there is one."""
    if not is_file(path):
        return examples
    is_table = read_text(path, SAMPLES).startswith("index\t")
    labels = _table(path, "label") if is_table else replace(_lines(path), ids=examples.ids)
    known = dict(zip(labels.ids, labels.predictions or (), strict=False))
    if len(labels.predictions or ()) != len(examples) or set(known) != set(examples.ids):
        raise HarnessError(
            f"{path}: {len(labels.predictions or ())} labels of {len(examples)} predictions, not one each"
        )
    return replace(examples, labels=tuple(known[name] for name in examples.ids))


def _table(path: Path, column: str = "prediction") -> Examples:
    """Two columns with a header: index, and a prediction or label."""
    lines = list(csv.reader(io.StringIO(read_text(path, SAMPLES)), delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = [line for line in lines[1:] if line]
    if not rows or lines[0][:2] != ["index", column] or any(len(row) != 2 for row in rows):
        raise HarnessError(f"{path}: two columns are expected under 'index' and '{column}'; the file may be cut off")
    return Examples(unique_ids([row[0] for row in rows], path), predictions=tuple(row[1] for row in rows))


def _lines(path: Path) -> Examples:
    lines = read_text(path, SAMPLES).removesuffix("\n").split("\n")
    return Examples(tuple(map(str, range(len(lines)))), predictions=tuple(lines))


READER = TrainerReader()
