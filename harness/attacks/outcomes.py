"""What an attack did to each example, and how that is summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field

from harness.attacks.base import Answer, Attack, Target
from harness.core.attack_records import AttackFacts
from harness.core.facts import Facts, Interval
from harness.core.specs import AttackSpec
from harness.stats.bootstrap import LEVEL, RESAMPLES, wilson

Result = Literal["succeeded", "failed", "skipped"]
"""Of an example: the model is fooled; it is not; it was wrong before, so that nothing was tried."""


class Outcome(Facts):
    """An example after the attack: its text as it became, what the model says of that, and what it took."""

    result: Result
    text: str
    label: int
    before: int
    logits: list[float] | None = None
    words: int = 0
    changed: int = 0
    similarity: float = 1.0
    queries: int = Field(default=1, ge=1)


def outcome_of(target: Target, queries: int) -> Outcome:
    """Of an example that was attacked. One that does not fool the model is as good as one that was never changed, and
    is kept as the search left it.
    """
    answer = target.current
    return Outcome(
        result="succeeded" if target.is_fooled else "failed",
        text=target.written(target.edits),
        label=answer.label,
        before=target.original.label,
        logits=None if answer.logits is None else list(answer.logits),
        words=len(target.text.words),
        changed=len(target.edits),
        similarity=target.similarity,
        queries=queries,
    )


def skipped(text: str, words: int, answer: Answer) -> Outcome:
    """Of an example that the model answers wrongly as it is."""
    logits = None if answer.logits is None else list(answer.logits)
    return Outcome(result="skipped", text=text, label=answer.label, before=answer.label, logits=logits, words=words)


def summed_up(spec: AttackSpec, attack: Attack, outcomes: Sequence[Outcome]) -> AttackFacts:
    """How well an attack did. Words changed and similarity are of the examples that fool the model, queries of those
    that were attacked.
    """
    tried = [outcome for outcome in outcomes if outcome.result != "skipped"]
    fooled = [outcome for outcome in tried if outcome.result == "succeeded"]
    count = len(outcomes)
    return AttackFacts(
        method=spec.method,
        options=dict(spec.options),
        read=dict(attack.inputs()),
        similarity_by=attack.measure.name,
        least_similarity=attack.least,
        examples=count,
        attacked=len(tried),
        succeeded=len(fooled),
        before=_fraction(len(tried), count),
        after=_fraction(len(tried) - len(fooled), count),
        success_rate=_fraction(len(fooled), len(tried)),
        changed=_mean(fooled, lambda outcome: outcome.changed / max(1, outcome.words)),
        similarity=_mean(fooled, lambda outcome: outcome.similarity),
        queries=_mean(tried, lambda outcome: outcome.queries),
    )


def _fraction(part: int, whole: int) -> Interval | None:
    """With Wilson's interval; None of nothing."""
    if not whole:
        return None
    low, high = wilson(part, whole)
    return Interval(value=part / whole, low=low, high=high)


def _mean(outcomes: Sequence[Outcome], value: Callable[[Outcome], float]) -> Interval | None:
    """With the percentile interval of the bootstrap over examples; None of nothing."""
    import numpy as np

    if not outcomes:
        return None
    values = np.asarray([value(outcome) for outcome in outcomes], dtype=np.float64)
    random = np.random.Generator(np.random.PCG64(0))
    means = values[random.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=float(values.mean()), low=float(low), high=float(high))


def columns_of(outcomes: Sequence[Outcome], originals: Sequence[str]) -> dict[str, Any]:
    """What is kept of each example beside the prediction."""
    return {
        "attack": [outcome.result for outcome in outcomes],
        "original": list(originals),
        "attacked": [outcome.text for outcome in outcomes],
        "before": [outcome.before for outcome in outcomes],
        "words": [outcome.words for outcome in outcomes],
        "changed": [outcome.changed for outcome in outcomes],
        "similarity": [outcome.similarity for outcome in outcomes],
        "queries": [outcome.queries for outcome in outcomes],
    }
