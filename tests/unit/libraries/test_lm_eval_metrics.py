"""Values of examples are put together as lm_eval puts them together, and so are samples of them."""

from __future__ import annotations

import json
import math
from random import Random

import numpy as np
import pytest

from harness import metrics
from harness.core.errors import HarnessError
from harness.libraries.lm_eval_metrics import AGGREGATIONS, USUAL, key_of, name_of
from harness.stats import bootstrap

pytest.importorskip("lm_eval", reason="lm_eval is not installed")
WORDS = ["a", "small", "dog", "walks", "over", "the", "old", "bridge", "near", "green", "water"]


def items(aggregation: str, count: int = 30) -> list:
    random = Random(3)
    texts = [" ".join(random.choices(WORDS, k=random.randint(3, 9))) for _ in range(2 * count)]
    made = {
        "weighted_perplexity": lambda at: [-random.random() * 9, random.randint(1, 9)],
        "bits_per_byte": lambda at: [-random.random() * 9, random.randint(1, 9)],
        "f1": lambda at: [random.randint(0, 1), random.randint(0, 1)],
        "matthews_corrcoef": lambda at: [random.randint(0, 1), random.randint(0, 1)],
        "brier_score": lambda at: [random.randint(0, 2), [0.2, 0.3, 0.5]],
        **dict.fromkeys(("bleu", "chrf", "chrf++", "ter"), lambda at: [texts[2 * at], texts[2 * at + 1]]),
        "nanmean": lambda at: math.nan if at == 4 else random.random(),
        "perplexity": lambda at: -random.random(),
    }
    return [made.get(aggregation, lambda at: random.random())(at) for at in range(count)]


def outcomes(key: str, values: list) -> np.ndarray:
    return np.asarray([json.dumps({"answer": "", "values": {key: value}}) for value in values], dtype=object)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_an_aggregation_is_lm_evals(aggregation):
    from lm_eval.api import metrics as theirs
    from lm_eval.api.registry import get_aggregation

    assert theirs
    metric = metrics.get(f"lm_eval:made-up={aggregation}")
    values = items(aggregation)
    assert metric.score(outcomes("made-up,none", values), None) == pytest.approx(get_aggregation(aggregation)(values))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_sample_scores_what_its_examples_do(aggregation):
    metric = metrics.get(f"lm_eval:made-up={aggregation}")
    values = items(aggregation)
    weights = np.bincount(np.random.default_rng(0).integers(0, len(values), len(values)), minlength=len(values))
    drawn = [value for value, times in zip(values, weights, strict=True) for _ in range(times)]
    scored = metric.resample.prepare(outcomes("made-up,none", values), np.empty(len(values), dtype=object))
    expected = metric.compute(outcomes("made-up,none", drawn), np.empty(len(drawn), dtype=object))
    assert scored(weights[None, :].astype(float))[0] == pytest.approx(expected, rel=1e-9)


def test_examples_without_a_value_do_not_count():
    metric = metrics.get("lm_eval:made-up")
    made = outcomes("made-up,none", [1.0, 0.0, 1.0] * 10)
    made[1::3] = json.dumps({"answer": "", "values": {}})
    assert metric.score(made, None) == 1.0
    assert bootstrap.interval(metric, made, None).low == 1.0


def test_metrics_of_right_and_wrong_are_tested_as_such():
    assert metrics.get("lm_eval:acc").counts_successes
    assert metrics.get("lm_eval:exact_match,strict-match").counts_successes
    assert not metrics.get("lm_eval:acc=mean").counts_successes
    assert not metrics.get("lm_eval:word_perplexity").greater_is_better
    assert not metrics.get("lm_eval:gap=-mean").greater_is_better


def test_a_name_says_what_is_not_usual():
    assert name_of("acc", "none", "mean", True, True) == "acc"
    assert name_of("acc", "none", "mean", True, False) == "acc=mean"
    assert name_of("f1", "none", "mean", True, False) == "f1=mean"
    assert name_of("gap", "strict", "mean", False, False) == "gap,strict=-mean"
    assert key_of("f1=mean") == "f1,none" and key_of("gap,strict=-mean") == "gap,strict"
    assert set(USUAL) >= {"acc", "bleu", "mcc"}


def test_a_function_of_a_task_is_found_by_its_place():
    metric = metrics.get("lm_eval:f1=super_glue/cb/aggregate.cb_multi_fi")
    values = [[label, (label + at // 5) % 3] for at, label in enumerate([0, 1, 2] * 5)]
    made = outcomes("f1,none", values)
    assert 0 < metric.score(made, None) < 1
    assert bootstrap.interval(metric, made, None, resamples=20).low < metric.score(made, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lm_eval:x=meen", "unknown aggregation 'meen' in metric lm_eval:x=meen. Did you mean 'mean'?"),
        ("lm_eval:x=super_glue/cb/aggregate.nothing", "lm_eval has no function super_glue/cb/aggregate.nothing"),
        ("lm_eval:x=../../evil.run", "lm_eval has no function"),
    ],
)
def test_an_unknown_aggregation_is_named(name, message):
    with pytest.raises(HarnessError, match=message.replace("?", r"\?").replace(".", r"\.")):
        metrics.get(name)


def test_predictions_that_are_no_outcomes_are_refused():
    with pytest.raises(HarnessError, match="must be outcomes of the library"):
        metrics.get("lm_eval:acc").score(["yes"], None)
    with pytest.raises(HarnessError, match="no example has a value 'acc,none'"):
        metrics.get("lm_eval:acc").score([json.dumps({"answer": "", "values": {}})], None)
