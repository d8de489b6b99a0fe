"""Matched examples as a metric takes them: answers and labels for one of our own, else the scores of the examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import metrics
from harness.core.hashing import hash_json
from harness.core.text import clipped
from harness.exchange.outcomes import SAME_SCORE, Outcome, same_score
from harness.gating.entries import Entry, class_ids, class_names, values_of
from harness.gating.run_results import TaskSplit
from harness.metrics.base import Metric, no_chance
from harness.metrics.resampling import by_mean

if TYPE_CHECKING:
    import numpy as np

SPLIT = "examples"
"""What the only split of a task of another tool is called."""
SUCCESSES = "accuracy"


@dataclass(frozen=True)
class Representation:
    """The matched examples as a metric takes them."""

    metric: Metric
    references: np.ndarray
    predictions: Sequence[np.ndarray]
    labels: tuple[str, ...] = ()
    scores_only: bool = False

    def task_split(self, task: str, entries: Sequence[Entry], rows: Sequence[Sequence[int]]) -> TaskSplit:
        examples = entries[0].examples
        ids = tuple(examples.ids[at] for at in rows[0])
        shown_of = next(((entry, row) for entry, row in zip(entries, rows, strict=True) if entry.examples.inputs), None)
        answered = next(((entry, row) for entry, row in zip(entries, rows, strict=True) if entry.examples.labels), None)
        task_split = split_of(task, self.metric, len(ids), self.references)
        return replace(
            task_split,
            labels=self.labels,
            ids=ids,
            ids_hash=hash_json(list(ids)),
            inputs=tuple((shown_of[0].examples.inputs or ())[at] for at in shown_of[1]) if shown_of else None,
            answers=tuple((answered[0].examples.labels or ())[at] for at in answered[1])
            if answered and not self.labels
            else None,
            scores_only=self.scores_only,
        )

    def answers(self, entry: Entry, row: Sequence[int]) -> tuple[str, ...] | None:
        predictions = entry.examples.predictions
        if self.labels:
            return None
        return tuple(predictions[at] for at in row) if predictions else None


def represented(task: str, entries: Sequence[Entry], rows: Sequence[Sequence[int]]) -> Representation | str:
    """By our own metric where answers and labels are known, else by the scores of the examples; or why by neither."""
    labelled = _labels(entries, rows)
    name = entries[0].outcome.canonical
    ours = metrics.get(name) if name in metrics.names() else None
    if labelled is not None and ours is not None and all(entry.examples.predictions for entry in entries):
        made = _of_answers(ours, entries, rows, labelled)
        if made is not None:
            return made
    scores = [_scores(entry, row, labelled) for entry, row in zip(entries, rows, strict=True)]
    for entry, of_entry in zip(entries, scores, strict=True):
        if of_entry is None:
            which = entry.tool or "the run"
            return f"{which} has neither scores of its examples nor labels by which {name} could be computed"
    for entry in entries:
        if entry.examples.scores is not None and not entry.mean_is_reported:
            return (
                f"the scores of the examples of {entry.outcome.model} have the mean {entry.outcome.mean:.6g}, and "
                f"{entry.outcome.score:.6g} was reported: {name} is no mean of them, or one is wrong (`harness check`)"
            )
    return _of_scores(entries[0].outcome, [of_entry for of_entry in scores if of_entry is not None])


def _scores(entry: Entry, row: Sequence[int], labels: Sequence[str] | None) -> np.ndarray | None:
    """Of the matched examples; where only answers are known, whether each is the label, if that is what is counted."""
    import numpy as np

    examples = entry.examples
    if examples.scores is not None:
        return np.asarray(examples.scores)[row]
    if labels is None or examples.predictions is None or entry.outcome.canonical not in (SUCCESSES, "exact_match"):
        return None
    answers = [examples.predictions[at].strip() for at in row]
    return np.asarray([float(answer == label.strip()) for answer, label in zip(answers, labels, strict=True)])


def _labels(entries: Sequence[Entry], rows: Sequence[Sequence[int]]) -> tuple[str, ...] | None:
    """Of the matched examples, by whichever entry knows them; our own first."""
    for entry, row in sorted(zip(entries, rows, strict=True), key=lambda pair: pair[0].task_split is None):
        if entry.examples.labels:
            return tuple(entry.examples.labels[at] for at in row)
    return None


def _of_answers(
    metric: Metric, entries: Sequence[Entry], rows: Sequence[Sequence[int]], labels: Sequence[str]
) -> Representation | None:
    """None where the metric does not take such answers, or they do not give the scores that were reported."""
    answered = [
        [(entry.examples.predictions or ())[at] for at in row] for entry, row in zip(entries, rows, strict=True)
    ]
    names: tuple[str, ...] = ()
    task_split = next((entry.task_split for entry in entries if entry.task_split is not None), None)
    if metric.inputs == "labels":
        names = class_names(entries) or ()
        references = class_ids(labels, names, None) if names else None
        predictions = [class_ids(answers, names, len(names)) for answers in answered]
    elif metric.inputs == "values":
        references, predictions = values_of(labels), [values_of(answers) for answers in answered]
    elif metric.inputs in ("texts", "tags") and task_split is not None:
        at = next(at for at, entry in enumerate(entries) if entry.task_split is not None)
        references, predictions = task_split.references[rows[at]], [_objects(answers) for answers in answered]
    else:
        return None
    kept = [array for array in predictions if array is not None]
    if references is None or len(kept) < len(entries):
        return None
    for entry, row, array in zip(entries, rows, kept, strict=True):
        if not _gives_what_was_reported(metric, entry, row, array, references):
            return None
    if metric.inputs == "labels" and any((array == len(names)).any() for array in kept):
        names = (*names, "no class")
    return Representation(metric, references, kept, names)


def _gives_what_was_reported(
    metric: Metric, entry: Entry, row: Sequence[int], predictions: np.ndarray, references: np.ndarray
) -> bool:
    """Example by example where there are scores of each, else as a whole where all examples were matched."""
    scores = entry.examples.scores
    if entry.task_split is not None:
        return True
    if scores is not None:
        if not metric.counts_successes or metric.inputs != "labels" or not entry.mean_is_reported:
            return False
        pairs = zip(row, (predictions == references).tolist(), strict=True)
        return all(abs(scores[at] - float(is_right)) <= SAME_SCORE for at, is_right in pairs)
    reported = entry.outcome.score
    if reported is None or len(row) < len(entry.examples):
        return True
    return same_score(reported, metric.score(predictions, references))


def _of_scores(outcome: Outcome, taken: Sequence[np.ndarray]) -> Representation:
    import numpy as np

    count = len(taken[0])
    if all(np.isin(scores, (0.0, 1.0)).all() for scores in taken) and outcome.greater_is_better:
        metric = replace(metrics.get(SUCCESSES), name=outcome.metric)
        return Representation(
            metric,
            np.ones(count, dtype=np.int64),
            [scores.astype(np.int64) for scores in taken],
            scores_only=True,
        )
    metric = mean_metric(outcome.metric, np.concatenate(taken).tolist(), outcome.greater_is_better)
    return Representation(metric, np.zeros(count), taken, scores_only=True)


def mean_metric(name: str, scores: Sequence[float], greater: bool) -> Metric:
    """The mean of examples' scores, of a scale up to 1 where no score is beyond it."""
    lowest, highest = min(scores), max(scores)
    return Metric(
        name=name,
        version=1,
        inputs="values",
        low=min(0.0, lowest),
        high=1.0 if lowest >= 0 and highest <= 1 else None,
        compute=lambda predictions, references: float(predictions.mean()),
        chance=no_chance,
        resample=by_mean(lambda predictions, references: predictions),
        greater_is_better=greater,
    )


def _objects(texts: Sequence[str]) -> np.ndarray:
    import numpy as np

    return np.asarray([clipped(text, 2**20) for text in texts], dtype=object)


def split_of(task: str, metric: Metric, n: int, references: np.ndarray, is_paired: bool = True) -> TaskSplit:
    return TaskSplit(
        task=task, version=1, family="", split=SPLIT, n=n, primary_metrics=(metric.name,),
        metrics={metric.name: metric.version}, labels=(), data="unknown", source="unknown", limit=None,
        references=references, ids_hash="", scorers={metric.name: metric}, is_paired=is_paired,
    )  # fmt: skip
