"""A text by itself, several tokens a pass: the letters of one token a pass, in fewer passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.core.decoding_spec import DecodingSpec
from harness.modeling.inference import prompt_lookup
from harness.modeling.inference.generate import generate
from harness.modeling.inference.prompt_lookup import DRAFT, Lookup, can_look_up
from tests.unit.modeling.inference.test_generate import MODELS, by_transformers, some_prompts

MOST = 24


def passes(model: Any) -> list[int]:
    """The tokens of each pass of a decoder from here on."""
    counted: list[int] = []
    names = ("decoder_input_ids", "input_ids")

    def note(_: Any, __: Any, given: dict[str, Any]) -> None:
        counted.extend(given[name].shape[1] for name in names if given.get(name) is not None)

    model.register_forward_pre_hook(note, with_kwargs=True)
    return counted


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_texts_are_those_of_one_token_a_pass(build: Callable[[], Any], tokenizer: Any) -> None:
    model, prompts = build(), [prompt * 2 for prompt in some_prompts(12)]
    alone = [by_transformers(model, prompt, max_new_tokens=MOST, do_sample=False) for prompt in prompts]
    counted = passes(model)
    texts = [generate(model, tokenizer, [prompt], DecodingSpec(max_new_tokens=MOST))[0] for prompt in prompts]
    assert texts == alone
    assert len(counted) < sum(min(len(text) + 1, MOST) for text in texts)
    assert any(1 < tokens <= DRAFT + 1 for tokens in counted)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_is_written_than_was_asked_for(most: int, tokenizer: Any) -> None:
    model = MODELS["gpt2"]()
    for prompt in some_prompts(6):
        text = generate(model, tokenizer, [prompt * 2], DecodingSpec(max_new_tokens=most))[0]
        assert text == by_transformers(model, prompt * 2, max_new_tokens=most, do_sample=False)


def test_what_is_forced_and_never_written_stays_so(tokenizer: Any) -> None:
    model, prompt = MODELS["bart"](), some_prompts(1)[0] * 2
    rules = {"forced_bos_token_id": 7, "forced_eos_token_id": 1, "suppress_tokens": [3, 9, 11, 12]}
    expected = by_transformers(model, prompt, max_new_tokens=9, do_sample=False, **rules)
    assert expected[0] == 7
    assert generate(model, tokenizer, [prompt], DecodingSpec(max_new_tokens=9))[0] == expected


def test_an_end_ends_the_text_within_a_draft() -> None:
    from types import SimpleNamespace

    from harness.modeling.inference.generate import Stops

    decode = SimpleNamespace(batch_decode=lambda rows: ["".join(f"<{token}>" for token in row) for row in rows])
    tokenizer = SimpleNamespace(eos_token_id=1, pad_token_id=0, bos_token_id=None)
    model, prompt = MODELS["gpt2"](), some_prompts(3)[2] * 2
    whole = generate(model, tokenizer, [prompt], DecodingSpec(max_new_tokens=MOST))[0]
    stop = whole[len(whole) // 2]
    stops = Stops((f"<{stop}>",), 3, decode)
    cut = generate(model, tokenizer, [prompt], DecodingSpec(max_new_tokens=MOST), stops=stops)[0]
    assert cut == whole[: whole.index(stop) + 1]


def test_a_draft_is_what_followed_last_time_by_the_longest_match() -> None:
    lookup = Lookup([5, 1, 2, 3, 9, 9, 7, 2, 3, 4, 1, 2, 3])
    assert lookup.draft(4) == [9, 9, 7, 2], "after 1 2 3, not after the later 2 3"
    assert lookup.draft(2) == [9, 9]
    lookup.add(4)
    assert lookup.draft(9) == [1, 2, 3, 4], "as far as there is something"
    assert Lookup([5, 6, 7]).draft(5) == Lookup([5]).draft(5) == Lookup([]).draft(5) == []


def test_models_whose_activations_are_rounded_by_what_is_read_together_are_left_out(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = MODELS["llama"]()
    assert can_look_up(model)
    quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    assert not can_look_up(quantized)
    monkeypatch.setattr(prompt_lookup, "greedy", lambda *given: pytest.fail("it was looked up"))
    generate(quantized, tokenizer, some_prompts(1), DecodingSpec(max_new_tokens=3))
    assert len(generate(model, tokenizer, some_prompts(2), DecodingSpec(max_new_tokens=3))) == 2, "nor in a batch"
