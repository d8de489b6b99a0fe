"""What a reader must know before the scores: rows left out, texts cut, models that have learned nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.cell_records import ScoreRecord
from harness.core.hashing import hash_json
from harness.core.predictions import reading_notes
from harness.report.tables.table import MetricScore
from harness.stats.bootstrap import EXAMPLES_AT_LEAST


def of_data(records: Sequence[ScoreRecord]) -> tuple[str, ...]:
    """What the source says of its data, each with its task: rows left out, a dev split cut from train."""
    notes = {f"{record.task.name}: {note}": None for record in records for note in record.data.notes}
    few = {(record.task.name, record.split): record.n for record in records if record.n < EXAMPLES_AT_LEAST}
    for (task, split), n in few.items():
        notes[f"{task}: {split} has {n} examples, too few for an interval; the whole scale stands for it"] = None
    return tuple(notes)


def of_machines(records: Sequence[ScoreRecord]) -> tuple[str, ...]:
    """Says where scores of one table come from different machines, or from processes with other numbers of threads."""
    kinds = {
        hash_json(machine.as_json()): machine for record in records if (machine := record.machine).model_fields_set
    }
    if len(kinds) < 2:
        return ()
    listed = "; ".join(
        f"{machine.threads} threads, {', '.join(machine.gpus or machine.isa) or 'unknown instructions'}"
        for machine in kinds.values()
    )
    return (f"Scores were computed on {len(kinds)} kinds of machines, whose last digits may differ: {listed}.",)


STAGES = {"pretraining": "pretrained", "training": "trained", "scoring": "scored"}


def of_precisions(records: Mapping[str, Sequence[ScoreRecord]], labels: Mapping[str, str]) -> tuple[str, ...]:
    """Names the models of one table that were not trained or scored in fp32, and those of which it is not known.

    Args:
        records: The records of each model, by its id.
        labels: What the models are called, by id.
    """
    return tuple(note for stage, done in STAGES.items() if (note := _in_other_floats(records, labels, stage, done)))


def _in_other_floats(
    records: Mapping[str, Sequence[ScoreRecord]], labels: Mapping[str, str], stage: str, done: str
) -> str:
    known = {model: {getattr(record.precision, stage) for record in of_model} for model, of_model in records.items()}
    parts = []
    for precision in sorted({name for names in known.values() for name in names if name not in (None, "fp32")}):
        members = [labels[model] + (" in part" if names != {precision} else "")
                   for model, names in known.items() if precision in names]  # fmt: skip
        parts.append(f"{done} in {precision}: {', '.join(members)}")
    if not parts:
        return ""
    if any("fp32" in names for names in known.values()):
        parts.append("others in fp32")
    if unknown := [labels[model] for model, of_model in records.items() if _is_unknown(of_model)]:
        parts.append(f"not recorded of {', '.join(unknown)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _is_unknown(records: Sequence[ScoreRecord]) -> bool:
    """Of transformers that were scored before records said so."""
    return any(record.runtime and "precision" not in record.model_fields_set for record in records)


def of_model(records: Sequence[ScoreRecord], metric_scores: Mapping[str, Sequence[MetricScore]]) -> tuple[str, ...]:
    """Of one model's scores: how they were chosen, what it did not read, and whether it has learned anything.

    Args:
        records: Its records.
        parts: Its scores, by task.
    """
    notes = [record.selection.note for record in records]
    for record in records:
        if partial := record.model.partial_weights:
            notes.append(f"its weights did not fit its config, and are random there: {partial.summary}")
    notes += [
        f"{record.task.name}: {note}"
        for record in records
        for note in [*reading_notes(record.read, record.split), *record.cautions]
    ]
    as_they_are = [record for record in records if not (record.task.attack or record.task.checks)]
    trained = {record.task.name for record in as_they_are if record.runtime}
    notes += [
        _at_chance(task, metric_score)
        for task, scores in metric_scores.items()
        if task in trained
        for metric_score in scores
        if is_chance(metric_score)
    ]
    return tuple(dict.fromkeys(note for note in notes if note))


def is_chance(metric_score: MetricScore) -> bool:
    """Whether a model is not above the best constant answer by a metric that its task's score rests on."""
    if metric_score.chance is None or not metric_score.is_primary:
        return False
    return (
        metric_score.estimate.low <= metric_score.chance
        if metric_score.greater_is_better
        else metric_score.estimate.high >= metric_score.chance
    )


def _at_chance(task: str, metric_score: MetricScore) -> str:
    estimate = metric_score.estimate
    scale = 100 if metric_score.is_fraction else 1
    value, low, high = (scale * bound for bound in (estimate.value, estimate.low, estimate.high))
    return (
        f"{task}: not above chance by {metric_score.metric} on {metric_score.split} ({value:.1f} "
        f"[{low:.1f}, {high:.1f}], chance {scale * metric_score.chance:.1f})"  # type: ignore[operator]
    )
