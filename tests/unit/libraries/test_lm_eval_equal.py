"""Requests, responses, values of examples and scores are those of lm_eval's evaluator on the same model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from harness import data, metrics
from harness.core.libraries import LIBRARIES
from harness.core.registry import load_registry
from harness.core.requests import Generation
from harness.modeling.inference.requests import answer
from tests.unit.libraries.lm_eval_rows import TASKS
from tests.unit.libraries.theirs import evaluated

ONE_OF_EACH_KIND = tuple({kind: task for task, kind in TASKS.items()}.values())
WRITTEN = 2
"""Examples of tasks that have texts written, which takes a model with random weights long."""
AT_MOST = 1e-6
"""Between log-likelihoods of float32, relative to the larger of 1 and their size."""


def ours(name: str, model: Any, tokenizer: Any, limit: int | None) -> tuple[Any, Any, Any]:
    """The task, its outcomes and the requests with their responses."""
    spec = load_registry().task(f"lm_eval:{name}")
    split = data.load(spec, "synthetic", limit).splits[spec.eval[0]]
    asking = LIBRARIES.get("lm_eval").asking(spec, split, 0)
    answers = answer(model, tokenizer, asking.requests)
    return spec, asking.outcomes(answers.responses), list(zip(asking.requests, answers.responses, strict=True))


def check(name: str, model: Any, tokenizer: Any) -> None:
    base, _, shots = name.partition("@")
    limit = WRITTEN if TASKS[base] == "generation" else None
    spec, made, answered = ours(name, model, tokenizer, limit)
    theirs = evaluated(base, model, tokenizer, int(shots.removesuffix("-shot")) if shots else None, limit)
    samples = theirs["samples"][base]
    first = samples[0]["filter"]
    asked = [arguments for sample in samples if sample["filter"] == first for arguments in sample["arguments"]]
    said = [response[0] for sample in samples if sample["filter"] == first for response in sample["resps"]]
    assert len(asked) == len(answered)
    for arguments, response, (request, mine) in zip(asked, said, answered, strict=True):
        assert arguments[0] == (request.text if hasattr(request, "text") else request.context)
        if isinstance(request, Generation):
            assert mine == response
            continue
        if isinstance(response, tuple):
            assert arguments[1] == request.continuation
            assert mine.is_greedy == response[1]
            response, mine = response[0], mine.nats
        assert abs(mine - response) <= AT_MOST * max(1.0, abs(response))
    check_values(made.values, samples)
    check_scores(spec, made.values, theirs["results"][base])


def check_values(outcomes: list[str], samples: list[dict[str, Any]]) -> None:
    """Each example's value by each metric, under each filter."""
    mine = [json.loads(outcome)["values"] for outcome in outcomes]
    for sample in samples:
        for metric in sample["metrics"]:
            value = mine[sample["doc_id"]][f"{metric},{sample['filter']}"]
            expected = json.loads(json.dumps(sample[metric], default=lambda number: number.tolist()))
            if isinstance(value, float):
                assert value == pytest.approx(expected, rel=1e-5, abs=1e-5)
            elif isinstance(value, list) and isinstance(value[0], float):
                assert value == pytest.approx(expected, rel=1e-6)
            else:
                assert value == expected


def check_scores(spec: Any, outcomes: list[str], results: dict[str, Any]) -> None:
    values = np.asarray(outcomes, dtype=object)
    names = {metric: metric.removeprefix("lm_eval:").partition("=")[0] for metric in spec.metrics}
    for metric, key in names.items():
        expected = results[key if "," in key else f"{key},none"]
        assert metrics.get(metric).score(values, None) == pytest.approx(float(expected), rel=1e-4, abs=1e-6), metric


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_task_of_each_kind_is_answered_as_lm_eval_answers_it(name, model):
    check(name, *model("gpt2"))


@pytest.mark.parametrize("name", ["arc_easy@2-shot", "mmlu_anatomy@3-shot", "lambada_openai@1-shot"])
def test_examples_are_shown_as_lm_eval_shows_them(name, model):
    check(name, *model("gpt2"))


@pytest.mark.parametrize("name", ["hellaswag", "boolq", "pile_10k"])
def test_what_is_too_long_is_cut_on_the_left(name, model):
    check(name, *model("short-gpt2"))


@pytest.mark.parametrize("name", ["hellaswag", "blimp_adjunct_island", "wikitext"])
def test_the_token_that_begins_a_text_stands_where_lm_eval_has_it(name, model):
    check(name, *model("llama"))


@pytest.mark.parametrize("name", ["hellaswag", "winogrande", "blimp_adjunct_island"])
def test_an_encoder_decoder_answers_as_there(name, model):
    check(name, *model("t5"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [task for task in TASKS if task not in ONE_OF_EACH_KIND])
def test_every_task_is_answered_as_lm_eval_answers_it(name, model):
    check(name, *model("gpt2"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gsm8k", *(task for task, kind in TASKS.items() if kind != "generation")])
def test_every_task_is_answered_alike_by_a_model_that_begins_texts(name, model):
    check(name, *model("llama"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nq_open", "wikitext", "mmlu_anatomy@2-shot", "cb", "webqs", "lambada_openai"])
def test_more_tasks_of_an_encoder_decoder(name, model):
    check(name, *model("t5"))
