"""A training split with the further examples that operations make of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from harness.core.augment_spec import AugmentSpec
from harness.core.cell_records import AugmentFacts
from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.data.augment.base import Augmentation, JoiningOperation, TextOperation, make_operation
from harness.data.augment.draws import Draws
from harness.data.augment.safety import changed_fields, notes_on, refusal
from harness.data.augment.text import Pieces, Span, Text, joined, moved
from harness.data.frame import Split

CONTEXT = "context"
"""The field in which answers stand."""


def operations_of(spec: AugmentSpec, where: str) -> list[tuple[str, Augmentation]]:
    """The operations in order. Raises HarnessError for an unknown one, and for options it does not have."""
    return [(name, make_operation(name, options, where)) for name, options in spec.named]


def rows_an_example(spec: AugmentSpec, where: str = "augment") -> int:
    """How many rows of an epoch come of an example; one where nothing changes its texts."""
    return spec.rows if any(operation.on == "texts" for _, operation in operations_of(spec, where)) else 1


def inputs_of(spec: AugmentSpec, where: str) -> dict[str, dict[str, str]]:
    """The hashes of what the operations read, by operation. Raises HarnessError where something is missing."""
    read = {name: dict(operation.inputs()) for name, operation in operations_of(spec, where)}
    return {name: hashes for name, hashes in read.items() if hashes}


def refuse_changed_inputs(spec: AugmentSpec, planned: Mapping[str, Any], where: str) -> None:
    """Raises HarnessError where a file that an operation reads is another than when the run was planned."""
    if inputs_of(spec, where) != planned:
        raise HarnessError(f"{where}: a file that it reads changed since the run was planned; run it again")


def refused(spec: AugmentSpec, task: TaskSpec, where: str) -> str | None:
    """Why a task's examples are not augmented so; None where they are."""
    reasons = (refusal(task, name, operation, spec.unsafe) for name, operation in operations_of(spec, where))
    return next((reason for reason in reasons if reason), None)


@dataclass
class Row:
    """An example while it is changed.

    Attributes:
        of: The number of the example it is of.
        texts: Its texts by field.
        answers: The answers that stand in the context, with the places where they begin.
        by: The operations that changed it.
        refused: A change would have touched an answer.
    """

    of: int
    texts: dict[str, str]
    answers: tuple[tuple[str, int], ...] | None = None
    by: list[str] = field(default_factory=list)
    refused: bool = False


@dataclass(frozen=True)
class Expansion:
    """The rows that are trained on: the number of the example that each is of, and by which operations it was made
    (none: as it was).
    """

    split: Split
    of: tuple[int, ...]
    made_by: tuple[tuple[str, ...], ...]
    facts: AugmentFacts


@dataclass(frozen=True)
class Augmenter:
    """What makes the rows of a training split, by its spec and the seed.

    Attributes:
        spec: The operations.
        task: The task of the examples.
        seed: Of the training.
    """

    spec: AugmentSpec
    task: TaskSpec
    seed: int
    where: str = "augment"

    @cached_property
    def operations(self) -> list[tuple[str, Augmentation]]:
        """Those that make new texts."""
        return [
            (name, operation) for name, operation in operations_of(self.spec, self.where) if operation.on == "texts"
        ]

    def expanded(self, split: Split, epoch: int = 0) -> Expansion:
        """The rows of an epoch: each example, where it is kept, and its copies.

        Args:
            split: The training split.
            epoch: Its number, from 0; the rows are the same in all where `each` is `once`.

        Returns:
            The rows, those of an example together. An example that nothing changes is there as often all the same, so
            that classes keep their proportions.
        """
        copies = self.spec.copies if self.operations else 0
        first = epoch * copies if self.spec.each == "epoch" else 0
        made = [self._copy(split, first + copy) for copy in range(copies)]
        keeps = self.spec.keep_original or not self.operations
        rows: list[tuple[str, Row]] = []
        for index, name in enumerate(split.ids):
            rows += [(name, _row(split, index))] if keeps else []
            rows += [(f"{name}~{first + copy + 1}", column[index]) for copy, column in enumerate(made)]
        return Expansion(
            _split(split, rows),
            tuple(row.of for _, row in rows),
            tuple(tuple(row.by) for _, row in rows),
            self._facts(len(split), [row for column in made for row in column]),
        )

    def _copy(self, split: Split, number: int) -> list[Row]:
        """One copy of each example."""
        rows = [_row(split, index) for index in range(len(split))]
        count = len(self.operations)
        if self.spec.choose == "one":
            orders = [Draws(self.seed, name, "order").shuffled(range(count)) for name in split.ids]
            chosen = [{order[number % count]} for order in orders]
        else:
            chosen = [set(range(count))] * len(split)
        for place, (name, operation) in enumerate(self.operations):
            for text_field in changed_fields(self.task, operation, self.spec.unsafe):
                at = [row for row in rows if place in chosen[row.of] and text_field in row.texts]
                draws = [Draws(self.seed, split.ids[row.of], number, place, name, text_field) for row in at]
                if isinstance(operation, JoiningOperation):
                    self._join(split, operation, name, text_field, at, draws)
                elif isinstance(operation, TextOperation):
                    self._change(operation, name, text_field, at, draws)
        return rows

    def _change(
        self, operation: TextOperation, name: str, text_field: str, rows: list[Row], draws: list[Draws]
    ) -> None:
        texts = [Text(row.texts[text_field], _spans(row, text_field), self.spec.protected) for row in rows]
        results = operation.apply_all(texts, draws)
        if len(results) != len(texts):
            raise HarnessError(f"augmentation {name}: {len(results)} texts made of {len(texts)}")
        for row, text, result in zip(rows, texts, results, strict=True):
            _take(row, name, text_field, text, result)

    def _join(
        self, split: Split, operation: JoiningOperation, name: str, text_field: str, rows: list[Row], draws: list[Draws]
    ) -> None:
        alike: dict[Any, list[int]] = {}
        for index, label in enumerate(split.labels or ()):
            alike.setdefault(label, []).append(index)
        for row, drawn in zip(rows, draws, strict=True):
            others = alike[split.labels[row.of]] if split.labels is not None else range(len(split))
            if len(others) < 2:
                continue
            other = others[drawn.below(len(others) - 1)]
            other = others[-1] if other == row.of else other
            row.texts[text_field] = operation.join(row.texts[text_field], split.fields[text_field][other], drawn)
            row.by.append(name)

    def _facts(self, examples: int, copies: Sequence[Row]) -> AugmentFacts:
        by_operation = Counter(name for row in copies for name in row.by)
        return AugmentFacts(
            operations=[name for name, _ in self.spec.named],
            each=self.spec.each,
            examples=examples,
            augmented=sum(bool(row.by) for row in copies),
            unchanged=sum(not row.by and not row.refused for row in copies),
            refused=sum(row.refused for row in copies),
            by_operation=dict(sorted(by_operation.items())),
            notes=notes_on(self.task, self.spec, dict(operations_of(self.spec, self.where))),
        )


def total(parts: Sequence[AugmentFacts]) -> AugmentFacts:
    """Of several parts of a split."""
    by_operation: Counter[str] = Counter()
    for part in parts:
        by_operation.update(part.by_operation)
    counts = ("examples", "augmented", "unchanged", "refused")
    sums: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in counts}
    return parts[0].model_copy(update={**sums, "by_operation": dict(sorted(by_operation.items()))})


def _row(split: Split, index: int) -> Row:
    answers = None
    if split.starts is not None and split.labels is not None:
        answers = tuple(zip(split.labels[index], split.starts[index], strict=True))  # type: ignore[arg-type]
    return Row(index, {name: column[index] for name, column in split.fields.items()}, answers)


def _spans(row: Row, text_field: str) -> list[Span]:
    return [Span(start, start + len(text)) for text, start in row.answers or () if text_field == CONTEXT]


def _take(row: Row, name: str, text_field: str, text: Text, result: str | Pieces) -> None:
    """Give a row its new text, and its answers their new places; not where it has lost one, or has become empty."""
    new = result if isinstance(result, str) else joined(text.text, result)
    if new == text.text or not new.strip():
        return
    if row.answers and text_field == CONTEXT:
        placed = [_placed(answer, start, text.text, new, result) for answer, start in row.answers]
        if None in placed:
            row.refused = True
            return
        row.answers = tuple(answer for answer in placed if answer is not None)
    row.texts[text_field] = new
    if name not in row.by:
        row.by.append(name)


def _placed(answer: str, start: int, old: str, new: str, result: str | Pieces) -> tuple[str, int] | None:
    """An answer in the new text: by the pieces it is made of, by its place where only case has changed, else where it
    stands there once, as in the old one.
    """
    if not isinstance(result, str):
        place = moved(Span(start, start + len(answer)), result)
        return None if place is None else (answer, place)
    if len(new) == len(old) and new.casefold() == old.casefold():
        return new[start : start + len(answer)], start
    return (answer, new.index(answer)) if answer and old.count(answer) == new.count(answer) == 1 else None


def _split(split: Split, rows: Sequence[tuple[str, Row]]) -> Split:
    at = [row.of for _, row in rows]
    chosen = replace(split, oracle=None).select(at)
    texts: Mapping[str, tuple[str, ...]] = {name: tuple(row.texts[name] for _, row in rows) for name in split.fields}
    new = replace(chosen, ids=tuple(name for name, _ in rows), fields=texts)
    if split.starts is None:
        return new
    answers = [row.answers or () for _, row in rows]
    labels = tuple(tuple(text for text, _ in placed) for placed in answers)
    return replace(new, labels=labels, starts=tuple(tuple(start for _, start in placed) for placed in answers))
