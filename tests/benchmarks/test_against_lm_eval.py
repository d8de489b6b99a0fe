"""Tasks of lm_eval scored here and by lm_eval's own evaluator, side by side in one process, one thread each.

The same GPT-2 of random weights (4 layers of 256, 2,000 tokens), the same rows; lm_eval with batches of 1 and 16, the
best of which counts. Seconds are the process's own, tasks and data already in memory, from requests to scores; the two
take turns, and a ratio is the median over the rounds. The figures land in $HARNESS_BENCHMARK_OUT, if set.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import data, metrics
from harness.core.libraries import LIBRARIES
from harness.core.registry import load_registry
from harness.modeling.inference.requests import answer
from tests.unit.libraries import lm_eval_rows
from tests.unit.libraries.theirs import task_of
from tests.unit.modeling.heads import given

pytest.importorskip("lm_eval", reason="lm_eval is not installed")

ROUNDS = 2
BATCHES = (1, 16)
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
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than the tests of equality have."""
    for key in KEYS:
        few = lm_eval_rows.DATASETS[key]
        many = {split: [_varied(row, at) for at in range(20) for row in made] for split, made in few.items()}
        monkeypatch.setitem(lm_eval_rows.DATASETS, key, many)


def _varied(value: Any, at: int) -> Any:
    """A row with another number in each of its texts, so that no two requests are the same."""
    if isinstance(value, str) and " " in value.strip():
        return f"{value.rstrip()} {at}." if not value.startswith("####") else value
    if isinstance(value, dict):
        return {name: _varied(inner, at) for name, inner in value.items()}
    if isinstance(value, list):
        return [_varied(inner, at) for inner in value]
    return value


def seconds(call: Callable[[], Any]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def ours(spec: Any, split: Any, model: Any, tokenizer: Any) -> dict[str, float]:
    asking = LIBRARIES.get("lm_eval").asking(spec, split, 0)
    made = asking.outcomes(answer(model, tokenizer, asking.requests).responses)
    values = np.asarray(made.values, dtype=object)
    return {name: metrics.get(name).score(values, None) for name in spec.metrics}


def theirs(name: str, shots: int | None, limit: int, model: Any, tokenizer: Any, batch: int) -> dict[str, Any]:
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)
    return evaluate(lm, {"tasks": {name: task_of(name, shots)}, "groups": {}}, limit=limit, bootstrap_iters=0)[
        "results"
    ]


@pytest.mark.slow
@pytest.mark.nightly
def test_no_task_takes_longer_than_there(rows):
    import torch

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    settings = {"n_positions": 1024, "n_embd": 256, "n_layer": 4, "n_head": 4, "vocab_size": 2000}
    model, tokenizer = given.model("AutoModelForCausalLM", "gpt2", "bytebpe", **settings), given.tokenizer("bytebpe")
    with lm_eval_rows.without_hub():
        figures = {asked: timed(asked, limit, model, tokenizer) for asked, limit in SIZES.items()}
    if os.environ.get("HARNESS_BENCHMARK_OUT"):
        Path(os.environ["HARNESS_BENCHMARK_OUT"]).write_text(json.dumps(figures, indent=1))
    slower = {name: figure for name, figure in figures.items() if figure["ratio"] > AT_MOST}
    assert not slower, figures


def timed(asked: str, limit: int, model: Any, tokenizer: Any) -> dict[str, float]:
    """CPU seconds of a task, the best of lm_eval's batches beside ours."""
    name, _, shown = asked.partition("@")
    shots = int(shown.removesuffix("-shot")) if shown else None
    spec = load_registry().task(f"lm_eval:{asked}")
    split = data.load(spec, "synthetic", limit).splits[spec.eval[0]]
    task_of(name, shots)
    here: list[float] = []
    there: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(ROUNDS):
        here.append(seconds(partial(ours, spec, split, model, tokenizer)))
        for batch in BATCHES:
            there[batch].append(seconds(partial(theirs, name, shots, limit, model, tokenizer, batch)))
    best = min(BATCHES, key=lambda batch: statistics.median(there[batch]))
    ratio = statistics.median(mine / other for mine, other in zip(here, there[best], strict=True))
    return {
        "examples": len(split),
        "harness": statistics.median(here),
        "lm_eval": statistics.median(there[best]),
        "batch": best,
        "ratio": ratio,
    }
