"""Texts of a task, changed as tests of behaviour say: an example is a text before and after, and no label is needed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.core import code_identity, plugins
from harness.core.checks_spec import BehaviourTest, Change, ChecksSpec
from harness.core.errors import HarnessError, unknown
from harness.core.families import FAMILIES
from harness.core.hashing import hash_file
from harness.core.reading import expanded, is_file
from harness.core.specs import TaskSpec
from harness.core.strict_spec import parse
from harness.data.frame import Split, TaskData
from harness.data.noise import Draw
from harness.data.unlabelled import read_unlabelled

ORIGINAL, TEST = "original", "test"
"""Columns beside the changed texts: the text before, and the test."""
PASSES = 1
"""The reference of each example."""
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]*\d)")


def checks_identity(spec: ChecksSpec) -> dict[str, Any]:
    """The tests, the state of a file of texts, and the code of the operations they use."""
    names = [name for test in spec.tests for name in test.change.operation or ()]
    sources = [plugins.table("augmentation").source(name) for name in names]
    code = code_identity.identity(*sources) if sources else ""
    read = hash_file(expanded(spec.texts)) if spec.texts and is_file(expanded(spec.texts)) else ""
    return {"checks": spec.model_dump(mode="json", exclude={"texts"}), "texts": read, "code": code}


def to_be_checked(data: TaskData, task: TaskSpec) -> TaskData:
    """The task's data with changed texts in the splits it is scored on. Raises HarnessError for a test that does not
    fit the task, or where none of the tests changes a text.
    """
    assert task.checks is not None
    spec, where = task.checks, f"checks {task.checks.name}"
    field = changed_field(task)
    for test in spec.tests:
        if test.label is not None and test.label not in data.labels:
            raise unknown("class", test.label, data.labels, f"{where}: {test.name}")
    splits, notes = dict(data.splits), list(data.notes)
    unlabelled = None if spec.texts is None else read_unlabelled(task, spec.texts, f"{where}: texts")
    for name in dict.fromkeys(data.stands_in.get(name, name) for name in task.eval):
        if name in splits:
            texts = unlabelled or splits[name]
            splits[name] = changed = _changed(texts, spec, field, where)
            notes.append(f"{name}: {len(changed)} changed texts of {len(texts)} examples")
            idle = [test.name for test in spec.tests if test.name not in changed.fields[TEST]]
            notes += [f"{name}: nothing to change for {', '.join(idle)}"] if idle else []
    return replace(data, task=task.name, splits=splits, notes=tuple(notes))


def changed_field(task: TaskSpec) -> str:
    """The text that the tests of a task change. Raises HarnessError for one that it does not have."""
    assert task.checks is not None
    spec, where = task.checks, f"checks {task.checks.name}"
    family = FAMILIES.get(task.family)
    fields = family.text_fields(task.fields)
    if not fields:
        raise HarnessError(f"{where}: {task.name} has no text to change")
    if spec.field is not None and spec.field not in fields:
        raise HarnessError(f"{where}: field {spec.field}: {task.name} has no such text, only {', '.join(fields)}")
    return spec.field or fields[-1]


def _changed(split: Split, spec: ChecksSpec, field: str, where: str) -> Split:
    rows: list[int] = []
    texts: list[str] = []
    tests: list[str] = []
    for test in spec.tests:
        made = _by_test(split, spec, test, field, where)
        rows += list(made)
        texts += list(made.values())
        tests += [test.name] * len(made)
    if not rows:
        raise HarnessError(f"{where}: none of its tests changes any of the {len(split)} texts")
    part = split.select(rows)
    fields = {**part.fields, field: tuple(texts), ORIGINAL: part.fields[field], TEST: tuple(tests)}
    ids = tuple(f"{test}/{name}" for test, name in zip(tests, part.ids, strict=True))
    return Split(ids, fields, (PASSES,) * len(ids), clean=split.fingerprint)


def _by_test(split: Split, spec: ChecksSpec, test: BehaviourTest, field: str, where: str) -> dict[int, str]:
    """The changed texts of some examples, by their place, in order; what the change leaves alone is not drawn."""
    change = Changing(test.change, f"{where}: {test.name}")
    made: dict[int, str] = {}
    for row in split.drawn_order(spec.seed):
        text = split.fields[field][row]
        new = change.of(text, spec.seed, spec.name, test.name, split.ids[row])
        if new != text and new.strip():
            made[row] = new
        if len(made) == spec.most:
            break
    return dict(sorted(made.items()))


class Changing:
    """What makes a new text, by its spec. Raises HarnessError for an operation that makes none."""

    def __init__(self, change: Change, where: str) -> None:
        self.change = change
        self.operation: Any = None
        for name, options in (change.operation or {}).items():
            kind = plugins.lookup("augmentation", name, where)
            if not hasattr(kind, "rewritten"):
                raise HarnessError(f"{where}: {name} makes no new text of a text")
            self.operation = kind(parse(kind.Options, options, f"{where}: {name}"))
        words = sorted(change.swap or (), key=lambda word: (-len(word), word))
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)") if words else None

    def of(self, text: str, *names: object) -> str:
        """The changed text; the same where there is nothing to change. What is random depends on the names."""
        if self.operation is not None:
            return str(self.operation.rewritten(text, *names))
        draw = _draws(*names)
        if self.change.append is not None:
            return f"{text.rstrip()} {_choice(self.change.append, draw)}"
        if self.change.prepend is not None:
            return f"{_choice(self.change.prepend, draw)} {text.lstrip()}"
        if self._words is not None:
            return self._words.sub(lambda match: self._other(match[0], draw), text)
        return NUMBER.sub(lambda match: _other_number(match[0], draw), text)

    def _other(self, word: str, draw: Draw) -> str:
        return _choice([other for other in self.change.swap or () if other != word], draw)


def _draws(*names: object) -> Draw:
    return random.Random("\0".join(map(str, names))).random


def _choice(values: Sequence[str], draw: Draw) -> str:
    return values[int(len(values) * draw())]


def _other_number(number: str, draw: Draw) -> str:
    """Another of as many digits."""
    least = 10 ** (len(number) - 1) if len(number) > 1 else 0
    new = least + int((10 ** len(number) - least - 1) * draw())
    return str(new if new < int(number) else new + 1)
