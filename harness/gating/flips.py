"""Flips: examples the base had right and the candidate has wrong, with their texts, and scores by slices."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import LIBRARY
from harness.core.items import Item, in_words
from harness.core.libraries import answer_in
from harness.core.ranks import item_in_words
from harness.core.registry import load_registry
from harness.data.frame import Split
from harness.gating.estimates import counted
from harness.gating.pairing import Pair
from harness.gating.run_results import RunResults, Scored, TaskSplit
from harness.metrics.correctness import judge, right
from harness.pipeline.planner.rereading import read_again
from harness.stats.significance import drop_of_fractions, holm, mcnemar_mid_p

if TYPE_CHECKING:
    import numpy as np

Texts = Callable[[TaskSplit], Split | None]
LENGTHS = ((8, "1–8"), (16, "9–16"), (32, "17–32"), (64, "33–64"), (128, "65–128"))
"""Buckets of an example's words, over all its fields; the last one is open."""
LONGEST = "129 or more"
TAIL = 0.025


@dataclass(frozen=True)
class Flip:
    """An example that went from right to wrong, with what was said of it at the first seed where it did."""

    id: str
    text: str | None
    label: str
    base: str
    candidate: str
    seeds: int
    length: str | None


@dataclass(frozen=True)
class Flips:
    """Of one pair on one split: how many examples went from right to wrong and back over all seeds, those that went
    wrong, and their counts by label, length and error kind.
    """

    model: str
    task: str
    split: str
    n: int
    seeds: int
    worse: int
    better: int
    by_label: Mapping[str, int]
    by_length: Mapping[str, int]
    by_kind: Mapping[str, int]
    examples: tuple[Flip, ...]
    has_classes: bool = True


@dataclass(frozen=True)
class Slice:
    """The fraction of right answers on the examples of a split with one label or length; p is adjusted by Holm over all
    slices of the task.
    """

    model: str
    task: str
    split: str
    by: str
    value: str
    n: int
    base: float
    candidate: float
    drop: float
    low: float
    high: float
    p: float


def reader(reading: Mapping[str, Any], include: Sequence[Any] = (), earlier: Sequence[str] = ()) -> Texts:
    """A function that reads the texts of a part again, where its data can be had and is the same; else None. `reading`
    is how a run read them.
    """

    registry = load_registry(include, earlier)
    read: dict[tuple[str, str], Split | None] = {}

    def texts(task_split: TaskSplit) -> Split | None:
        if task_split.inputs is not None:
            return Split(task_split.ids or tuple(map(str, range(task_split.n))), {"text": task_split.inputs})
        key = task_split.task, task_split.split
        if key not in read:
            read[key] = None
            if "data" in reading:
                with suppress(HarnessError):
                    read[key] = read_again(
                        registry.task(task_split.task), reading, task_split.split, task_split.limit, task_split.data
                    )
        return read[key]

    return texts


def texts_of(base: RunResults, candidate: RunResults, include: Sequence[str | os.PathLike[str]]) -> Texts:
    """The texts of two runs, whose results folders remember where more tasks are described."""
    stores = [results.store for results in (candidate, base) if results.store is not None]
    earlier = [path for store in stores for path in store.includes()]
    return reader(candidate.how_read or base.how_read, [Path(path) for path in include], earlier)


def flips_of(pair: Pair, texts: Texts) -> list[Flips]:
    """A report a split, for tasks whose examples are right or wrong."""
    pair = pair.one_to_one()
    flips = []
    for task_split in pair.task_splits:
        by_seed = correctness(pair, task_split)
        if by_seed is None:
            continue
        worse = [base > candidate for base, candidate in by_seed]
        better = sum(int((candidate > base).sum()) for base, candidate in by_seed)
        split = texts(task_split)
        ids = task_split.ids or _ids(pair, task_split)
        lengths = _lengths(split)
        examples = []
        for index in sorted({int(index) for flags in worse for index in flags.nonzero()[0]}):
            at = [seed for seed, flags in enumerate(worse) if flags[index]]
            base, candidate = pair.scored[task_split.split][at[0]]
            examples.append(
                Flip(
                    id=ids[index] if ids else f"#{index}",
                    text=_text(split, index),
                    label=_label(task_split, index),
                    base=_answer(task_split, base, index),
                    candidate=_answer(task_split, candidate, index),
                    seeds=len(at),
                    length=lengths[index] if lengths else None,
                )
            )
        flips.append(
            Flips(
                model=pair.model,
                task=task_split.task,
                split=task_split.split,
                n=task_split.n,
                seeds=len(by_seed),
                worse=sum(int(flags.sum()) for flags in worse),
                better=better,
                by_label=_counts(flip.label for flip in examples) if _has_classes(task_split) else {},
                by_length=_counts(flip.length for flip in examples if flip.length),
                by_kind=_counts(_kind(task_split, flip) for flip in examples),
                examples=tuple(examples),
                has_classes=_has_classes(task_split),
            )
        )
    return flips


def without_texts(flips: Flips) -> Flips:
    """For those who may not read the data: ids, names of classes and counts, but no texts and no answers in words."""

    def kept(flip: Flip) -> Flip:
        return (
            replace(flip, text=None) if flips.has_classes else replace(flip, text=None, label="", base="", candidate="")
        )

    return replace(flips, examples=tuple(kept(flip) for flip in flips.examples))


def slices_of(pair: Pair, texts: Texts) -> list[Slice]:
    """Fractions of right answers by label and by length, where examples are right or wrong and drawn one by one: pairs
    of one item are not.
    """
    pair = pair.one_to_one()
    rows: list[tuple[TaskSplit, str, str, list[np.ndarray], float, float, float]] = []
    for task_split in pair.task_splits:
        by_seed = None if _is_retrieval(task_split) else correctness(pair, task_split)
        if by_seed is None:
            continue
        columns = (
            {"label": [_named(task_split, reference) for reference in task_split.references]}
            if _has_classes(task_split)
            else {}
        )
        if lengths := _lengths(texts(task_split)):
            columns["length"] = lengths
        for by, values in columns.items():
            for value in sorted(set(values), key=_length_order) if by == "length" else sorted(set(values)):
                rows.append((task_split, by, value, *_sliced(by_seed, [label == value for label in values])))
    adjusted = holm([p for *_, p in rows])
    slices = []
    for (task_split, by, value, lost, base, candidate, _), p in zip(rows, adjusted, strict=True):
        drop = drop_of_fractions([lost])
        half = drop.half_width(TAIL)
        bounds = max(-1.0, drop.value - half), min(1.0, drop.value + half)
        row = (
            pair.model,
            task_split.task,
            task_split.split,
            by,
            value,
            len(lost[0]),
            base,
            candidate,
            drop.value,
            *bounds,
            p,
        )
        slices.append(Slice(*row))
    return slices


def _sliced(
    by_seed: Sequence[tuple[np.ndarray, np.ndarray]], chosen: Sequence[bool]
) -> tuple[list[np.ndarray], float, float, float]:
    """What the chosen examples lose by seed, the scores of both sides, and the p."""
    import numpy as np

    mask = np.asarray(chosen)
    base = float(np.mean([before[mask].mean() for before, _ in by_seed]))
    candidate = float(np.mean([after[mask].mean() for _, after in by_seed]))
    lost = [before[mask] - after[mask] for before, after in by_seed]
    if len(lost) > 1:
        return lost, base, candidate, drop_of_fractions([lost]).p_worse()
    return lost, base, candidate, mcnemar_mid_p(int((lost[0] > 0).sum()), int((lost[0] < 0).sum()))


def correctness(pair: Pair, task_split: TaskSplit) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Which examples base and candidate have right, by seed; None where examples are not right or wrong."""

    if not pair.scored[task_split.split]:
        return None
    if task_split.scorers or not task_split.is_paired:
        metric = next(
            (metric for metric in counted(task_split) if metric.counts_successes and task_split.is_paired), None
        )
    else:
        metric = judge(task_split.metrics, [metric_counted.name for metric_counted in counted(task_split)])
    if metric is None:
        return None
    return [
        (
            right(metric, base.predictions, task_split.references),
            right(metric, candidate.predictions, task_split.references),
        )
        for base, candidate in pair.scored[task_split.split]
    ]


def _is_retrieval(task_split: TaskSplit) -> bool:
    return any(metric.inputs == "ranks" for metric in counted(task_split))


def _label(task_split: TaskSplit, index: int) -> str:
    """Of a retrieval none: its reference is the item, which stands in the text."""
    if task_split.answers:
        return task_split.answers[index]
    return "" if _is_retrieval(task_split) else _named(task_split, task_split.references[index])


def _ids(pair: Pair, task_split: TaskSplit) -> tuple[str, ...] | None:
    return next((other.ids for other in pair.candidate_splits if other.split == task_split.split), None)


def _has_classes(task_split: TaskSplit) -> bool:
    return bool(task_split.labels) and task_split.references.dtype.kind in "iu"


def _named(task_split: TaskSplit, value: Any) -> str:
    if _has_classes(task_split) and int(value) == value and 0 <= int(value) < len(task_split.labels):
        return task_split.labels[int(value)]
    if isinstance(value, tuple):
        return " | ".join(value)
    return answer_in(str(value)) if task_split.family == LIBRARY.name else str(value)


def _answer(task_split: TaskSplit, scored: Scored, index: int) -> str:
    if scored.answers:
        return scored.answers[index]
    prediction = scored.predictions[index]
    return item_in_words(prediction) if _is_retrieval(task_split) else _named(task_split, prediction)


def _kind(task_split: TaskSplit, flip: Flip) -> str:
    """The confusion for classes; for answers whether one is missing, too much, or another; of a retrieval its one."""
    if _is_retrieval(task_split):
        return "another item first"
    if _has_classes(task_split):
        return f"{flip.label} taken for {flip.candidate}"
    if not flip.candidate.strip():
        return "no answer where there is one"
    return "another answer" if flip.label else "an answer where there is none"


def _text(split: Split | None, index: int) -> str | None:
    return None if split is None else " / ".join(in_words(column[index]) for column in split.fields.values())


def _lengths(split: Split | None) -> list[str] | None:
    return None if split is None else lengths_of(list(split.fields.values()))


def lengths_of(columns: Sequence[Sequence[str]]) -> list[str]:
    """The bucket of each example by its words, over all its texts; nothing where it has none."""
    columns = [column for column in columns if not any(isinstance(value, Item) for value in column[:1])]
    words = [sum(text.count(" ") + 1 for text in row) for row in zip(*columns, strict=True)]
    return [next((name for most, name in LENGTHS if count <= most), LONGEST) for count in words]


def _length_order(name: str) -> int:
    return [*(bucket for _, bucket in LENGTHS), LONGEST].index(name)


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())
