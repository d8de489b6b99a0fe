"""What a reader must know before the scores: rows left out, texts cut, models that have learned nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.cell_records import ScoreRecord
from harness.core.hashing import hash_json
from harness.core.predictions import reading_notes
from harness.report.tables.table import Part
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


def of_model(records: Sequence[ScoreRecord], parts: Mapping[str, Sequence[Part]]) -> tuple[str, ...]:
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
    trained = {record.task.name for record in records if record.runtime}
    notes += [
        _at_chance(task, part)
        for task, scores in parts.items()
        if task in trained
        for part in scores
        if is_chance(part)
    ]
    return tuple(dict.fromkeys(note for note in notes if note))


def is_chance(part: Part) -> bool:
    """Whether a model is not above the best constant answer by a metric that its task's score rests on."""
    if part.chance is None or not part.is_primary:
        return False
    return part.estimate.low <= part.chance if part.greater_is_better else part.estimate.high >= part.chance


def _at_chance(task: str, part: Part) -> str:
    scale = 100 if part.is_fraction else 1
    return (
        f"{task}: not above chance by {part.metric} on {part.split} ({scale * part.estimate.value:.1f} "
        f"[{scale * part.estimate.low:.1f}, {scale * part.estimate.high:.1f}], chance {scale * part.chance:.1f})"  # type: ignore[operator]
    )
