"""What models share between sequences, and that each sequence scores as it does alone."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from harness.modeling.inference import likelihood
from harness.modeling.inference.likelihood import of_pairs
from harness.modeling.inference.output_layer import OutputLayer
from harness.modeling.inference.sharing import sharing_of
from harness.modeling.inference.token_tree import Sharing, in_order

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
    "intermediate_size": 64, "max_position_embeddings": 128, "initializer_range": 0.3,
}  # fmt: skip
OLD_SIZES = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "initializer_range": 0.3}
LONG_ROPE = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
MODELS: dict[str, tuple[str, dict[str, Any], Sharing]] = {
    "positions that are learned": ("gpt2", OLD_SIZES, Sharing.TREES),
    "rotary positions": ("llama", SIZES, Sharing.TREES),
    "windows that are longer": ("mistral", SIZES | {"sliding_window": 64}, Sharing.TREES),
    "windows that are shorter": ("mistral", SIZES | {"sliding_window": 16}, Sharing.NOTHING),
    "logits that are capped": ("gemma2", SIZES, Sharing.TREES),
    "logits that are scaled": ("granite", SIZES | {"logits_scaling": 4.0}, Sharing.TREES),
    "distances in place of positions": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 2, "initializer_range": 0.3}, Sharing.PREFIXES),
    "no cache": ("openai-gpt", OLD_SIZES, Sharing.NOTHING),
    "a state": ("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "initializer_range": 0.3}, Sharing.NOTHING),
}  # fmt: skip
"""What a model has, its type and settings, and what it can share between texts of some 30 tokens."""


def built(kind: str, settings: dict[str, Any]) -> Any:
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        kind, **({"vocab_size": 60, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0} | settings)
    )
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def asked() -> list[tuple[list[int], list[int]]]:
    """Four choices after each of some questions behind the same examples, among them a beginning of another."""
    draw = random.Random(0)

    def tokens(count: int) -> list[int]:
        return [draw.randrange(2, 60) for _ in range(count)]

    shots = tokens(20)
    contexts = [shots + tokens(draw.randrange(1, 9)) for _ in range(9)]
    pairs = [(context, tokens(draw.randrange(1, 5))) for context in contexts for _ in range(4)]
    return [*pairs, (shots[:3], shots[3:9]), (shots[:3], [*shots[3:5], 7])]


def alone(model: Any, before: list[int], after: list[int]) -> tuple[float, bool]:
    import torch

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*before, *after][:-1]]), use_cache=False).logits[0, len(before) - 1 :]
    targets = torch.tensor(after)
    nats = logits.log_softmax(-1).gather(1, targets[:, None]).double().sum()
    return float(nats), bool((logits.argmax(-1) == targets).all())


@pytest.mark.parametrize("name", MODELS)
def test_sequences_score_as_each_does_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, settings, expected = MODELS[name]
    model, pairs = built(kind, settings), asked()
    monkeypatch.setattr(likelihood, "WORTH_TRYING", 0)
    nats, greedy = of_pairs(model, pairs)
    each = [alone(model, *pair) for pair in pairs]
    np.testing.assert_allclose(nats, [value for value, _ in each], rtol=1e-6, atol=1e-6)
    assert greedy.tolist() == [same for _, same in each]
    sequences, _ = in_order([[*before, *after][:-1] for before, after in pairs])
    assert sharing_of(model, sequences, OutputLayer(model, 0, False)) == expected


def test_rotary_positions_that_change_with_the_length_are_not_shared() -> None:
    rows = [np.arange(2, 2 + length) for length in (20, 30)]
    model = built("llama", SIZES | {"max_position_embeddings": 24, "rope_parameters": LONG_ROPE})
    assert [sharing_of(model, [row], OutputLayer(model, 0, False)) for row in rows] == [Sharing.TREES, Sharing.NOTHING]


def test_a_token_that_is_likeliest_is_greedy_wherever_it_stands_in_the_vocabulary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from harness.modeling.inference import output_layer

    monkeypatch.setitem(output_layer.WORDS, "cpu", 7)
    model, context = built("gpt2", OLD_SIZES), [5, 9, 30, 2]
    after = model.generate(torch.tensor([context]), max_new_tokens=12, do_sample=False, eos_token_id=None)[
        0, 4:
    ].tolist()
    assert len({token // 7 for token in after}) > 2
    pairs = [(context, after), (context, [*after[:-1], (after[-1] + 7) % 60]), (context, after[:1])]
    nats, greedy = of_pairs(model, pairs)
    assert greedy.tolist() == [True, False, True]
    np.testing.assert_allclose(nats, [alone(model, *pair)[0] for pair in pairs], rtol=1e-6)


def test_what_a_model_reads_is_each_shared_token_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pairs = (
        built("llama", SIZES),
        [([*range(2, 42), number, 9], [8, choice]) for number in range(40) for choice in (3, 4, 5, 6)],
    )
    read = []
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda *given, **inputs: read.append(inputs["input_ids"].numel()) or forward(*given, **inputs)
    )
    of_pairs(model, pairs)
    assert sum(read) < 40 + 3 * 40 + 100, "the prefix, each question, and what it takes to try the model"
