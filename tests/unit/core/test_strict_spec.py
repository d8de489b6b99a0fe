"""Specs say what is wrong with them, with the nearest key at any depth; numbers are numbers."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, SuiteSpec, TaskSpec, TrainingSpec
from harness.core.strict_spec import parse

TASK = {"name": "t", "family": "classification", "fields": {"text": "text", "label": "label"}, "metrics": ["accuracy"]}
MODEL = {"name": "mine", "learner": "tfidf"}


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        (RunSpec, {"limit": True}, "limit: a number is expected, found True"),
        (RunSpec, {"measure_batch": [8, True]}, "measure_batch: a number is expected"),
        (RunSpec, {"limit": 10**30}, "limit: a number of at most 64 bits is expected"),
        (RunSpec, {"threads": -1}, "threads: input should be greater than or equal to 1, found -1"),
        (SuiteSpec, {"name": "s", "tasks": ["a"], "limit": True}, "limit: a number is expected"),
        (TrainingSpec, {"epochs": float("nan")}, "epochs: input should be"),
        (TrainingSpec, {"learning_rate": float("inf")}, "learning_rate: input should be"),
        (TaskSpec, {**TASK, "prompt": "{text:>99999999}"}, "prompt: in braces stands the name of a field alone"),
        (TaskSpec, {**TASK, "prompt": "Text: {}"}, "prompt: in braces stands the name of a field alone"),
        (TaskSpec, {**TASK, "prompt": "{text!r}"}, "prompt: in braces stands the name of a field alone"),
        (TaskSpec, {**TASK, "prompt": "{text.__class__}"}, "prompt: in braces stands the name of a field alone"),
        (TaskSpec, {**TASK, "prompt_trained": "{text"}, "prompt_trained: its braces do not match"),
        (ModelSpec, {**MODEL, "training": {"epoch": 3}}, "unknown key 'training.epoch'. Did you mean 'epochs'?"),
        (ModelSpec, {**MODEL, "tokenizer": {"vocab_sise": 3}}, "Did you mean 'vocab_size'?"),
        (ModelSpec, {**MODEL, "tokenizer": {"kind": "x" * 100_000}}, "tokenizer.kind: input should be"),
        (ModelSpec, {**MODEL, "x" * 100_000: 1}, "unknown key"),
    ],
)
def test_one_short_line(kind, values, reason):
    with pytest.raises(HarnessError) as caught:
        parse(kind, values, "mine.yaml")
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_is_no_number_may_be_true():
    assert parse(ModelSpec, {**MODEL, "options": {"lower": True}, "default": True}, "mine.yaml").options == {
        "lower": True
    }
