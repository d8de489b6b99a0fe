"""The last layer of a classifier at the first position alone against all positions in scoring, and in steps of training
layers in one function besides against those of transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from tests.benchmarks.turns import Comparison, take_turns

SIZES = {
    "2 × 128": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512},
    "6 × 384": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536},
}
ROWS, LENGTH, CALLS = 32, 24, 10


def calls(size: str, shortened: bool, trains: bool) -> Callable[[], Any]:
    """Some steps of training, or passes of scoring, as a function."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from harness.modeling.inference.first_position import first_position
    from harness.training.dropout import quick_dropout
    from harness.training.encoder_layer import fused_layers

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES[size], vocab_size=8000, num_labels=2)).train(trains)
    batch = {"input_ids": torch.randint(5, 8000, (ROWS, LENGTH)), "attention_mask": torch.ones(ROWS, LENGTH).long()}
    batch["attention_mask"][::2, LENGTH - 3 :] = 0
    labels = torch.randint(0, 2, (ROWS,)) if trains else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=True)

    def run() -> None:
        faster = fused_layers(model, True) if trains else first_position(model)
        with faster if shortened else nullcontext(), quick_dropout(model):
            for _ in range(CALLS):
                with torch.set_grad_enabled(trains):
                    output = model(**batch, labels=labels)
                if trains:
                    output.loss.backward()
                    optimizer.step()
                    optimizer.zero_grad()

    return run


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("trains", [True, False], ids=["training", "scoring"])
def test_first_position_against_all_positions(size: str, trains: bool, benchmark: Any) -> None:
    """That both compute the same is a test of its own; the ratio is reported, and is more than one."""
    comparison = Comparison(
        area="Fine-tuning",
        subject=f"{'steps of training' if trains else 'scoring'}, BERT of {size}, {ROWS} × {LENGTH} tokens",
        peer="layers of transformers, dropout as ours" if trains else "all positions of the last layer",
    )
    ours, theirs = calls(size, True, trains), calls(size, False, trains)
    ours(), theirs()
    benchmark.pedantic(lambda: take_turns(comparison, ours, theirs, 9), rounds=1, iterations=1)
    comparison.record(benchmark)
    assert comparison.ratio > 1
