"""What may stand in one table: records whose scores rest on the same data, task and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.cell_records import ScoreRecord

Record = ScoreRecord
Basis = dict[tuple[str, str], Any]


@dataclass(eq=False)
class Draft:
    """A table being filled: the basis its cells share, and each model's records."""

    basis: Basis = field(default_factory=dict)
    models: dict[str, list[Record]] = field(default_factory=dict)


def comparable(records: Sequence[Record]) -> list[Draft]:
    """Records by what may stand in one table, the newest first."""
    sources: dict[tuple, list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.created, record.cell), reverse=True):
        data = record.data
        key = (data.source, data.limit, data.portion)
        sources.setdefault(key, []).append(record)
    return [draft for group in sources.values() for draft in _compatible(group)]


def _compatible(records: Iterable[Record]) -> list[Draft]:
    """Spread models over as few drafts as the rule of `build` allows."""
    by_model: dict[str, list[Record]] = {}
    for record in records:
        by_model.setdefault(record.model.id, []).append(record)
    drafts: list[Draft] = []
    for model, model_records in by_model.items():
        variants: list[Draft] = []  # one model may itself have been scored on different data
        for record in model_records:
            variant = _first_fitting(variants, _basis(record))
            variant.models.setdefault(model, []).append(record)
        for variant in variants:
            free = [draft for draft in drafts if model not in draft.models]
            draft = _first_fitting(free, variant.basis)
            draft.models |= variant.models
            if draft not in drafts:
                drafts.append(draft)
    return drafts


def _first_fitting(drafts: list[Draft], basis: Basis) -> Draft:
    """The first draft that agrees with `basis` wherever both speak, else a new one at the end; it takes on `basis`."""
    for draft in drafts:
        if all(draft.basis.get(key, value) == value for key, value in basis.items()):
            break
    else:
        draft = Draft()
        drafts.append(draft)
    draft.basis.update(basis)
    return draft


def _basis(record: Record) -> Basis:
    """What two scores on a task must share to be compared: the task's version, all its splits and the data trained on,
    where that is known; and the versions of the metrics that both have.
    """
    task, data = record.task, record.data
    trained_on = data.trained_on or {}
    prints = {name: split.fingerprint for name, split in data.splits.items() if name not in trained_on}
    basis: Basis = {(task.name, "data"): [task.version, prints]}
    if trained_on:
        basis[task.name, "trained on"] = trained_on
    if record.scores:
        basis |= {(task.name, f"metric {name}"): score.version for name, score in record.scores.items()}
    return basis


def labels_of(firsts: Sequence[Record]) -> dict[str, str]:
    """Names by id, told apart by their overrides or, where these do not differ, by the beginning of the id. Where
    models of one table were trained in different floats, a name says so of those that are not fp32.
    """
    names = Counter(record.model.name for record in firsts)
    mixed = len({precision for record in firsts if (precision := record.precision.training)}) > 1
    marks = {
        record.model.id: _overrides(record) * (names[record.model.name] > 1) + _floats(record) * mixed
        for record in firsts
    }
    shown = Counter((record.model.name, *marks[record.model.id]) for record in firsts)
    labels = {}
    for model in (record.model for record in firsts):
        alike = shown[model.name, *marks[model.id]] > 1
        of_model = [*marks[model.id], model.id[:8]] if alike else marks[model.id]
        labels[model.id] = f"{model.name} ({', '.join(of_model)})" if of_model else model.name
    return labels


def _overrides(record: Record) -> list[str]:
    return [
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in record.model.overrides.items()
    ]


def _floats(record: Record) -> list[str]:
    """Not fp32, and not said by an override."""
    precision = record.precision.training
    return [] if precision in (None, "fp32", record.model.overrides.get("precision")) else [str(precision)]
