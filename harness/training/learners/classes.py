"""Which output of a classifier is which class of a task: by name, never by position."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.core.families import Family, Labelling
from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec

GENERIC = re.compile(r"LABEL_\d+")
"""What `transformers` calls classes that nobody named."""


def class_order(names: Mapping[Any, str], task: TaskSpec, labels: Sequence[str], model: str) -> list[int] | None:
    """Where the task's classes stand among a model's outputs.

    Args:
        names: The model's classes by the index of their output, as a config's `id2label`.
        task: The task, whose `label_aliases` are other spellings.
        labels: The task's classes in order.
        model: What messages call the model.

    Returns:
        For each class of the task the index of its output; None where the orders are the same.

    Raises:
        HarnessError: the model does not name its classes, or they are not those of the task; both sets are named.
    """
    own = [str(name) for _, name in sorted(((int(index), name) for index, name in names.items()))]
    if own == list(labels):
        return None
    if any(GENERIC.fullmatch(name) for name in own):
        raise HarnessError(
            f"model {model}: its classes are called {', '.join(own)}, which does not say which is which of task "
            f"{task.name} ({', '.join(labels)}); name them in id2label of its config"
        )
    meanings = {label: label for label in labels} | {
        alias: label for alias, label in task.label_aliases.items() if alias not in labels
    }
    for spelling in (lambda text: text, str.casefold):
        known = {spelling(alias): label for alias, label in meanings.items()}
        found = [known.get(spelling(name)) for name in own]
        if sorted(filter(None, found)) == sorted(labels) and None not in found:
            return [found.index(label) for label in labels]
    raise HarnessError(
        f"model {model}: its classes are {', '.join(own)}, those of task {task.name} are {', '.join(labels)}; the "
        "names must be the same"
    )


def in_order(family: Family, predicted: Predictions, order: Sequence[int] | None) -> Predictions:
    """Predictions whose logits (n, classes) stand in the task's order; `order` is None where they do already."""
    if order is None or "logits" not in predicted.columns:
        return predicted
    assert isinstance(family, Labelling)
    logits = predicted.columns["logits"][:, list(order)]
    return Predictions(family.decode(logits), {**predicted.columns, "logits": logits}, predicted.settings)
