"""The loss over a vocabulary in parts: the numbers of all logits at once, whatever becomes of them after the layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.modeling.heads import vocabulary_loss
from harness.modeling.heads.vocabulary_loss import IGNORED, has_linear_head, summed, summed_loss
from tests.unit.modeling.inference.conftest import small_bart, small_gpt2, small_t5


def both(model: Any, monkeypatch: pytest.MonkeyPatch, large: int) -> list[list[torch.Tensor]]:
    """Loss and gradients of a model in training, by `summed_loss` and by `summed`."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(2, 40, (3, 9), generator=random)
    labels = torch.randint(2, 40, (3, 8), generator=random)
    labels[0, 5:] = IGNORED
    apart = model.config.is_encoder_decoder
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if apart:
        batch["decoder_input_ids"] = model.prepare_decoder_input_ids_from_labels(labels=labels)
    monkeypatch.setattr(vocabulary_loss, "LARGE", large)
    results = []
    for loss_of in (summed_loss, lambda *rest: summed(*rest).loss):
        model.train().zero_grad()
        torch.manual_seed(3)
        loss = loss_of(model, dict(batch), labels, not apart)
        loss.backward()
        results.append([loss.detach(), *(each.grad.clone() for each in model.parameters() if each.grad is not None)])
    assert has_linear_head(model, batch, labels, not apart) == (model.config.model_type != "bart")
    return results


@pytest.mark.parametrize("build", [small_gpt2, small_t5, small_bart])
def test_loss_and_gradients_are_those_of_all_logits_at_once(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout included, to the rounding of float32 through all layers. BART adds a bias: its logits are made at once."""
    model = build()
    if model.config.model_type == "bart":
        model.final_logits_bias += 1
    parts, whole = both(model, monkeypatch, 1)
    assert len(parts) == len(whole) > 10
    for ours, expected in zip(parts, whole, strict=True):
        assert float((ours - expected).abs().max()) <= 5e-6 * max(1.0, float(expected.abs().max()))


def test_few_logits_are_made_at_once_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, whole = both(small_t5(), monkeypatch, vocabulary_loss.LARGE)
    assert all(map(torch.equal, parts, whole))
