"""Greedy texts written one by one, with drafts that are looked up in what was read and written, and without."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from tests.benchmarks.turns import Comparison, take_turns

TEXTS, WRITTEN = 6, 127


def t5() -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=2289, d_model=128, d_kv=32, d_ff=512, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    return T5ForConditionalGeneration(config)


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_embd": 256, "n_layer": 4, "n_head": 4, "n_positions": 512}
    return GPT2LMHeadModel(GPT2Config(vocab_size=8000, bos_token_id=1, eos_token_id=1, **sizes))


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("build", [t5, gpt2], ids=["T5 of 2 + 2 layers of 128", "GPT-2 of 4 layers of 256"])
@pytest.mark.parametrize("repeats", [True, False], ids=["texts that repeat", "drafts that are all wrong"])
def test_prompt_lookup_against_one_token_a_pass(build: Any, repeats: bool, benchmark: Any) -> None:
    """With random weights, whose texts run in circles; the same texts on both sides."""
    import torch

    from harness.core.decoding_spec import DecodingSpec
    from harness.modeling.inference import prompt_lookup
    from harness.modeling.inference.generate import generate

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, draw = build().eval(), random.Random(0)
    model.generation_config.eos_token_id = None
    tokenizer = SimpleNamespace(eos_token_id=None, pad_token_id=0, bos_token_id=None)
    prompts = [[draw.randrange(5, 2000) for _ in range(draw.randrange(60, 160))] for _ in range(TEXTS)]
    written: dict[bool, list[list[int]]] = {}

    def write(looks_up: bool) -> None:
        wrong = patch.object(prompt_lookup.Lookup, "draft", lambda self, most: [2] * most)
        allowed = patch.object(prompt_lookup, "can_look_up", lambda model: looks_up)
        with allowed, patch.object(prompt_lookup, "SIZES", prompt_lookup.SIZES) if repeats else wrong:
            decoding = DecodingSpec(max_new_tokens=WRITTEN)
            written[looks_up] = [generate(model, tokenizer, [prompt], decoding)[0] for prompt in prompts]

    comparison = Comparison(
        area="Generation",
        subject=f"{TEXTS} greedy texts of {WRITTEN} tokens one by one, {type(model).__name__}, "
        + ("texts that repeat" if repeats else "drafts that are all wrong"),
        peer="one token a pass",
    )
    benchmark.pedantic(
        lambda: take_turns(comparison, lambda: write(True), lambda: write(False), 9), rounds=1, iterations=1
    )
    comparison.record(benchmark)
    assert written[True] == written[False]
