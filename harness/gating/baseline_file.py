"""The JSON of an accepted baseline: what it holds, and its compressed columns, bounded as they are unpacked: it is read
from pull requests.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.core.facts import Environment, Facts, Interval
from harness.core.grouped import grouped
from harness.core.hashing import canonical_json
from harness.core.predictions import as_references, prediction_hash
from harness.core.reading import parse_json
from harness.core.specs import Margins
from harness.gating.run_results import RunResults, Scored, TaskSplit

if TYPE_CHECKING:
    import numpy as np

UNPACKED_AT_MOST = 2**27
"""Bytes that all compressed columns of a baseline may come to."""
MOST_VALUES = 2**24
"""Values in all of them."""


class TaskSplitFacts(Facts):
    """A split of a task, see `TaskSplit`; `references` and `groups` are packed."""

    task: str
    version: int
    family: str
    split: str
    n: int = Field(ge=0)
    primary_metrics: list[str] = Field(min_length=1, alias="headline")
    metrics: dict[str, int]
    labels: list[str]
    data: str
    source: str
    limit: int | None
    references: str = Field(repr=False)
    groups: str | None = Field(default=None, repr=False)
    ids_hash: str


class ScoredFacts(Facts):
    """A model's predictions, see `Scored`; `predictions` are packed."""

    model: str
    task: str
    split: str
    seed: int
    predictions: str = Field(repr=False)
    prediction_hash: str
    scores: dict[str, Interval]
    model_id: str
    learner: str
    weights: str | None
    parameters: int | None
    tokenizer: str | None
    trained_on: str
    cell: str | None = None
    files: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    partial_weights: str = ""
    contamination: str = ""


class BaselineFile(Facts):
    """Version 1 knew neither which model made the predictions nor the margins of suites."""

    schema_version: Literal[1, 2]
    kind: str
    name: str
    accepted: str = ""
    run: str = ""
    created: str
    suites: dict[str, list[str]]
    margins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    models: list[str] = Field(min_length=1)
    task_splits: list[TaskSplitFacts] = Field(alias="parts")
    scores: list[ScoredFacts]
    environment: Environment
    data: str | None = None

    def run_results(self) -> RunResults:
        """What is judged by. Raises ValueError where parts of it do not fit together."""
        columns = Columns()
        task_splits = {(facts.task, facts.split): _task_split(facts, columns) for facts in self.task_splits}
        scored = {}
        for score in self.scores:
            task_split = task_splits.get((score.task, score.split))
            if task_split is None or score.model not in self.models:
                raise ValueError(f"no part {score.task}, {score.split} or no model {score.model}")
            if lacking := set(task_split.primary_metrics) - set(score.scores):
                raise ValueError(f"{score.model} on {score.task} has no {min(lacking)}")
            predictions = columns.unpack(score.predictions)
            if len(predictions) != task_split.n:
                raise ValueError("not one prediction an example")
            if prediction_hash(predictions) != score.prediction_hash:
                raise ValueError("predictions do not fit their hash")
            scored[score.model, score.task, score.split, score.seed] = _scored(score, predictions)
        if not scored:
            raise ValueError("it has no scores")
        return RunResults(
            name=self.name,
            created=self.created,
            suites={suite: tuple(averaged) for suite, averaged in self.suites.items()},
            models=tuple(self.models),
            task_splits=task_splits,
            scored=scored,
            failures={},
            environment=self.environment.as_json(),
            data=self.data,
            margins={suite: Margins.model_validate(margins) for suite, margins in self.margins.items()},
        )


def _task_split(facts: TaskSplitFacts, columns: Columns) -> TaskSplit:
    references = columns.unpack(facts.references)
    if facts.groups is not None:
        groups = columns.unpack(facts.groups)
        if len(groups) != len(references) or groups.dtype.kind != "i" or references.dtype.kind not in "if":
            raise ValueError(f"the groups of {facts.task}, {facts.split} are not those of its examples")
        references = grouped(references, groups)
    if len(references) != facts.n or not set(facts.primary_metrics) <= set(facts.metrics):
        raise ValueError(f"the part {facts.task}, {facts.split} does not fit together")
    return TaskSplit(
        task=facts.task, version=facts.version, family=facts.family, split=facts.split, n=facts.n,
        primary_metrics=tuple(facts.primary_metrics), metrics=facts.metrics, labels=tuple(facts.labels),
        data=facts.data, source=facts.source, limit=facts.limit,
        references=references, ids_hash=facts.ids_hash,
    )  # fmt: skip


def _scored(facts: ScoredFacts, predictions: np.ndarray) -> Scored:
    scores = {
        name: {"value": score.value, "low": score.low, "high": score.high} for name, score in facts.scores.items()
    }
    return Scored(
        predictions=predictions, prediction_hash=facts.prediction_hash, scores=scores, model_id=facts.model_id,
        learner=facts.learner, weights=facts.weights, parameters=facts.parameters, tokenizer=facts.tokenizer,
        trained_on=facts.trained_on, cell=facts.cell, files=facts.files,
        settings=facts.settings, partial_weights=facts.partial_weights, contamination=facts.contamination,
    )  # fmt: skip


def pack(values: np.ndarray) -> str:
    """Numbers, strings or tuples of strings (n,) as text."""
    listed = [list(value) if isinstance(value, tuple) else value for value in values.tolist()]
    return base64.b64encode(zlib.compress(canonical_json(listed).encode(), 9)).decode()


class Columns:
    """Unpacks the columns of one baseline, which share `UNPACKED_AT_MOST` and `MOST_VALUES`."""

    def __init__(self) -> None:
        self._bytes, self._values = UNPACKED_AT_MOST, MOST_VALUES

    def unpack(self, text: str) -> np.ndarray:
        """The array (n,) that was packed: integers, numbers, strings or tuples of strings. Raises ValueError."""
        import numpy as np

        decompressor = zlib.decompressobj()
        try:
            raw = decompressor.decompress(base64.b64decode(text, validate=True), self._bytes + 1)
        except (zlib.error, binascii.Error) as error:
            raise ValueError(str(error)) from None
        self._bytes -= len(raw)
        self._values -= raw.count(b",") + 1
        if not decompressor.eof or self._bytes < 0 or self._values < 0:
            raise ValueError("a column is cut off or too large")
        values = parse_json(raw)
        kinds = {type(value) for value in values} if isinstance(values, list) else {dict}
        if kinds == {list} and all(isinstance(text, str) for texts in values for text in texts):
            return as_references(tuple(tuple(texts) for texts in values))
        if not (kinds <= {int, float} or kinds == {str}):
            raise ValueError("a column is of neither numbers nor texts")
        return np.asarray(values, dtype=object if kinds == {str} else None)


def unpack(text: str) -> np.ndarray:
    """One array that was packed. Raises ValueError."""
    return Columns().unpack(text)
