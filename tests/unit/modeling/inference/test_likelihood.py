"""Log-likelihoods: those one gets token by token, without batches, caches or padding."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from harness.modeling.inference.likelihood import of_continuations, of_texts, rolling
from tests.unit.modeling.inference.conftest import small_bart, small_gpt2, small_llama, small_t5


def one_by_one(model: Any, before: Sequence[int], after: Sequence[int]) -> float:
    """The likelihood of `after`, each token from a forward pass of its own."""
    import torch

    total = 0.0
    with torch.no_grad():
        for place, token in enumerate(after):
            if model.config.is_encoder_decoder:
                written = [model.config.decoder_start_token_id, *after[:place]]
                output = model(input_ids=torch.tensor([before]), decoder_input_ids=torch.tensor([written]))
            else:
                output = model(input_ids=torch.tensor([[*before, *after[:place]]]))
            total += float(output.logits[0, -1].log_softmax(-1)[token])
    return total


@pytest.mark.parametrize("build", [small_gpt2, small_llama, small_t5, small_bart])
def test_continuations_of_any_length_score_as_if_alone(build: Callable[[], Any]) -> None:
    model, draw = build(), random.Random(1)

    def tokens(longest: int) -> list[int]:
        return [draw.randrange(2, 40) for _ in range(draw.randrange(1, longest))]

    prompts = [tokens(12) for _ in range(9)]
    continuations = [[tokens(5) for _ in range(3)] for _ in prompts]
    expected = [
        [one_by_one(model, prompt, choice) for choice in choices]
        for prompt, choices in zip(prompts, continuations, strict=True)
    ]
    np.testing.assert_allclose(of_continuations(model, prompts, continuations), expected, atol=1e-4)


def test_a_text_longer_than_the_window_is_predicted_once_token_by_token() -> None:
    model, draw = small_gpt2(), random.Random(2)
    texts = [[draw.randrange(2, 40) for _ in range(length)] for length in (1, 7, 8, 9, 16, 21)]
    found = of_texts(model, texts, start=1, size=8)
    for text, value in zip(texts, found, strict=True):
        whole = [1, *text]
        expected = sum(
            one_by_one(model, whole[begin : first + 1 + place], [text[first + place]])
            for begin, first, end in rolling(len(text), 8)
            for place in range(end - first)
        )
        assert value == pytest.approx(expected, abs=1e-4)


def test_windows_follow_each_other_and_the_last_looks_back() -> None:
    assert rolling(21, 8) == [(0, 0, 8), (8, 8, 16), (13, 16, 21)]
    assert rolling(3, 8) == [(0, 0, 3)]
    assert rolling(8, 8) == [(0, 0, 8)]
    assert rolling(0, 8) == []
