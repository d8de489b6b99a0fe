"""Generation: what the batched greedy loop writes is what `transformers` writes for each prompt alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from harness.core.decoding_spec import DecodingSpec
from harness.modeling.inference import generate as generation
from harness.modeling.inference.generate import generate
from tests.unit.modeling.inference.conftest import END, PAD, small_bart, small_gpt2, small_llama, small_qwen2, small_t5

MODELS = {"gpt2": small_gpt2, "llama": small_llama, "grouped": small_qwen2, "t5": small_t5, "bart": small_bart}


def some_prompts(count: int = 30) -> list[list[int]]:
    draw = random.Random(0)
    return [[draw.randrange(2, 40) for _ in range(draw.randrange(1, 20))] for _ in range(count)]


def by_transformers(model: Any, prompt: list[int], **settings: Any) -> list[int]:
    import torch
    from transformers import GenerationConfig

    ids = torch.tensor([prompt])
    config = GenerationConfig(
        eos_token_id=END,
        pad_token_id=PAD,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
        **settings,
    )
    model.generation_config = config
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)[0].tolist()
    written = output[1:] if model.config.is_encoder_decoder else output[len(prompt) :]
    return written[: written.index(END)] if END in written else written


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_greedy_text_is_that_of_transformers_whatever_shares_its_batch(
    build: Callable[[], Any], tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prompts = build(), some_prompts()
    alone = [by_transformers(model, prompt, max_new_tokens=12, do_sample=False) for prompt in prompts]
    lengths = {len(text) for text in alone}
    assert len(lengths) > 1, "texts of one length would not show that finished ones leave the batch"
    for tokens in (64, 4096):
        monkeypatch.setitem(generation.TOKENS, "cpu", tokens)
        assert generate(model, tokenizer, prompts, DecodingSpec(max_new_tokens=12)) == alone


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_beams_are_those_of_transformers_whatever_shares_their_batch(
    build: Callable[[], Any], tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prompts = build(), some_prompts(12)
    alone = [by_transformers(model, prompt, max_new_tokens=24, num_beams=3, do_sample=False) for prompt in prompts]
    if build is small_gpt2:
        assert len({len(text) for text in alone}) > 1, "one length would not show that finished ones leave the batch"
    monkeypatch.setattr(generation, "_library", None)
    assert generate(model, tokenizer, prompts, DecodingSpec(max_new_tokens=24, num_beams=3)) == alone


def test_beams_share_what_they_have_in_common(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree of three beams holds far less than three texts."""
    from harness.modeling.inference.decoding_cache import Tree

    sizes: list[tuple[int, int]] = []
    grow = Tree.grow

    def watched(tree: Tree) -> None:
        grow(tree)
        sizes.append((tree.seen.shape[2], 3 * tree.length))

    monkeypatch.setattr(Tree, "grow", watched)
    generate(small_t5(), tokenizer, some_prompts(4), DecodingSpec(max_new_tokens=40, num_beams=3))
    stored, copies = sizes[-1]
    assert len(sizes) > 30
    assert stored < copies * 0.75


def test_a_model_whose_attention_is_not_read_here_is_searched_by_transformers(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prompts = small_gpt2(), some_prompts(4)
    decoding = DecodingSpec(max_new_tokens=8, num_beams=3)
    written = generate(model, tokenizer, prompts, decoding)
    model.set_attn_implementation("eager")
    called = []
    library = generation._library
    monkeypatch.setattr(generation, "_library", lambda *rest: called.append(1) or library(*rest))
    assert generate(model, tokenizer, prompts, decoding) == written
    assert called == [1]


def test_the_models_attention_is_left_as_it_was(tokenizer: Any) -> None:
    model = small_t5()
    generate(model, tokenizer, some_prompts(2), DecodingSpec(max_new_tokens=2, num_beams=2))
    assert {part.config._attn_implementation for part in (model, model.encoder, model.decoder)} == {"sdpa"}


def test_samples_depend_on_the_seed_and_on_nothing_else(tokenizer: Any) -> None:
    import torch

    model, prompts = small_gpt2(), some_prompts(8)
    sampling = DecodingSpec(max_new_tokens=8, do_sample=True)
    first = generate(model, tokenizer, prompts, sampling, seed=3)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert generate(model, tokenizer, prompts, sampling, seed=3) == first
    assert torch.equal(before, torch.random.get_rng_state()), "sampling must leave the program's own draws alone"
    assert generate(model, tokenizer, prompts, sampling, seed=4) != first


def test_a_model_in_training_is_left_in_training(tokenizer: Any) -> None:
    model = small_t5().train()
    generate(model, tokenizer, some_prompts(2), DecodingSpec(max_new_tokens=2))
    assert model.training


RULES = {
    "forced-begin": {"forced_bos_token_id": 7},
    "forced-begin-with-the-token-0": {"forced_bos_token_id": 0},
    "forced-end": {"forced_eos_token_id": END},
    "bad-words": {"bad_words_ids": [[5], [9, 11], [20]]},
    "bad-words-of-a-token": {"bad_words_ids": [[5], [38], [20], [END]]},
    "many": {"suppress_tokens": [38, 13], "forced_bos_token_id": 9, "forced_eos_token_id": END},
    "no-repeat": {"no_repeat_ngram_size": 2},
    "suppress": {"suppress_tokens": [3, 8, 13, 21]},
    "begin-suppress": {"begin_suppress_tokens": [3, 8, END]},
    "several-ends": {"eos_token_id": [END, 4, 9]},
    "least-length": {"min_new_tokens": 6},
    "repetition": {"repetition_penalty": 1.7},
    "sampling-that-is-off": {"do_sample": True, "temperature": 0.2, "top_k": 3, "max_length": 5},
    "early-stopping": {"early_stopping": True, "length_penalty": 2.0},
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("build", [small_gpt2, small_bart], ids=["gpt2", "bart"])
def test_a_checkpoints_generation_config_holds(
    build: Callable[[], Any], tokenizer: Any, beams: int, rules: dict[str, Any]
) -> None:
    import copy

    import torch

    model, prompts = build(), some_prompts(8)
    for name, value in {"pad_token_id": PAD, **rules}.items():
        setattr(model.generation_config, name, value)
    asked = copy.deepcopy(model.generation_config)
    asked.do_sample, asked.max_length, asked.max_new_tokens, asked.num_beams = False, None, 10, beams
    asked.temperature = asked.top_k = None
    alone = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=asked)[0].tolist()
        written = output[1:] if model.config.is_encoder_decoder else output[len(prompt) :]
        ends = rules.get("eos_token_id", [END])
        alone.append(next((written[:place] for place, token in enumerate(written) if token in ends), written))
    before = model.generation_config.to_dict()
    assert generate(model, tokenizer, prompts, DecodingSpec(max_new_tokens=10, num_beams=beams)) == alone
    assert model.generation_config.to_dict() == before
