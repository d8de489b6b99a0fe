"""Mixup: what is mixed, and by how much, beside the same computed by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, BertConfig

from harness.core.augment_spec import AugmentSpec
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data.augment.base import make_operation
from harness.data.augment.expand import refused
from tests.cli.test_augment import TINY, recipe, run
from tests.command_line import Harness
from tests.conftest import read_json

CONFIG = BertConfig(
    vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=3
)
IDS = torch.tensor([[2, 7, 9, 3], [2, 11, 3, 0], [2, 5, 6, 3]])
MASK = (IDS > 0).long()
LABELS = torch.tensor([0, 2, 1])


def inner(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    labels = batch.pop("labels")
    return cross_entropy(model(**batch).logits, labels, reduction="sum")


def mixup(**options: Any) -> Any:
    return make_operation("mixup", options, "test")


def drawn(alpha: float, seed: int, step: int) -> tuple[float, torch.Tensor]:
    random = np.random.default_rng([seed, step])
    return float(random.beta(alpha, alpha)), torch.tensor(random.permutation(3))


def by_labels(logits: torch.Tensor, fraction: float, partner: torch.Tensor) -> torch.Tensor:
    first = cross_entropy(logits, LABELS, reduction="sum")
    return fraction * first + (1 - fraction) * cross_entropy(logits, LABELS[partner], reduction="sum")


def test_sentences_are_mixed_as_their_logits_are():
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": IDS, "labels": LABELS}
    loss = mixup(alpha=0.5, at="sentence").loss(inner, lambda **_: SimpleNamespace(logits=logits), batch, 4, 7)
    fraction, partner = drawn(0.5, 7, 4)
    assert torch.allclose(loss, by_labels(fraction * logits + (1 - fraction) * logits[partner], fraction, partner))
    assert torch.equal(batch["labels"], LABELS), "the batch is as it was"


def test_words_are_mixed_as_their_embeddings_are_under_the_mask_of_both():
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(CONFIG).eval()
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": LABELS}
    loss = mixup(alpha=0.4).loss(inner, model, batch, 0, 1)
    fraction, partner = drawn(0.4, 1, 0)
    words = model.get_input_embeddings()(IDS)
    mixed = fraction * words + (1 - fraction) * words[partner]
    logits = model(inputs_embeds=mixed, attention_mask=MASK.maximum(MASK[partner])).logits
    assert torch.allclose(loss, by_labels(logits, fraction, partner), atol=1e-6)
    plain = model(input_ids=IDS, attention_mask=MASK).logits
    again = model(input_ids=IDS, attention_mask=MASK).logits
    assert torch.equal(plain, again) and not model.get_input_embeddings()._forward_hooks, "nothing stays mixed"


def test_steps_and_seeds_mix_otherwise_and_the_same_step_the_same():
    def fractions(seed: int) -> list[float]:
        logits = torch.eye(3)
        one_hot = SimpleNamespace(logits=logits)
        operation = mixup(at="sentence")
        return [
            float(operation.loss(inner, lambda **_: one_hot, {"input_ids": IDS, "labels": LABELS}, step, seed))
            for step in range(6)
        ]

    assert fractions(0) == fractions(0) != fractions(1) and len(set(fractions(0))) > 3


def test_what_has_no_classes_is_refused():
    spec = AugmentSpec.model_validate({"operations": ["mixup"]})
    registry = load_registry()
    assert refused(spec, registry.task("sst2"), "here") is None
    assert refused(spec, registry.task("mnli"), "here") is None, "pairs are mixed as well"
    for task in ("stsb", "squad", "xsum"):
        reason = refused(spec, registry.task(task), "here")
        assert reason is not None and "mixes two classes" in reason
    with pytest.raises(HarnessError, match=r"alhpa.*Did you mean 'alpha'"):
        mixup(alhpa=1)


def test_a_training_with_it_differs_and_a_learner_without_steps_refuses_it(harness: Harness, tmp_path: Path) -> None:
    plain = recipe(tmp_path, "plain", **TINY)
    mixed = recipe(tmp_path, "mixed", {"operations": [{"mixup": {"alpha": 1.0}}]}, **TINY)
    run(harness, "--task", "sst2", "--model", plain, "--model", mixed)
    records = [read_json(path.read_text()) for path in tmp_path.glob("results/cells/*/*/record.json")]
    losses = [record["fit"]["loss"] for record in records if record["kind"] == "finetune"]
    facts = [record["fit"]["augment"] for record in records if "augment" in record.get("fit", {})]
    assert len(losses) == 2 and losses[0] != losses[1]
    assert [(fact["operations"], fact["augmented"], fact["examples"]) for fact in facts] == [(["mixup"], 0, 60)]
    done = run(harness, "--task", "sst2", "--model", recipe(tmp_path, "counted", {"operations": ["mixup"]}), code=2)
    assert "mixup is applied while a model is trained in steps, which tfidf is not" in done.stderr
