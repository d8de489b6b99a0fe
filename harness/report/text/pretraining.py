"""Pretrained checkpoints, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.core.cell_records import PretrainRecord
from harness.core.errors import HarnessError, StoredFileError
from harness.core.hashing import short
from harness.core.runs import asked_for, with_names
from harness.core.store import Store
from harness.report.tables import pretraining
from harness.report.tables.report_format import check_other_table
from harness.report.text.runs import say_damaged
from harness.report.text.text import columns
from harness.training.curves import LOSSES, read_losses


def checkpoint_text(record: PretrainRecord) -> str:
    """What was trained on what, and its scores on held-out text."""
    fit, data = record.fit, record.data
    head = (
        f"{record.model.name}: {record.objective}, {record.model.parameters or 0:,} parameters, "
        f"{fit.steps} steps, {fit.tokens:,} {fit.unit} ({fit.epochs:g} epochs of {data.location}, data "
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
        held_out = "text" if fit.unit == "tokens" else fit.unit
        return f"{head}\nno held-out {held_out} to score: the corpus is too small"
    units = "blocks" if fit.unit == "tokens" else fit.unit
    return f"{head}\n{columns(rows, ['held-out score', 'value', '95 % interval', units, 'chance', 'better'])}"


def pretrainings_of(store: Store, name: str) -> str:
    """The pretrainings of a run, each with its loss and its scores on held-out text; empty where it has none."""
    asked = asked_for([store.run(name)], "pretrain")
    records = with_names(store.find_all(asked, say_damaged, PretrainRecord), asked)
    return "\n\n".join(f"{checkpoint_text(record)}{_loss_text(_losses(store, record))}" for record in records)


def _loss_text(losses: Sequence[float]) -> str:
    if not losses:
        return ""
    places = dict.fromkeys(round(part * (len(losses) - 1) / 5) for part in range(6))
    return "\ntraining loss  " + ", ".join(f"{losses[place]:.3f} (step {place + 1:,})" for place in places)


def pretraining_text(store: Store, names: Sequence[str], style: str, plot: Path | None = None) -> str:
    """The pretrainings of the named runs, or of all runs, side by side, as `markdown` or `json`; `plot` is a file for
    their losses.

    Raises:
        HarnessError: no run, none with a pretraining, another style, or several tables for one plot.
    """
    check_other_table("--pretraining", style)
    asked = asked_for(store.runs(names, say_damaged), "pretrain")
    every = with_names(store.find_all(asked, say_damaged, PretrainRecord), asked)
    records = list({(record.cell, record.model.name): record for record in every}.values())
    if not records:
        where = "these runs" if names else store.root
        raise HarnessError(f"no pretraining in {where}; make one with `harness pretrain`")
    comparisons = pretraining.build(records, {record.cell: _losses(store, record) for record in records})
    if plot is not None:
        if len(comparisons) > 1:
            raise HarnessError(
                f"--plot draws one objective on one corpus, here are {len(comparisons)}; name the runs to draw"
            )
        pretraining.plot(comparisons[0], plot)
    if style == "json":
        return pretraining.to_json(comparisons)
    return "\n".join(map(pretraining.to_markdown, comparisons)).rstrip("\n")


def _losses(store: Store, record: PretrainRecord) -> list[float]:
    """Of each step; none where the file is not there or is damaged, which is said."""
    if LOSSES not in record.files:
        return []
    try:
        return read_losses(store.file(record.cell, LOSSES))
    except StoredFileError as error:
        say_damaged(error)
        return []


def checkpoint_json(record: PretrainRecord, folder: Path) -> str:
    keep = ("cell", "model", "objective", "data", "seed", "scores", "fit", "environment", "timings")
    content = record.as_json()
    return json.dumps({"checkpoint": str(folder), **{key: content[key] for key in keep}}, indent=1, ensure_ascii=False)
