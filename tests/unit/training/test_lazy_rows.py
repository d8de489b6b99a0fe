"""Rows of an embedding table that are moved when they are read end as AdamW leaves them."""

from __future__ import annotations

import pytest
import torch

from harness.training import lazy_rows
from harness.training.lazy_rows import LazyRows, lazy_table

ROWS, WIDTH, STEPS = 40, 6, 120


def rates() -> list[float]:
    return [0.02 * min(1.0, step / 10) * (1 - step / STEPS) for step in range(STEPS)]


def batches() -> list[torch.Tensor]:
    """A few rows a step, some of them often, some once, some never, padding among them."""
    random = torch.Generator().manual_seed(1)
    often = [torch.randint(1, 12, (2, 3), generator=random) for _ in range(STEPS)]
    for step in range(0, STEPS, 7):
        often[step][0, 0] = 12 + step % 25
    for batch in often:
        batch[1, 2] = 0
    return often


def loss(table: torch.nn.Embedding, batch: torch.Tensor, target: torch.Tensor, scale: float) -> torch.Tensor:
    return scale * (table(batch) * target[: batch.shape[1]]).tanh().sum()


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
@pytest.mark.parametrize(("scale", "within"), [(1.0, 2e-6), (1e-5, 3e-5)])
def test_rows_end_as_a_step_over_all_of_them_leaves_them(weight_decay: float, scale: float, within: float) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Embedding(ROWS, WIDTH, padding_idx=0)
    lazy = torch.nn.Embedding(ROWS, WIDTH, padding_idx=0)
    lazy.load_state_dict(plain.state_dict())
    target = torch.randn(3, WIDTH)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1.0, weight_decay=weight_decay)
    table = LazyRows(lazy, rates(), weight_decay)
    with table.reading():
        for step, (batch, rate) in enumerate(zip(batches(), rates(), strict=True)):
            optimizer.param_groups[0]["lr"] = rate
            losses = [loss(each, batch, target, scale) for each in (plain, lazy)]
            assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-5, abs=20 * within * scale)
            for each in losses:
                each.backward()
            optimizer.step()
            optimizer.zero_grad()
            table.step(*table.gradient())
            if step == 60:
                with torch.no_grad():
                    assert torch.allclose(lazy(torch.arange(ROWS)), plain.weight, rtol=1e-6, atol=within)
    assert torch.allclose(lazy.weight, plain.weight, rtol=1e-6, atol=within)
    assert lazy.weight.requires_grad and not torch.equal(lazy.weight[1], lazy.weight[30])


def test_only_large_tables_of_their_own_are_moved_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

    monkeypatch.setattr(lazy_rows, "ROWS_FROM", 64)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = BertConfig(vocab_size=64, **shape)
    assert lazy_table(BertForSequenceClassification(config), 8, [0.1], 0.0) is not None
    assert lazy_table(BertForSequenceClassification(config), 9, [0.1], 0.0) is None  # most rows are read in a step
    assert lazy_table(BertForMaskedLM(config), 8, [0.1], 0.0) is None  # the output layer has the same weights
    frozen = BertForSequenceClassification(config)
    frozen.get_input_embeddings().weight.requires_grad_(False)
    assert lazy_table(frozen, 8, [0.1], 0.0) is None
