"""The score cell of tests of behaviour: the model is asked about each text before and after a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.attack_records import CheckFacts
from harness.core.checks_spec import BehaviourTest
from harness.core.facts import Interval
from harness.core.predictions import Predictions
from harness.core.store import Store
from harness.data.behaviour import ORIGINAL, TEST, changed_field
from harness.data.frame import Split
from harness.modeling.probabilities import probabilities_of
from harness.pipeline.cells import Cell
from harness.pipeline.steps import score
from harness.pipeline.steps.score import Asked
from harness.stats.bootstrap import wilson


def run(cell: Cell, store: Store, folder: Path, report: Callable[[float], None]) -> dict[str, Any]:
    """Ask, write `folder/predictions.parquet`, and return the record's body."""
    return score.run(cell, store, folder, report, checked)


def checked(asked: Asked) -> tuple[Predictions, dict[str, Any]]:
    """Whether each test passes, 1 or 0, with what the model says before and after."""
    import numpy as np

    assert asked.task.checks is not None
    split, tests = asked.split, {test.name: test for test in asked.task.checks.tests}
    fields = {name: texts for name, texts in split.fields.items() if name not in (ORIGINAL, TEST)}
    field = changed_field(asked.task)
    after = asked.answers(Split(split.ids, fields))
    asked.report(0.5)
    before = asked.answers(Split(split.ids, {**fields, field: split.fields[ORIGINAL]}))
    labels = [predicted.values.astype(np.int64).tolist() for predicted in (before, after)]
    chances = [probabilities_of(predicted, len(asked.labels)) for predicted in (before, after)]
    values = np.asarray(
        [
            _passes(tests[name], asked.labels, (labels[0][row], labels[1][row]), (chances[0][row], chances[1][row]))
            for row, name in enumerate(split.fields[TEST])
        ],
        dtype=np.int64,
    )
    columns = {
        "test": list(split.fields[TEST]),
        "original": list(split.fields[ORIGINAL]),
        "changed": list(fields[field]),
        "before": labels[0],
        "after": labels[1],
        "probability_before": [max(row) for row in chances[0].tolist()],
        "probability_after": [max(row) for row in chances[1].tolist()],
    }
    of_test = {name: values[np.asarray(columns["test"]) == name] for name in tests}
    facts = [_facts(test, of_test[name]) for name, test in tests.items() if len(of_test[name])]
    return replace(after, values=values, columns=columns), {"checks": [test_facts.as_json() for test_facts in facts]}


def _passes(test: BehaviourTest, classes: tuple[str, ...], labels: tuple[int, int], chances: tuple[Any, Any]) -> int:
    if test.label is None:
        return int(labels[0] == labels[1])
    at = classes.index(test.label)
    gain = float(chances[1][at] - chances[0][at])
    return int((gain if test.direction == "not-lower" else -gain) >= -test.tolerance)


def _facts(test: BehaviourTest, values: Any) -> CheckFacts:
    count = len(values)
    failed = int(count - values.sum())
    low, high = wilson(failed, count)
    rate = Interval(value=failed / count, low=low, high=high)
    return CheckFacts(test=test.name, kind=test.kind, examples=count, failed=failed, failure_rate=rate)
