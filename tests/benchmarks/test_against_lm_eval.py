"""Tasks of lm_eval scored here and by lm_eval's own evaluator, side by side in one process, one thread each.

The same models of random weights, the same rows; of lm_eval's batches of 1 and 8 the better in a trial counts. Time is
of the process, tasks and data already in memory, from requests to scores; the two take turns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from harness import data, metrics
from harness.core.libraries import LIBRARIES
from harness.core.registry import load_registry
from harness.modeling.inference.requests import answer
from tests.benchmarks.turns import Comparison, spent_by, take_turns
from tests.unit.libraries import lm_eval_rows
from tests.unit.libraries.theirs import task_of
from tests.unit.modeling.heads import given

pytest.importorskip("lm_eval", reason="lm_eval is not installed")

BATCHES = (1, 8)
AT_MOST = 1.1
"""Of lm_eval's seconds: what the noise of a shared machine takes."""
SIZES = {
    "hellaswag": 20,
    "arc_easy@5-shot": 8,
    "mmlu_anatomy@5-shot": 16,
    "blimp_adjunct_island": 60,
    "lambada_openai": 40,
    "wikitext": 4,
    "gsm8k@2-shot": 2,
}
"""Tasks, and how many examples of each."""
LARGE: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 384, "n_layer": 6, "n_head": 6, "n_positions": 1024, "vocab_size": 50_257},
    "llama": {
        "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6, "num_key_value_heads": 6,
        "intermediate_size": 1024, "max_position_embeddings": 1024, "vocab_size": 50_257,
    },
}  # fmt: skip
"""Models whose vocabulary is as large as GPT-2's."""
WORK: dict[str, tuple[int, str, float]] = {
    "arc_easy@5-shot": (6, "5 shown, others for each example, four choices", 5),
    "mmlu_anatomy@5-shot": (10, "5 shown, the same for all, four letters", 5),
    "arc_easy": (20, "nothing shown, four choices as long as the question", 3),
    "hellaswag": (12, "nothing shown, four endings", 3),
    "wikitext": (2, "whole texts by rolling windows", 1.5),
}
"""Tasks, how many examples of each, what they are, and how many times as fast harness is meant to be."""
KEYS = (
    ("Rowan/hellaswag", None),
    ("allenai/ai2_arc", "ARC-Easy"),
    ("cais/mmlu", "anatomy"),
    ("nyu-mll/blimp", "adjunct_island"),
    ("EleutherAI/lambada_openai", "default"),
    ("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1"),
    ("openai/gsm8k", "main"),
)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """More rows than the tests of equality have, without the hub."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    for key in KEYS:
        few = lm_eval_rows.DATASETS[key]
        many = {split: [_varied(row, at) for at in range(20) for row in made] for split, made in few.items()}
        monkeypatch.setitem(lm_eval_rows.DATASETS, key, many)
    with lm_eval_rows.without_hub():
        yield


@pytest.fixture
def long_texts(rows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of more than a window."""
    key = ("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1")
    pages = lm_eval_rows.DATASETS[key]
    longer = {
        split: [{"page": " ".join(row["page"] for row in made[at : at + 5])} for at in range(0, len(made), 5)]
        for split, made in pages.items()
    }
    monkeypatch.setitem(lm_eval_rows.DATASETS, key, longer)


def _varied(value: Any, at: int) -> Any:
    """A row with another number in each of its texts, so that no two requests are the same."""
    if isinstance(value, str) and " " in value.strip():
        return f"{value.rstrip()} {at}." if not value.startswith("####") else value
    if isinstance(value, dict):
        return {name: _varied(inner, at) for name, inner in value.items()}
    if isinstance(value, list):
        return [_varied(inner, at) for inner in value]
    return value


def ours(spec: Any, split: Any, model: Any, tokenizer: Any) -> dict[str, float]:
    asking = LIBRARIES.get("lm_eval").asking(spec, split, 0)
    made = asking.outcomes(answer(model, tokenizer, asking.requests).responses)
    values = np.asarray(made.values, dtype=object)
    return {name: metrics.get(name).score(values, None) for name in spec.metrics}


def theirs(task: Any, limit: int, model: Any, tokenizer: Any, batch: int) -> dict[str, Any]:
    """The scores of a task that is loaded; its examples are drawn as if it had just been."""
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    task.set_fewshot_seed(seed=1234)
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)
    name = task.config.task
    return evaluate(lm, {"tasks": {name: task}, "groups": {}}, limit=limit, bootstrap_iters=0)["results"][name]


def taken(asked: str, limit: int, model: Any, tokenizer: Any, comparison: Comparison) -> Comparison:
    """A task scored by both in turns, after a trial of lm_eval's batches; the scores are the same."""
    name, _, shown = asked.partition("@")
    shots = int(shown.removesuffix("-shot")) if shown else None
    spec = load_registry().task(f"lm_eval:{asked}")
    split = data.load(spec, "synthetic", limit).splits[spec.eval[0]]
    mine = ours(spec, split, model, tokenizer)
    loaded, results = task_of(name, shots), {}

    def evaluate(batch: int) -> None:
        results.update(theirs(loaded, limit, model, tokenizer, batch))

    trials = {batch: spent_by(partial(evaluate, batch)).cpu for batch in BATCHES}
    best = min(trials, key=lambda batch: trials[batch])
    comparison.peer = f"lm_eval, batches of {best}"
    comparison.facts |= {"examples": len(split), "trials": trials, "scores": mine}
    for metric, value in mine.items():
        key = metric.removeprefix("lm_eval:").partition("=")[0]
        assert value == pytest.approx(float(results[key if "," in key else f"{key},none"]), rel=1e-4, abs=1e-6), metric
    return take_turns(comparison, partial(ours, spec, split, model, tokenizer), partial(evaluate, best))


@cache
def large(kind: str) -> Any:
    return given.model("AutoModelForCausalLM", kind, "bytebpe", **LARGE[kind], initializer_range=0.02)


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("asked", SIZES)
def test_no_task_takes_longer_than_there(asked, rows, benchmark):
    import torch

    torch.set_num_threads(1)
    settings = {"n_positions": 1024, "n_embd": 256, "n_layer": 4, "n_head": 4, "vocab_size": 2000}
    model = given.model("AutoModelForCausalLM", "gpt2", "bytebpe", **settings)
    comparison = Comparison("Scoring without training", f"lm_eval:{asked}, GPT-2 of 4 × 256, 2,000 tokens", "lm_eval")
    benchmark.pedantic(taken, (asked, SIZES[asked], model, given.tokenizer("bytebpe"), comparison), rounds=1)
    comparison.record(benchmark)
    assert comparison.ratio > 1 / AT_MOST, comparison


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("asked", WORK)
def test_what_is_shared_is_read_once_and_logits_are_made_where_they_are_scored(asked, kind, long_texts, benchmark):
    import torch

    torch.set_num_threads(1)
    limit, what, goal = WORK[asked]
    subject = f"lm_eval:{asked}, {kind} of 6 × 384, 50,257 tokens"
    comparison = Comparison("Scoring without training", subject, "lm_eval", goal=goal, note=what)
    benchmark.pedantic(taken, (asked, limit, large(kind), given.tokenizer("bytebpe"), comparison), rounds=1)
    comparison.record(benchmark)
    assert comparison.ratio > goal / AT_MOST, comparison
