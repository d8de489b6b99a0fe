"""Which changes leave a task's labels right, and in which of its texts."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.augment_spec import AugmentSpec
from harness.core.families import FAMILIES
from harness.core.specs import TaskSpec
from harness.data.augment.base import Augmentation, Change, JoiningOperation

STYLE: frozenset[Change] = frozenset({"style"})
FORM: frozenset[Change] = frozenset({"style", "punctuation"})
NOISE: frozenset[Change] = frozenset({"style", "punctuation", "spelling"})
ALL: frozenset[Change] = frozenset({"style", "punctuation", "spelling", "words", "sentences"})
NOTHING: frozenset[Change] = frozenset()


def safe_changes(task: TaskSpec) -> Mapping[str, frozenset[Change]]:
    """What may be changed in each of a task's texts, so that the label stays right."""
    family = FAMILIES.get(task.family)
    texts = family.text_fields(task.fields)
    if family.target is None or family.predictions == "tags":
        return dict.fromkeys(texts, NOTHING)
    if family.choices is not None:
        return {field: NOTHING if field == family.choices else FORM for field in texts}
    if family.extractive:
        return {field: ALL if field == "context" else NOISE for field in texts}
    if family.in_words:
        return dict.fromkeys(texts, NOISE)
    if task.label_of == "form":
        return dict.fromkeys(texts, STYLE)
    if family.predictions == "values" or len(texts) > 1:
        return dict.fromkeys(texts, FORM)
    return dict.fromkeys(texts, ALL)


def why_unsafe(task: TaskSpec, change: Change) -> str:
    """What such a change does to a label of the task; empty where it leaves it right."""
    if any(change in safe for safe in safe_changes(task).values()):
        return ""
    family = FAMILIES.get(task.family)
    what = {
        "style": "changes case or contractions",
        "punctuation": "changes punctuation",
        "spelling": "changes the spelling of words",
        "words": "changes words",
        "sentences": "cuts, moves or joins sentences",
        "meaning": "can change what a text says",
    }[change]
    if family.predictions == "tags":
        return f"{what}, and each word of {task.family} has its tag"
    if family.target is None:
        return f"{what}, and the text itself is what {task.family} learns"
    if task.label_of == "form":
        return f"{what}, and the label of {task.name} is about the form of a text"
    if family.in_words:
        return f"{what}, and the answer of {task.family} is of the text as it was"
    texts = "a pair of texts" if len(safe_changes(task)) > 1 else "a text"
    return f"{what}, and the label of {texts} ({task.family}) can become another"


def changed_fields(task: TaskSpec, operation: Augmentation, unsafe: bool) -> list[str]:
    """The texts that an operation is applied to."""
    safe = safe_changes(task)
    fields = [field for field, changes in safe.items() if operation.changes in changes]
    return list(safe) if unsafe and not fields else fields


def refusal(task: TaskSpec, name: str, operation: Augmentation, unsafe: bool) -> str | None:
    """Why an operation is not applied to a task's examples; None where it is."""
    family = FAMILIES.get(task.family)
    if operation.on == "texts" and not safe_changes(task):
        return f"augment: {name} changes texts, and {task.family} has none; leave it out"
    if reason := operation.refusal(task):
        return f"augment: {name} {reason}"
    if family.predictions == "tags":
        return f"augment: {name} changes texts, and each word of {task.family} has its tag; leave it out"
    if isinstance(operation, JoiningOperation) and (family.predictions != "labels" or len(safe_changes(task)) > 1):
        return f"augment: {name} joins two texts of one class, and {task.family} has no such"
    if operation.on == "texts" and not unsafe and (reason := why_unsafe(task, operation.changes)):
        return f"augment: {name} {reason}; leave it out, or set unsafe: true"
    return None


def notes_on(task: TaskSpec, spec: AugmentSpec, operations: Mapping[str, Augmentation]) -> list[str]:
    """What a record says of operations that can change the label, applied all the same."""
    notes = [f"augmented with {name}: {operation.note}" for name, operation in operations.items() if operation.note]
    if not spec.unsafe:
        return notes
    reasons = {
        name: why_unsafe(task, operation.changes) for name, operation in operations.items() if operation.on == "texts"
    }
    return notes + [f"augmented with {name}, which {reason}" for name, reason in reasons.items() if reason]
