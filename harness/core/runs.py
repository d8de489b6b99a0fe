"""What runs call the models of their cells. A record says what was computed, under no name: one cell may stand in
several runs, and twice in one, under a name each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from harness.core.cell_records import ModelFacts, ModelRecord
from harness.core.facts import with_part
from harness.core.measurement_records import MeasureRecord
from harness.core.run_records import ModelNames, RunManifest

NAMED_BY_RUNS = ("name", "id", "overrides", "pretrained", "revision", "original", "original_id", "method")
"""What a run says of one of its models; what else is known of a model is content, and stands in its records."""
RecordT = TypeVar("RecordT", bound=ModelRecord)


def asked_for(manifests: Sequence[RunManifest], *kinds: str) -> dict[str, Sequence[ModelNames]]:
    """The cells of runs, each once in the order of the runs, with what each is called.

    Args:
        manifests: Of runs, oldest first.
        kinds: The kinds of cells; all where none is given.

    Returns:
        By key the names of each model the cell was asked for as, one at least; empty ones where the run is so old
        that its records hold them.
    """
    by_cell: dict[str, Sequence[ModelNames]] = {}
    alone: dict[int, Sequence[ModelNames]] = {}  # one object for all cells of a model
    for manifest in manifests:
        for cell in manifest.cells:
            if not kinds or cell.kind in kinds:
                names = manifest.names_of(cell)
                known = {other.id: other for other in by_cell.get(cell.cell, ())} | {names.id: names}
                several = len(known) > 1
                by_cell[cell.cell] = tuple(known.values()) if several else alone.setdefault(id(names), (names,))
    return by_cell


def with_names(records: Iterable[RecordT], asked: Mapping[str, Sequence[ModelNames]]) -> list[RecordT]:
    """The records with what runs call their models, each as often as it was asked for under another name."""
    models: dict[tuple[int, int], tuple[ModelFacts, ModelNames, ModelFacts]] = {}
    called = []
    for record in records:
        for names in asked[record.cell]:
            key = id(record.model), id(names)
            if key not in models:
                models[key] = record.model, names, record.model.model_copy(update=names.given)
            called.append(with_part(record, "model", models[key][2]) if names.given else record)
    return called


def content_name(key: str) -> str:
    """What the record of a measurement calls the model of a cell: the beginning of its key."""
    return key[:12]


def measured_in(record: MeasureRecord, asked: Mapping[str, Sequence[ModelNames]]) -> MeasureRecord:
    """A measurement whose models are called as in a run.

    Args:
        record: The record; one so old that it holds the names of a run keeps them.
        asked: The names of the run's cells, as `asked_for` gives them.

    Returns:
        The record with those names.
    """
    waiting = {key: [model.name for model in models] for key, models in asked.items()}
    names: dict[str, str] = {}
    for content, model in record.models.items():
        is_content = model.cell is not None and content.partition(" ")[0] == content_name(model.cell)
        of_run = waiting.get(model.cell or "", [])
        name = of_run.pop(0) if is_content and of_run else content
        names[content] = name if name and name not in names.values() else content
    content = _with_keys(record.model_dump(mode="json", exclude_unset=True), names)
    return type(record).model_validate(content)


def _with_keys(value: Any, names: Mapping[str, str]) -> Any:
    """JSON with other keys for the names of models, and the models called so where a reason begins with one."""
    if isinstance(value, Mapping):
        return {names.get(key, key): _with_keys(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_keys(inner, names) for inner in value]
    if isinstance(value, str) and (name := names.get(value.partition(": ")[0])):
        return f"{name}: {value.partition(': ')[2]}" if ": " in value else value
    return value


def named(record: RecordT, names: ModelNames) -> RecordT:
    """A record whose `model` holds what a run says of it as well."""
    return with_part(record, "model", record.model.model_copy(update=names.given))


def facts_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that a plan knows of a model, what the run says of it."""
    return {key: model[key] for key in NAMED_BY_RUNS if key in model}


def content_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that a plan knows of a model, what its records say of it."""
    return {key: value for key, value in model.items() if key not in NAMED_BY_RUNS}
