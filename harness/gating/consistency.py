"""Scores of other tools against themselves: what cannot be, and what their single examples do not give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import stdev

from harness import metrics
from harness.core.text import place_name, without_paths
from harness.exchange.outcomes import FRACTIONS, Outcome, ToolResults, same_score
from harness.gating.entries import class_ids, class_names, entry_of, values_of

ROUNDING = 1e-6
TOLERANCE = 0.02
"""Of a standard error that a formula gives."""
BOOTSTRAP_TOLERANCE = 0.25
"""Of one of a bootstrap, of 100 samples at least, or of an interval that is not symmetric."""
APPROXIMATE = ("bootstrap", "interval", "jackknife")


@dataclass(frozen=True)
class Finding:
    """Something that cannot be, or does not fit; `rule` names the check."""

    model: str
    task: str
    metric: str
    rule: str
    message: str


@dataclass(frozen=True)
class CheckedScore:
    """A score that was looked at, and what its examples give where there are any. None: not known."""

    model: str
    task: str
    metric: str
    filter: str
    score: float | None
    stderr: float | None
    n: int | None
    examples: int
    recomputed: float | None


@dataclass(frozen=True)
class Consistency:
    """What a check of a file says: `sound` where nothing is wrong."""

    place: str
    tool: str
    scores: tuple[CheckedScore, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.findings


def check(results: ToolResults) -> Consistency:
    """Check every score: the number of its examples, its range, whether it is a fraction of so many, whether its
    examples give it, and whether its standard error can be one of it.
    """
    scores, findings = [], []
    for outcome in results.outcomes:
        recomputed = _recomputed(outcome)
        metric = f"{outcome.metric},{outcome.filter}" if outcome.filter else outcome.metric
        examples = len(outcome.examples) if outcome.examples else 0
        scores.append(
            CheckedScore(
                outcome.model, outcome.task, outcome.metric, outcome.filter, outcome.score, outcome.stderr, outcome.n,
                examples, recomputed,
            )
        )  # fmt: skip
        for rule, message in _wrong(outcome, recomputed):
            findings.append(Finding(outcome.model, outcome.task, metric, rule, message))
    return Consistency(
        place_name(results.place), results.tool, tuple(scores), tuple(findings), results.unknown,
        tuple(map(without_paths, results.notes)),
    )  # fmt: skip


def _recomputed(outcome: Outcome) -> float | None:
    """The mean of the examples' scores, or our own metric of answers and labels; None where neither is known."""
    if outcome.examples is None or outcome.mean is not None:
        return outcome.mean
    labels, answers = outcome.examples.labels, outcome.examples.predictions
    if labels is None or answers is None or outcome.canonical not in metrics.names():
        return None
    metric = metrics.get(outcome.canonical)
    if metric.inputs == "values":
        references, predictions = values_of(labels), values_of(answers)
    elif metric.inputs == "labels":
        names = class_names([entry_of(outcome)]) or ()
        references, predictions = class_ids(labels, names, None), class_ids(answers, names, len(names))
    else:
        return None
    return None if references is None or predictions is None else metric.score(predictions, references)


def _wrong(outcome: Outcome, recomputed: float | None) -> Iterator[tuple[str, str]]:
    """Rules that are broken, each with its message."""
    count, n, score = len(outcome.examples) if outcome.examples else 0, outcome.n, outcome.score
    if n is not None and n < 1:
        yield "n", f"n is {n}: a score is of one example at least"
    if n is not None and count and n != count:
        yield "n", f"n is {n}, and there are {count} examples"
    yield from _out_of_range(outcome)
    if score is not None and recomputed is not None and not same_score(score, recomputed):
        yield "recomputed", f"{score:.6g} was reported, and its {count} examples give {recomputed:.6g}"
    if score is not None:
        yield from _no_fraction(outcome, score, n or count)
        yield from _standard_error(outcome, score, n or count)
        low, high = outcome.interval or (score, score)
        if not low - ROUNDING <= score <= high + ROUNDING:
            yield "interval", f"the score {score:.6g} is not in its interval, {low:.6g} to {high:.6g}"


def _bounds(outcome: Outcome) -> tuple[float, float]:
    """Of the scale, as declared or as the metric's name has it; infinite where nothing is known."""
    is_fraction = outcome.canonical in FRACTIONS
    low, high = outcome.bounds
    return (
        low if low is not None else 0.0 if is_fraction else -math.inf,
        high if high is not None else 1.0 if is_fraction else math.inf,
    )


def _out_of_range(outcome: Outcome) -> Iterator[tuple[str, str]]:
    low, high = _bounds(outcome)
    if outcome.score is not None and not low - ROUNDING <= outcome.score <= high + ROUNDING:
        yield "range", f"the score {outcome.score:.6g} is outside of {low:g} to {high:g}"
    scores = (outcome.examples.scores if outcome.examples else None) or ()
    outside = sum(not low - ROUNDING <= score <= high + ROUNDING for score in scores)
    if outside and outcome.canonical in FRACTIONS:
        yield "range", f"{outside} of {len(scores)} examples have scores outside of {low:g} to {high:g}"


def _digits(value: float) -> float:
    """Half a unit in the last digit that was reported."""
    digits = repr(value).partition(".")[2]
    return 0.0 if "e" in digits or len(digits) > 8 else 0.5000001 * 10.0 ** -len(digits)


def _no_fraction(outcome: Outcome, score: float, n: int | None) -> Iterator[tuple[str, str]]:
    scores = (outcome.examples.scores if outcome.examples else None) or ()
    whole = all(value in (0.0, 1.0) for value in scores)
    if outcome.canonical not in FRACTIONS or not n or n < 1 or not whole or not 0 <= score <= 1:
        return
    right = score * n
    if abs(right - round(right)) > n * (_digits(score) + ROUNDING / 100) + ROUNDING:
        yield "fraction", f"{score:.6g} is no number of right answers in {n}: {right:.2f} would be right"


def _standard_error(outcome: Outcome, score: float, n: int | None) -> Iterator[tuple[str, str]]:
    stderr = outcome.stderr
    if stderr is None:
        return
    if stderr < 0:
        yield "stderr", f"the standard error {stderr:.6g} is negative"
        return
    between = _range_of_errors(outcome, score, n)
    if between is None:
        low, high = _bounds(outcome)
        is_between = max(low, 0.0) < score < min(high, 1.0)
        if stderr == 0 and n != 1 and is_between:
            yield "stderr", f"the standard error is 0, and the score {score:.6g} is neither all wrong nor all right"
        return
    if stderr == 0 < between[0]:
        yield "stderr", f"the standard error is 0; {n} examples that score {score:.6g} have {between[1]:.6g}"
        return
    is_approximate = any(word in outcome.method for word in APPROXIMATE)
    tolerance = BOOTSTRAP_TOLERANCE if is_approximate else TOLERANCE
    rounding = _digits(stderr) + ROUNDING
    if not between[0] * (1 - tolerance) - rounding <= stderr <= between[1] * (1 + tolerance) + rounding:
        yield "stderr", f"the standard error is {stderr:.6g}; {n} examples that score {score:.6g} have {between[1]:.6g}"


def _range_of_errors(outcome: Outcome, score: float, n: int | None) -> tuple[float, float] | None:
    """What the standard error of a mean can be, by n and by n - 1; None where it is unknown, as of clusters."""
    scores = outcome.examples.scores if outcome.examples else None
    if n is None or n < 2 or "cluster" in outcome.method:
        return None
    if scores is not None and len(scores) == n and outcome.mean is not None and same_score(score, outcome.mean):
        error = stdev(scores) / math.sqrt(n)
    elif outcome.canonical in FRACTIONS and 0 <= score <= 1 and scores is None:
        error = math.sqrt(score * (1 - score) / (n - 1))
    else:
        return None
    return error * math.sqrt((n - 1) / n), error
