"""The loss over a vocabulary, some rows at a time: the same numbers as all at once."""

from __future__ import annotations

import numpy as np
import pytest

from harness.training.objectives.clm import CausalLM


def both(bias: bool, **autocast):
    """Loss and gradients by hidden states, weight and bias, some rows at a time and all at once."""
    import torch
    from torch.nn.functional import cross_entropy, linear

    from harness.modeling.heads.linear_cross_entropy import ROWS, linear_cross_entropy

    torch.manual_seed(0)
    given = [torch.randn(2 * ROWS + 7, 16), torch.randn(50, 16), torch.randn(50) if bias else None]
    targets = torch.randint(0, 50, (2 * ROWS + 7,))
    results = []
    for loss_of in (linear_cross_entropy, lambda x, w, b, t: cross_entropy(linear(x, w, b).float(), t)):
        inputs = [None if one is None else one.clone().requires_grad_() for one in given]
        with torch.autocast("cpu", torch.bfloat16, **({"enabled": False} | autocast)):
            loss = loss_of(*inputs, targets)
        (3 * loss).backward()
        results.append([loss.item(), *(one.grad.numpy() for one in inputs if one is not None)])
    return results


@pytest.mark.parametrize("bias", [True, False])
def test_loss_and_gradients_are_those_of_all_logits_at_once(bias):
    for one, other in zip(*both(bias), strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_under_autocast_they_agree_to_its_precision():
    (loss, *gradients), (same, *others) = both(True, enabled=True)
    assert loss == pytest.approx(same, rel=1e-2)
    for one, other in zip(gradients, others, strict=True):
        assert np.abs(one - other).max() < 0.02 * np.abs(other).max()


@pytest.mark.parametrize("capped", [False, True])
def test_causal_lm_has_the_loss_of_transformers_whatever_becomes_of_the_logits(tokens, random, capped):
    import torch
    from transformers import Gemma2Config, GPT2Config

    small = {"vocab_size": 200, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    config = GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=32, **small)
    if capped:  # its logits are squeezed by a tanh, so that its head is not linear
        config = Gemma2Config(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
            intermediate_size=32, final_logit_softcapping=0.5, **small,
        )  # fmt: skip
    objective = CausalLM(CausalLM.Options(), tokens, 12)
    torch.manual_seed(0)
    model = objective.build(config)
    objective.try_out(model)
    assert objective.linear_head == (not capped)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3)
    blocks = random.integers(105, 200, (5, 13))
    batch = {name: torch.from_numpy(rows.copy()) for name, rows in objective.corrupt(blocks, random).items()}
    model.eval()
    whole = torch.from_numpy(blocks)
    assert objective.loss(model, batch).item() == pytest.approx(model(whole, labels=whole).loss.item(), rel=1e-5)
