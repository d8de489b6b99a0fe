"""What readers of a score must know of examples that its model had learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.core.cell_records import CleanAndDirty, ContaminationRecord, ScoreRecord

KIND = "contamination"


def with_contamination(scores: Sequence[ScoreRecord], records: Iterable[ContaminationRecord]) -> list[ScoreRecord]:
    """The scores with a caution each where some of their examples stand in what the model learned from."""
    notes = notes_by_score(records)
    return [
        score.model_copy(update={"cautions": [*score.cautions, *notes[score.cell]]}) if score.cell in notes else score
        for score in scores
    ]


def notes_by_score(records: Iterable[ContaminationRecord]) -> dict[str, list[str]]:
    """By score cell what was found of its examples in what the model learned from."""
    notes: dict[str, list[str]] = {}
    for record in records:
        if note := contamination_note(record):
            for cell in record.scored:
                notes.setdefault(cell, []).append(note)
    return notes


def contamination_note(record: ContaminationRecord) -> str:
    """`33 of 600 examples of dev stand in its corpus …: accuracy 81.2 on the 567 clean …`; empty where none does."""
    places = {"corpus": "its corpus", "tasks": "the tasks that it was meta-trained on"}
    place = places.get(record.of, f"its training split {record.location}")
    if record.reason:
        return f"whether {record.split} stands in {place} is not known: {record.reason}"
    if not record.dirty:
        return ""
    count = len(record.dirty)
    scores = "; ".join(_parts(name, parts, count, record.n) for name, parts in record.by_metric.items())
    words = "word for word" if record.of == "corpus" else "letter for letter"
    return f"{count} of {record.n} examples of {record.split} stand in {place}, {record.exact} {words}: {scores}"


def _parts(name: str, parts: CleanAndDirty, count: int, n: int) -> str:
    clean, dirty = (("–" if value is None else f"{100 * value:.1f}") for value in (parts.clean, parts.dirty))
    text = f"{name} {clean} on the {n - count} clean ones, {dirty} on these"
    if parts.difference is None:
        return text
    difference = parts.difference
    return f"{text} ({100 * difference.value:+.1f} [{100 * difference.low:.1f}, {100 * difference.high:.1f}])"
