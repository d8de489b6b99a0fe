"""Metrics computed again from stored predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.predictions import PREDICTIONS, read_predictions
from harness.core.store import Store
from harness.report.text.runs import score_records
from harness.report.text.text import cell_text, columns
from harness.stats.scoring import score_all


def rescore(store: Store, name: str, names: Sequence[str], as_json: bool) -> tuple[str, bool]:
    """Metrics computed again from stored predictions, beside the stored ones.

    Returns the text and whether every score that was stored came out the same.

    Raises:
        DamagedFileError: predictions are not what was written.
        HarnessError: an unknown metric, or one that does not fit a task's predictions.
    """

    for metric in names:
        metrics.get(metric)
    rows: list[dict[str, Any]] = []
    for record in score_records(store, [store.run(name)]):
        predictions, references, oracle = read_predictions(store.file(record.cell, PREDICTIONS))
        wanted = list(names) or list(record.scores)
        values = FAMILIES.get(record.task.family).predictions
        fitting = [metric for metric in wanted if metrics.get(metric).inputs == values]
        for metric, score in score_all(fitting, predictions, references, oracle).items():
            stored = record.scores[metric].value if metric in record.scores else None
            rows.append(
                {
                    "task": record.task.name, "split": record.split, "model": record.model.name,
                    "seed": record.seed, "metric": metric, **score, "stored": stored,
                    "same": None if stored is None else abs(stored - score["value"]) < 1e-9,
                }
            )  # fmt: skip
    if not rows:
        raise HarnessError(
            f"run {name}: nothing to score{f' with {cell_text(list(names))}' if names else ''}: "
            "no stored predictions that fit"
        )
    same = all(row["same"] is not False for row in rows)
    if as_json:
        return json.dumps(rows, indent=1), same
    said = {None: "new", True: "same as stored", False: "DIFFERS"}
    lines = [
        [row["task"], row["split"], row["model"], str(row["seed"]), row["metric"], f"{row['value']:.4f}",
         f"[{row['low']:.4f}, {row['high']:.4f}]", str(row["n"]),
         said[row["same"]] + (f", stored {row['stored']:.4f}" if row["same"] is False else "")]
        for row in rows
    ]  # fmt: skip
    return columns(lines, ["task", "split", "model", "seed", "metric", "value", "95 % interval", "n", "compared"]), same
