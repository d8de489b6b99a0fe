"""The JSON of an accepted baseline: what it holds, and its compressed columns, bounded as they are unpacked: it is read
from pull requests.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.core.cell_records import Interval
from harness.core.facts import Environment, Facts
from harness.core.hashing import canonical_json
from harness.core.predictions import as_references, prediction_hash
from harness.core.reading import parse_json
from harness.core.specs import Margins
from harness.gating.run_results import Part, RunResults, Scored

if TYPE_CHECKING:
    import numpy as np

UNPACKED_AT_MOST = 2**27
"""Bytes that all compressed columns of a baseline may come to."""
MOST_VALUES = 2**24
"""Values in all of them."""


class PartFacts(Facts):
    """A split of a task, see `Part`; `references` are packed."""

    task: str
    version: int
    family: str
    split: str
    n: int = Field(ge=0)
    headline: list[str] = Field(min_length=1)
    metrics: dict[str, int]
    labels: list[str]
    data: str
    source: str
    limit: int | None
    references: str = Field(repr=False)
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
    parts: list[PartFacts]
    scores: list[ScoredFacts]
    environment: Environment
    data: str | None = None

    def evidence(self) -> RunResults:
        """What is judged by. Raises ValueError where parts of it do not fit together."""
        columns = Columns()
        parts = {(one.task, one.split): _part(one, columns) for one in self.parts}
        scored = {}
        for one in self.scores:
            part = parts.get((one.task, one.split))
            if part is None or one.model not in self.models:
                raise ValueError(f"no part {one.task}, {one.split} or no model {one.model}")
            if lacking := set(part.headline) - set(one.scores):
                raise ValueError(f"{one.model} on {one.task} has no {min(lacking)}")
            predictions = columns.unpack(one.predictions)
            if len(predictions) != part.n:
                raise ValueError("not one prediction an example")
            if prediction_hash(predictions) != one.prediction_hash:
                raise ValueError("predictions do not fit their hash")
            scored[one.model, one.task, one.split, one.seed] = _scored(one, predictions)
        if not scored:
            raise ValueError("it has no scores")
        return RunResults(
            name=self.name,
            created=self.created,
            suites={suite: tuple(averaged) for suite, averaged in self.suites.items()},
            models=tuple(self.models),
            parts=parts,
            scored=scored,
            failures={},
            environment=self.environment.as_json(),
            data=self.data,
            margins={suite: Margins.model_validate(one) for suite, one in self.margins.items()},
        )


def _part(one: PartFacts, columns: Columns) -> Part:
    references = columns.unpack(one.references)
    if len(references) != one.n or not set(one.headline) <= set(one.metrics):
        raise ValueError(f"the part {one.task}, {one.split} does not fit together")
    return Part(
        task=one.task, version=one.version, family=one.family, split=one.split, n=one.n, headline=tuple(one.headline),
        metrics=one.metrics, labels=tuple(one.labels), data=one.data, source=one.source, limit=one.limit,
        references=references, ids_hash=one.ids_hash,
    )  # fmt: skip


def _scored(one: ScoredFacts, predictions: np.ndarray) -> Scored:
    scores = {name: {"value": score.value, "low": score.low, "high": score.high} for name, score in one.scores.items()}
    return Scored(
        predictions=predictions, prediction_hash=one.prediction_hash, scores=scores, model_id=one.model_id,
        learner=one.learner, weights=one.weights, parameters=one.parameters, tokenizer=one.tokenizer,
        trained_on=one.trained_on, cell=one.cell, files=one.files,
        settings=one.settings, partial_weights=one.partial_weights,
    )  # fmt: skip


def pack(values: np.ndarray) -> str:
    """Numbers, strings or tuples of strings (n,) as text."""
    listed = [list(one) if isinstance(one, tuple) else one for one in values.tolist()]
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
        kinds = {type(one) for one in values} if isinstance(values, list) else {dict}
        if kinds == {list} and all(isinstance(one, str) for texts in values for one in texts):
            return as_references(tuple(tuple(texts) for texts in values))
        if not (kinds <= {int, float} or kinds == {str}):
            raise ValueError("a column is of neither numbers nor texts")
        return np.asarray(values, dtype=object if kinds == {str} else None)


def unpack(text: str) -> np.ndarray:
    """One array that was packed. Raises ValueError."""
    return Columns().unpack(text)
