"""What is compared where another tool is: its outcomes, and those of a run of our own in the same form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.core.families import LIBRARY
from harness.core.hashing import hash_json
from harness.core.items import in_words
from harness.core.libraries import answer_in
from harness.core.text import place_name, without_paths
from harness.data.frame import Split
from harness.exchange.outcomes import Examples, Outcome, content_hash, same_score
from harness.exchange.reader import read_results
from harness.gating.estimates import counted
from harness.gating.run_results import RunResults, Scored, TaskSplit
from harness.metrics.base import Metric
from harness.metrics.correctness import right

if TYPE_CHECKING:
    import numpy as np

Texts = Callable[[TaskSplit], Split | None]
ONE_BY_ONE = 50_000
"""Answers in words that are scored one at a time."""
LABELS_AT_MOST = 1000


@dataclass(frozen=True)
class Entry:
    """An outcome, and of a run of our own the part and the predictions it is of; `tool` is empty then."""

    outcome: Outcome
    tool: str = ""
    task_split: TaskSplit | None = None
    scored: Scored | None = None

    @property
    def examples(self) -> Examples:
        """Its examples; none where it has none."""
        return self.outcome.examples or Examples(())

    @property
    def score(self) -> float | None:
        """As it was reported, else the mean of its examples."""
        return self.outcome.mean if self.outcome.score is None else self.outcome.score

    @property
    def seed(self) -> int:
        return self.outcome.seed or 0

    @property
    def variance(self) -> float | None:
        """Of its score: of the standard error, else the most that n examples between 0 and 1 can have."""
        stderr, n, score = self.outcome.stderr, self.outcome.n, self.score
        if stderr is not None and stderr > 0:
            return stderr**2
        is_fraction = score is not None and 0 < score < 1 and n is not None and n > 1
        return score * (1 - score) / (n - 1) if is_fraction and score is not None and n is not None else None

    @property
    def mean_is_reported(self) -> bool:
        """Whether the examples' scores are what the score is the mean of."""
        mean, reported = self.outcome.mean, self.outcome.score
        return mean is not None and (reported is None or same_score(reported, mean))


def of_tool(name: str) -> RunResults:
    """What `READER:PATH` holds, to be compared. Raises HarnessError as the reader does."""
    results = read_results(name)
    return RunResults(
        name=f"{results.tool}:{place_name(results.place)}",
        created="",
        suites={},
        models=tuple(dict.fromkeys(outcome.model for outcome in results.outcomes)),
        task_splits={},
        scored={},
        failures={},
        environment={"versions": dict(results.versions)},
        tool=results.tool,
        outcomes=results.outcomes,
        unknown=results.unknown,
        notes=tuple(map(without_paths, results.notes)),
    )


def entries_of(results: RunResults) -> list[Entry]:
    """Those of another tool, or of a run of our own: one a model, part, seed and metric that counts."""
    if results.tool:
        return [Entry(outcome, results.tool) for outcome in results.outcomes]
    entries = []
    splits: dict[str, set[str]] = {}
    for task, split in results.task_splits:
        splits.setdefault(task, set()).add(split)
    for (model, task, split, seed), scored in results.scored.items():
        task_split = results.task_splits[task, split]
        for metric in counted(task_split):
            outcome = Outcome(
                model=model,
                task=task if len(splits[task]) == 1 else f"{task}_{split}",
                metric=metric.name,
                score=scored.scores[metric.name]["value"],
                n=task_split.n,
                seed=seed,
                greater_is_better=metric.greater_is_better,
                settings=scored.settings,
                examples=_examples(task_split, scored, metric),
            )
            entries.append(Entry(outcome, "", task_split, scored))
    return entries


def _examples(task_split: TaskSplit, scored: Scored, metric: Metric) -> Examples:
    """Ids are those of the files: without the split's name that this package puts before a number. A baseline keeps
    none; its examples are numbered.
    """
    prefix = f"{task_split.split}-"
    ids = (
        tuple(name.removeprefix(prefix) for name in task_split.ids)
        if task_split.ids
        else tuple(map(str, range(task_split.n)))
    )
    return Examples(
        ids=ids,
        scores=_scores(task_split, scored, metric),
        labels=tuple(_text(task_split, value) for value in task_split.references),
        predictions=tuple(_text(task_split, value) for value in scored.predictions),
    )


def _scores(task_split: TaskSplit, scored: Scored, metric: Metric) -> tuple[float, ...] | None:
    if metric.counts_successes:
        return tuple(right(metric, scored.predictions, task_split.references).tolist())
    if metric.inputs not in ("texts", "tags") or task_split.n > ONE_BY_ONE:
        return None
    predictions, references = metric.check(scored.predictions, task_split.references)
    return tuple(float(metric.compute(predictions[at : at + 1], references[at : at + 1])) for at in range(task_split.n))


def _text(task_split: TaskSplit, value: Any) -> str:
    if isinstance(value, tuple):
        return " | ".join(value)
    if task_split.family == LIBRARY.name:
        return answer_in(str(value))
    is_class = (
        bool(task_split.labels)
        and task_split.references.dtype.kind in "iu"
        and 0 <= int(value) < len(task_split.labels)
    )
    return task_split.labels[int(value)] if is_class else str(value)


def entry_of(outcome: Outcome) -> Entry:
    """The entry of another tool's outcome."""
    return Entry(outcome, "other")


def with_ids(entry: Entry, others: Sequence[Entry]) -> Entry:
    """Of a baseline, which has the hash of its ids alone: with the ids of another entry where they are the same."""
    task_split = entry.task_split
    if task_split is None or task_split.ids is not None:
        return entry
    for other in others:
        ids = other.examples.ids
        if task_split.ids_hash in (hash_json(list(ids)), hash_json([f"{task_split.split}-{name}" for name in ids])):
            return replace(entry, outcome=replace(entry.outcome, examples=replace(entry.examples, ids=ids)))
    return entry


def with_contents(entry: Entry, texts: Texts) -> Entry:
    """Of a run of our own: with the hashes of its texts, where they can be read again."""
    if entry.task_split is None or entry.examples.contents is not None:
        return entry
    split = texts(entry.task_split)
    if split is None or len(split) != len(entry.examples):
        return entry
    contents = tuple(content_hash(row) for row in zip(*split.fields.values(), strict=True))
    inputs = tuple(" / ".join(map(in_words, row)) for row in zip(*split.fields.values(), strict=True))
    examples = replace(entry.examples, contents=contents, inputs=inputs)
    return replace(entry, outcome=replace(entry.outcome, examples=examples))


def class_names(entries: Sequence[Entry]) -> tuple[str, ...] | None:
    """The classes of a task: those of our own part, else the labels; where all answers are small whole numbers, these.

    None where some entry has no labels, or these are no classes.
    """
    for entry in entries:
        if entry.task_split is not None and entry.task_split.labels:
            return entry.task_split.labels
    labels = {label.strip() for entry in entries for label in entry.examples.labels or ()}
    if not labels or len(labels) > LABELS_AT_MOST:
        return None
    if all(label.isdecimal() and len(label) < 4 for label in labels):
        return tuple(map(str, range(max(map(int, labels)) + 1)))
    return tuple(sorted(labels))


def class_ids(values: Sequence[str], names: Sequence[str], other: int | None) -> np.ndarray | None:
    """Class ids of answers, by name or by number; `other` stands for what is no class, and without it there are none
    then: None.
    """
    import numpy as np

    by_name = {name.casefold().strip(): at for at, name in enumerate(names)}
    ids = []
    for value in values:
        text = value.strip()
        at = by_name.get(text.casefold())
        if at is None and text.isdecimal() and len(text) < 4 and int(text) < len(names):
            at = int(text)
        if at is None and other is None:
            return None
        ids.append(other if at is None else at)
    return np.asarray(ids, dtype=np.int64)


def values_of(texts: Sequence[str]) -> np.ndarray | None:
    """Answers that are numbers; None where any is none."""
    import numpy as np

    try:
        values = np.asarray([float(text) for text in texts])
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None
