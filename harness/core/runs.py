"""What runs call the models of their cells. A record says what was computed, under no name: one cell may stand in
several runs, and twice in one, under a name each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]
"""What a run says of one of its models: `name`, `id`, how it was asked for, and of a compressed one its original."""
NAMED_BY_RUNS = ("name", "id", "overrides", "pretrained", "revision", "original", "original_id", "method")
"""The keys of such facts; what else is known of a model is content, and stands in its records."""


def asked_for(manifests: Sequence[Mapping[str, Any]], *kinds: str) -> dict[str, list[Facts]]:
    """The cells of runs, each once in the order of the runs, with what each is called.

    Args:
        manifests: Of runs, oldest first.
        kinds: The kinds of cells; all where none is given.

    Returns:
        By key the facts of each model the cell was asked for as, one at least; empty facts where the run is so old
        that its records hold them.
    """
    found: dict[str, dict[str, Facts]] = {}
    for manifest in manifests:
        facts = manifest.get("model_facts", {})
        for cell in manifest["cells"]:
            if not kinds or cell["kind"] in kinds:
                own = facts.get(cell["model"], {})
                found.setdefault(cell["cell"], {})[own.get("id", "")] = own
    return {key: list(models.values()) for key, models in found.items()}


def with_names(records: Iterable[Mapping[str, Any]], asked: Mapping[str, Sequence[Facts]]) -> list[dict[str, Any]]:
    """The records with what runs call their models, each as often as it was asked for under another name."""
    return [named(record, facts) for record in records for facts in asked[record["cell"]]]


def named(record: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """A record whose `model` holds what a run says of it as well."""
    return {**record, "model": {**record.get("model", {}), **facts}}


def facts_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that a plan knows of a model, what the run says of it."""
    return {key: model[key] for key in NAMED_BY_RUNS if key in model}


def content_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that a plan knows of a model, what its records say of it."""
    return {key: value for key, value in model.items() if key not in NAMED_BY_RUNS}
