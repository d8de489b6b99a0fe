"""A pretrained checkpoint, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from harness.core.cell_records import PretrainRecord
from harness.core.hashing import short
from harness.report.text.text import columns


def checkpoint_text(record: PretrainRecord) -> str:
    """What was trained on what, and its scores on held-out text."""
    fit, data = record.fit, record.data
    head = (
        f"{record.model.name}: {record.objective}, {record.model.parameters or 0:,} parameters, "
        f"{fit.steps} steps, {fit.tokens:,} tokens ({fit.epochs:g} epochs of {data.location}, data "
        f"{short(data.fingerprint)}), seed {record.seed}, {record.timings.seconds:.0f} s"
    )
    if fit.budget:
        head += f", of a budget of {fit.budget.planned_seconds:g} s"
    rows = [
        [name, f"{score.value:.4g}", f"[{score.low:.4g}, {score.high:.4g}]", str(score.n),
         f"{score.chance:.4g}" if score.chance is not None else "–", "higher" if score.greater_is_better else "lower"]
        for name, score in record.scores.items()
    ]  # fmt: skip
    if not rows:
        return f"{head}\nno held-out text to score: the corpus is too small"
    return f"{head}\n{columns(rows, ['held-out score', 'value', '95 % interval', 'blocks', 'chance', 'better'])}"


def checkpoint_json(record: PretrainRecord, folder: Path) -> str:
    keep = ("cell", "model", "objective", "data", "seed", "scores", "fit", "environment", "timings")
    content = record.as_json()
    return json.dumps({"checkpoint": str(folder), **{key: content[key] for key in keep}}, indent=1, ensure_ascii=False)
