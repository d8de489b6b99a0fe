"""What a step of adversarial training costs in steps of a plain one, side by side: what a plan counts with."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import pytest

from harness.core.adversarial_spec import DEFAULTS, AdversarialSpec

ROUNDS = 7


@pytest.mark.slow
def test_a_step_costs_what_a_plan_counts_with() -> None:
    """A BERT of 4 × 256 on 16 texts of 64 tokens, processor time of one thread, rounds in turn."""
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import BertConfig, BertForSequenceClassification

    from harness.modeling.inference.outputs import Outputs
    from harness.training.adversarial.adversary import Adversary
    from harness.training.adversarial.passes import Reader
    from harness.training.dropout import quick_dropout
    from harness.training.encoder_layer import fused_layers

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=2000, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024
    )
    model = BertForSequenceClassification(config).train()
    batch = {
        "input_ids": torch.randint(5, 2000, (16, 64)), "attention_mask": torch.ones(16, 64, dtype=torch.long),
        "labels": torch.arange(16) % 2,
    }  # fmt: skip

    def outputs(of: Any, rows: dict[str, Any]) -> Outputs:
        labels = rows.pop("labels")
        logits = of(**rows).logits
        return Outputs(cross_entropy(logits, labels, reduction="sum"), (logits,))

    reader = Reader(lambda of, rows: outputs(of, rows).loss, outputs)
    adversaries = {name: Adversary(AdversarialSpec.model_validate(name), reader, 0) for name in DEFAULTS}

    def step(name: str, number: int) -> float:
        start = time.process_time()
        model.zero_grad()
        if name == "none":
            reader.loss(model, dict(batch)).backward()
        else:
            adversaries[name].loss(
                lambda rows, term: term(model, rows), lambda loss: loss.backward(), model, batch, number
            ).backward()
        return time.process_time() - start

    seconds: dict[str, list[float]] = {name: [] for name in ("none", *adversaries)}
    with quick_dropout(model), fused_layers(model, first=True):  # as a fine-tuning is
        for number in range(ROUNDS):
            for name, taken in seconds.items():
                taken.append(step(name, number))
    for name, adversary in adversaries.items():
        ratios = sorted(taken / plain for taken, plain in zip(seconds[name], seconds["none"], strict=True))[1:-1]
        print(
            f"{name}: {median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}] steps, {adversary.spec.cost:.2f} counted"
        )
        assert median(ratios) == pytest.approx(adversary.spec.cost, rel=0.25)
