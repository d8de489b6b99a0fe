"""The source `checklist`: minimum functionality tests (Ribeiro et al. 2020), examples that a task's own file makes of
templates, each with the label that it must have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod
from string import Formatter
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from harness.core.errors import HarnessError, TaskAbsentError, did_you_mean
from harness.core.specs import TaskSpec
from harness.core.strict_spec import Strict, listed, parse
from harness.data.assemble import Reading
from harness.data.source import Source, refuse_rest
from harness.data.table import table_of

NAME = "checklist"
SPLIT = "test"
TEXT, LABEL, ID = "text", "label", "id"
MOST_COMBINATIONS = 1_000_000


class FunctionalityTest(Strict):
    """Templates, in whose braces stand names of slots, and the label of all that is made of them. `{thing2}` is another
    draw of the slot `thing`, never the same word.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]*$")
    templates: Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]
    label: str


class ChecklistSpec(Strict):
    """Words by slot, and tests made of them; of one that has more than `most` examples so many are drawn."""

    slots: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    tests: list[FunctionalityTest] = Field(min_length=1)
    most: int = Field(default=500, ge=1, le=100_000)


class Checklist(Source):
    """What a task's section `sources.checklist` describes: the split `test`, the same everywhere."""

    askable = False

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        refuse_rest(NAME, rest)
        settings = task.sources.of(NAME)
        if settings is None:
            raise TaskAbsentError(f"task '{task.name}' has no checklist (its sources have no section {NAME})")
        if other := [split for split in splits if split != SPLIT]:
            raise TaskAbsentError(f"task '{task.name}': a checklist has the split {SPLIT} alone, not {other[0]}")
        table = table_of(examples(_parsed(settings, f"task '{task.name}'")), f"{NAME} of {task.name}")
        return Reading("templates", {SPLIT: table}, {TEXT: TEXT, LABEL: LABEL}, id=ID)

    def state(self, task: TaskSpec, rest: str) -> object | None:
        refuse_rest(NAME, rest)
        if task.sources.of(NAME) is None:
            raise TaskAbsentError(f"task '{task.name}' has no checklist (its sources have no section {NAME})")
        return NAME

    def check(self, settings: Mapping[str, Any], where: str) -> None:
        _parsed(settings, where)


SOURCE = Checklist()


def examples(spec: ChecklistSpec) -> dict[str, list[str]]:
    """The columns of a checklist's examples, none twice, in an order that mixes the tests: the first are of all."""
    rows: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    for test in spec.tests:
        made = [text for template in test.templates for text in _filled(template, spec.slots)]
        texts = [text for text in dict.fromkeys(made) if text not in seen]
        drawn = set(sorted(texts, key=_draw)[: spec.most])
        kept = [text for text in texts if text in drawn]
        seen.update(kept)
        rows += [(f"{test.name}-{number}", text, test.label) for number, text in enumerate(kept)]
    rows.sort(key=lambda row: _draw(row[1]))
    return {name: [row[place] for row in rows] for place, name in enumerate((ID, TEXT, LABEL))}


def _draw(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _filled(template: str, slots: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """All that a template stands for."""
    names = _names_in(template)
    words = [slots[_slot(name, slots)] for name in names]
    for drawn in islice(product(*words), MOST_COMBINATIONS):
        by_slot: dict[str, list[str]] = {}
        for name, word in zip(names, drawn, strict=True):
            by_slot.setdefault(_slot(name, slots), []).append(word)
        if all(len(set(used)) == len(used) for used in by_slot.values()):
            text = template.format(**dict(zip(names, drawn, strict=True)))
            yield text[:1].upper() + text[1:]


def _names_in(template: str) -> list[str]:
    return list(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name is not None))


def _slot(name: str, slots: Mapping[str, Sequence[str]]) -> str:
    return name if name in slots else name.rstrip("0123456789")


def _parsed(settings: Mapping[str, Any], where: str) -> ChecklistSpec:
    """Raises HarnessError for settings that are none, a slot without words, or too many combinations."""
    spec = parse(ChecklistSpec, dict(settings), f"{where}: sources.{NAME}")
    for test in spec.tests:
        for template in test.templates:
            try:
                parts = list(Formatter().parse(template))
            except ValueError as error:
                raise HarnessError(f"{where}: {NAME}: {template!r}: {error}") from None
            if any(name is not None and (width or conversion) for _, name, width, conversion in parts):
                raise HarnessError(f"{where}: {NAME}: {template!r}: in braces stands the name of a slot alone")
            for name in _names_in(template):
                if _slot(name, spec.slots) not in spec.slots:
                    hint = did_you_mean(name, spec.slots)
                    raise HarnessError(f"{where}: {NAME}: {template!r}: there is no slot '{name}'.{hint}")
            count = prod(len(spec.slots[_slot(name, spec.slots)]) for name in _names_in(template))
            if count > MOST_COMBINATIONS:
                raise HarnessError(f"{where}: {NAME}: {template!r}: {count:,} texts, at most {MOST_COMBINATIONS:,}")
    names = [test.name for test in spec.tests]
    if len(set(names)) < len(names):
        raise HarnessError(f"{where}: {NAME}: two tests are called '{max(names, key=names.count)}'")
    return spec
