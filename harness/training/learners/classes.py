"""Which output of a classifier is which class of a task: by name, never by position."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES, Family, Labelling
from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec

if TYPE_CHECKING:
    import numpy as np

GENERIC = re.compile(r"LABEL_\d+")
"""What `transformers` calls classes that nobody named."""


ClassOrder = Sequence[Sequence[int]]
"""For each class of a task the outputs of a model that stand for it: one, or several that a map makes one."""


def class_order(
    names: Mapping[Any, str],
    task: TaskSpec,
    labels: Sequence[str],
    model: str,
    label_map: Mapping[str, str] | None = None,
) -> ClassOrder | None:
    """Where the task's classes stand among a model's outputs: by their names, and by a stated map where those differ.

    Args:
        names: The model's classes by the index of their output, as a config's `id2label`.
        task: The task, whose `label_aliases` are other spellings.
        labels: The task's classes in order.
        model: What messages call the model.
        label_map: The task's class for a class of the model; several may become one.

    Returns:
        For each class of the task its outputs; None where the orders are the same.

    Raises:
        HarnessError: the model does not name its classes, or they are not those of the task; both sets are named. Or
            the map contradicts the names.
    """
    model_labels = [str(name) for _, name in sorted((int(index), name) for index, name in names.items())]
    stated = _stated(label_map or {}, task, labels)
    if model_labels == list(labels) and not stated:
        return None
    if any(GENERIC.fullmatch(name) and name not in stated for name in model_labels):
        example = f"--label-map {model_labels[0]}={labels[0]}"
        raise HarnessError(
            f"model {model}: its classes are called {', '.join(model_labels)}, which does not say which is which of "
            f"task {task.name} ({', '.join(labels)}); say it, such as {example}, or name them in id2label of its config"
        )
    by_name = _by_name(model_labels, task, labels)
    matched = [by_name.get(name, stated.get(name)) for name in model_labels]
    for name in model_labels:
        if by_name.get(name, stated.get(name)) != stated.get(name, by_name.get(name)):
            raise HarnessError(
                f"--label-map {name}={stated[name]}: task {task.name} has a class of that name, {by_name[name]}"
            )
    outputs = [[index for index, label in enumerate(matched) if label == wanted] for wanted in labels]
    twice = any(sum(model_labels[index] not in stated for index in same) > 1 for same in outputs)
    if None in matched or not all(outputs) or twice:
        raise HarnessError(
            f"model {model}: its classes are {', '.join(model_labels)}, those of task {task.name} are "
            f"{', '.join(labels)}; the names must be the same, or --label-map MODEL_LABEL=TASK_LABEL says which is"
        )
    return None if outputs == [[index] for index in range(len(labels))] else outputs


def tag_order(
    names: Mapping[Any, str],
    task: TaskSpec,
    labels: Sequence[str],
    model: str,
    label_map: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The task's tag for each output of a tagger, by name or by a stated map. Tags that the model never gives are no
    fault: models of IOB1 know no B- where nothing calls for one.

    Args:
        names: The model's tags by the index of their output, as a config's `id2label`.
        task: The task, whose `label_aliases` are other spellings.
        labels: The task's tags.
        model: What messages call the model.
        label_map: The task's tag for a tag of the model; several may become one, such as O.

    Raises:
        HarnessError: a tag of the model is none of the task's, or it does not name its tags; both sets are named.
    """
    model_labels = [str(name) for _, name in sorted((int(index), name) for index, name in names.items())]
    stated = _stated(label_map or {}, task, labels)
    by_name = _by_name(model_labels, task, labels)
    for name in model_labels:
        if name not in by_name and name not in stated:
            raise HarnessError(
                f"model {model}: its tags are {', '.join(model_labels)}, those of task {task.name} are "
                f"{', '.join(labels)}; say what {name} is, such as --label-map {name}={labels[0]}"
            )
    return tuple(by_name.get(name) or stated[name] for name in model_labels)


def labels_between(
    trained: TaskSpec,
    trained_labels: Sequence[str],
    task: TaskSpec,
    labels: Sequence[str],
    label_map: Mapping[str, str],
) -> dict[str, str]:
    """The task's class for each class of the task that a model was trained on: by name, by an alias that either of both
    tasks has, or by a stated map.

    Args:
        trained: The task that the model was trained on.
        trained_labels: Its classes in order.
        task: The task that is scored.
        labels: Its classes in order.
        label_map: The task's class for a class of the other; several may become one.

    Returns:
        A class for each of `trained_labels`; empty where both have the same classes in one order.

    Raises:
        HarnessError: the classes are not the same ones; both sets are named.
    """
    family, model = FAMILIES.get(task.family), f"trained on {trained.name}"
    by_name = _by_name(trained_labels, task, labels)
    also = {label: alias for alias, label in trained.label_aliases.items() if alias in labels and label not in by_name}
    stated = {**also, **label_map}
    names = dict(enumerate(trained_labels))
    if list(trained_labels) == list(labels) and not stated.keys() & set(trained_labels):
        return {}
    if family.predictions == "tags":
        tags = tag_order(names, task, labels, model, stated)
        return dict(zip(trained_labels, tags, strict=True))
    order = class_order(names, task, labels, model, stated) or [[index] for index in range(len(labels))]
    return {trained_labels[index]: label for label, outputs in zip(labels, order, strict=True) for index in outputs}


def relabelled(
    family: Family, predicted: Predictions, trained_labels: Sequence[str], labels: Sequence[str], by: Mapping[str, str]
) -> Predictions:
    """Predictions of a model of other classes as those of a task's.

    Args:
        family: The task's.
        predicted: Class ids or tags, of the classes that the model was trained on.
        trained_labels: These, in order.
        labels: The task's classes in order.
        by: The task's class for each of the model's, as `labels_between` has it.

    Returns:
        The same predictions by the task's classes.
    """
    import numpy as np

    if family.predictions == "tags":
        values = np.empty(len(predicted.values), dtype=object)
        values[:] = [" ".join(by[tag] for tag in tags.split(" ")) for tags in predicted.values]
        return replace(predicted, values=values)
    order = [[index for index, name in enumerate(trained_labels) if by[name] == label] for label in labels]
    if "logits" in predicted.columns:
        return in_order(family, predicted, order)
    ids = np.asarray([labels.index(by[name]) for name in trained_labels])
    return replace(predicted, values=ids[predicted.values])


def _by_name(model_labels: Sequence[str], task: TaskSpec, labels: Sequence[str]) -> dict[str, str]:
    """The task's class for each of the model's that has its name or an alias, in any case where that says it."""
    meanings = {label: label for label in labels} | {
        alias: label for alias, label in task.label_aliases.items() if alias not in labels
    }
    loose = {alias.casefold(): label for alias, label in meanings.items()}
    exact = {name: meanings[name] for name in model_labels if name in meanings}
    free = set(labels) - set(exact.values())
    others = {name: loose[name.casefold()] for name in model_labels if name not in exact and name.casefold() in loose}
    return exact | {name: label for name, label in others.items() if label in free}


def _stated(label_map: Mapping[str, str], task: TaskSpec, labels: Sequence[str]) -> dict[str, str]:
    """What of a map is of this task: one map may be of several, whose classes differ."""
    meanings = {label: label for label in labels} | {
        alias: label for alias, label in task.label_aliases.items() if alias not in labels
    }
    return {name: meanings[label] for name, label in label_map.items() if label in meanings}


def in_order(family: Family, predicted: Predictions, order: ClassOrder | None) -> Predictions:
    """Predictions whose logits (n, classes) stand in the task's order; `order` is None where they do already."""
    if order is None or "logits" not in predicted.columns:
        return predicted
    assert isinstance(family, Labelling)
    logits = in_columns(predicted.columns["logits"], order)
    columns = {**predicted.columns, "logits": logits}
    return Predictions(family.decode(logits), columns, predicted.settings, predicted.read, predicted.cautions)


def in_columns(logits: np.ndarray, order: ClassOrder) -> np.ndarray:
    """Logits (n, outputs) as those of a task's classes (n, classes): the probabilities of several outputs are added."""
    import numpy as np

    columns = [
        logits[:, columns[0]] if len(columns) == 1 else np.logaddexp.reduce(logits[:, list(columns)], axis=1)
        for columns in order
    ]
    return np.stack(columns, axis=1).astype(logits.dtype)
