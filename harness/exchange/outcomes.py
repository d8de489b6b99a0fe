"""What another tool says of a model: its scores of tasks, and of single examples where it kept them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.text import clipped

CANONICAL = {
    "acc": "accuracy",
    "accuracy": "accuracy",
    "mcc": "matthews_correlation",
    "matthews": "matthews_correlation",
    "em": "exact_match",
    "pearsonr": "pearson",
    "spearmanr": "spearman",
}
"""Names of metrics elsewhere that have another one here."""
FRACTIONS = frozenset({"accuracy", "acc_norm", "exact_match", "match", "includes", "choice", "correct"})
"""Metrics that are the fraction of examples which are right."""
LOWER_IS_BETTER = ("perplexity", "loss", "error", "bits_per_byte", "wer", "cer", "ter", "brier", "ece", "mse", "mae")
"""Parts of the names of metrics of which less is better, for tools that do not say it."""
SAME_SCORE = 1e-6


@dataclass(frozen=True)
class Examples:
    """Single examples, by columns of equal length n; None where a column is not known.

    Attributes:
        ids: What names an example in its task; no two are equal.
        scores: What an example adds to a score that is the mean of these.
        labels: The right answers.
        predictions: The model's answers.
        inputs: What the model was asked, for readers.
        contents: A hash of the example itself, by which tools that number examples otherwise are matched.
    """

    ids: tuple[str, ...]
    scores: tuple[float, ...] | None = field(default=None, repr=False)
    labels: tuple[str, ...] | None = field(default=None, repr=False)
    predictions: tuple[str, ...] | None = field(default=None, repr=False)
    inputs: tuple[str, ...] | None = field(default=None, repr=False)
    contents: tuple[str, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Outcome:
    """One model on one task by one metric. None: the tool does not say.

    Attributes:
        model: The model's name.
        task: The task's name.
        metric: The metric's name there.
        score: The score as it was reported.
        stderr: Its standard error as it was reported.
        n: Of how many examples it is.
        filter: What was done with answers before they were scored, where a tool scores them in several ways.
        seed: Of a training or of sampling, where several stand side by side.
        version: The task's version.
        greater_is_better: Whether a higher score is better.
        bounds: The least and the greatest score there can be, where that was declared.
        settings: What it was scored with: few-shot examples, limits, revisions.
        method: How the standard error was found.
        interval: A 95 % interval as it was reported.
        examples: The single examples.
    """

    model: str
    task: str
    metric: str
    score: float | None
    stderr: float | None = None
    n: int | None = None
    filter: str = ""
    seed: int | None = None
    version: str = ""
    greater_is_better: bool = True
    bounds: tuple[float | None, float | None] = (None, None)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    method: str = ""
    interval: tuple[float, float] | None = None
    examples: Examples | None = field(default=None, repr=False)

    @property
    def canonical(self) -> str:
        """The metric's name here."""
        return CANONICAL.get(self.metric, self.metric)

    @property
    def mean(self) -> float | None:
        """The mean of the examples' scores."""
        scores = self.examples.scores if self.examples else None
        return math.fsum(scores) / len(scores) if scores else None


@dataclass(frozen=True)
class ToolResults:
    """What a file or folder of another tool holds.

    Attributes:
        tool: The name of its reader.
        place: The file or folder.
        outcomes: What it says.
        unknown: What a run of our own would know and this does not say.
        notes: What a reader of it should know.
        versions: Of packages it was computed with.
    """

    tool: str
    place: str
    outcomes: tuple[Outcome, ...]
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def content_hash(texts: Sequence[str]) -> str:
    """Of an example by its texts, whatever their order and spacing: how tools lay out fields differs."""
    return hash_json(sorted(" ".join(text.split()) for text in texts if text.strip()))


def texts_in(value: Any) -> list[str]:
    """The texts in a JSON value, those inside lists and objects included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts_in(inner)]
    return []


def number(value: Any, where: object) -> float:
    """A finite number; true and false are 1 and 0. Raises HarnessError with its place for anything else."""
    try:
        finite = float(value) if isinstance(value, bool | int | float) else math.nan
    except OverflowError:
        finite = math.inf
    if not math.isfinite(finite):
        raise HarnessError(f"{where}: a finite number is expected, found {clipped(repr(value))}")
    return finite


def optional_number(value: Any, where: object) -> float | None:
    """As `number`; None for null, and for texts such as the `N/A` that stands for an unknown standard error."""
    return None if value is None or isinstance(value, str) else number(value, where)


def unique_ids(ids: Sequence[str], where: object) -> tuple[str, ...]:
    """The ids. Raises HarnessError for one that stands there twice."""
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise HarnessError(f"{where}: the id {clipped(repr(name))} stands there twice; each example has one id")
        seen.add(name)
    return tuple(ids)


def is_lower_better(metric: str) -> bool:
    """Whether a metric's name says that less is better."""
    return any(part in metric.lower() for part in LOWER_IS_BETTER)


def same_score(reported: float, computed: float) -> bool:
    """Whether a score is what was reported, to the digits that were reported."""
    digits = repr(reported).partition(".")[2]
    rounding = 0.0 if "e" in digits or len(digits) > 8 else 0.5000001 * 10.0 ** -max(len(digits), 2)
    return abs(reported - computed) <= max(SAME_SCORE * max(1.0, abs(reported)), rounding)


def known_columns(rows: Sequence[Sequence[Any]], at: int) -> tuple[Any, ...] | None:
    """A column of rows, None where any row lacks it."""
    column = tuple(row[at] for row in rows)
    return None if any(value is None for value in column) else column
