"""The last layer of a classifier at the first position alone, against all positions."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import transformers

from harness.modeling.inference.first_position import first_position

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 50,
    "num_labels": 3, "max_position_embeddings": 40, "pad_token_id": 0,
}  # fmt: skip
KINDS = {
    "bert": "Bert",
    "roberta": "Roberta",
    "xlm-roberta": "XLMRoberta",
    "camembert": "Camembert",
    "electra": "Electra",
}


def small(kind: str = "bert", attention: str = "sdpa", **options):
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **SMALL, **options)
    model = getattr(transformers, f"{KINDS[kind]}ForSequenceClassification")(config)
    model.set_attn_implementation(attention)
    return model


def batch():
    ids = torch.randint(3, 50, (5, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:], mask[3, 2:] = 0, 0
    return {"input_ids": ids * mask, "attention_mask": mask, "labels": torch.tensor([0, 1, 2, 1, 0])}


def steps(model, count: int = 3) -> list[float]:
    """Losses of some steps of training, with what is dropped."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    torch.manual_seed(3)
    losses = []
    for _ in range(count):
        loss = model(**batch()).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_all_positions(kind):
    model = small(kind).eval()
    whole = model(**batch()).logits
    lengths = []
    model.base_model.encoder.layer[-1].output.register_forward_pre_hook(
        lambda _, given: lengths.append(given[0].shape[1])
    )
    seen = model.base_model.encoder.layer[-1].intermediate.register_forward_hook(
        lambda _, given, out: lengths.append(out.shape[1])
    )
    with first_position(model) as shortened:
        assert shortened
        torch.testing.assert_close(model(**batch()).logits, whole, atol=1e-6, rtol=1e-6)
    assert lengths == [1]
    seen.remove()
    torch.testing.assert_close(model(**batch()).logits, whole, atol=0, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dropped", [0.0, 0.1])
def test_a_seed_trains_the_same_model(attention, dropped):
    """Where something is dropped out, all positions are computed."""
    model = small(attention=attention, hidden_dropout_prob=dropped, attention_probs_dropout_prob=dropped)
    other = deepcopy(model)
    whole = steps(model)
    with first_position(other):
        assert steps(other) == pytest.approx(whole, abs=1e-6)
    assert len(set(whole)) == 3
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], weight, atol=2e-6, rtol=1e-5)


def test_models_that_read_other_positions_and_other_modules_compute_all():
    pooled = transformers.BertForTokenClassification(transformers.BertConfig(**SMALL))
    with first_position(pooled) as shortened:
        assert not shortened
    decoder = small(is_decoder=True)
    with first_position(decoder) as shortened:
        assert not shortened
    adapted = small()
    layer = adapted.bert.encoder.layer[-1].attention.self
    layer.query = torch.nn.Sequential(layer.query)
    with first_position(adapted) as shortened:
        assert not shortened


def test_one_within_the_other_is_one():
    model = small().eval()
    with first_position(model):
        with first_position(model) as shortened:
            assert not shortened
        assert "forward" in vars(model.bert.encoder.layer[-1])
    assert "forward" not in vars(model.bert.encoder.layer[-1])
