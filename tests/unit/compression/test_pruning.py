"""What pruning removes, and that nothing else changes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from harness.compression.prunable_units import remove, units_of
from harness.compression.prune_structured import keep
from harness.compression.prune_two_four import two_of_four
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.layers import head_names, linear_layers, output_axis


def inputs(model) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, model.config.vocab_size, (3, 9), generator=torch.Generator().manual_seed(0))
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return given | ({"decoder_input_ids": ids[:, :4]} if model.config.is_encoder_decoder else {})


DEBERTA_V3 = {"relative_attention": True, "position_buckets": 8, "share_att_key": True, "pos_att_type": ["p2c", "c2p"]}
"""As microsoft/deberta-v3-small has it."""


@pytest.mark.parametrize("kind", ["roberta", "electra", "distilbert", "camembert", "deberta-v2"])
def test_kin_of_bert_lose_heads_and_neurons_and_load_again(kind):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from harness.modeling.runtimes.torch_eager import reshape, shapes_of

    sizes = {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 4} if kind == "distilbert" else {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    }  # fmt: skip
    sizes |= DEBERTA_V3 if kind == "deberta-v2" else {}
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, vocab_size=50, pad_token_id=1, **sizes)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    units = [*units_of(model, "ffn"), *units_of(model, "heads")]
    assert [layer.count for layer in units] == [32, 32, 4, 4]
    for layer in units:
        remove(model, layer, range(layer.count // 2))
    shapes = shapes_of(model)
    again = AutoModelForSequenceClassification.from_config(config).eval()
    reshape(again, shapes)
    again.load_state_dict(model.state_dict())
    ids = torch.arange(5, 12)[None]
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, again(input_ids=ids).logits)
    assert again.state_dict().keys() == model.state_dict().keys()


def modernbert():
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "modernbert", vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        pad_token_id=1, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
    )  # fmt: skip
    return AutoModelForSequenceClassification.from_config(config).eval()


def deberta(**changes):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "deberta-v2", vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        pad_token_id=1, initializer_range=0.5, **(DEBERTA_V3 | changes),
    )  # fmt: skip
    return AutoModelForSequenceClassification.from_config(config).eval()


MADE = {
    "modernbert": modernbert,
    "deberta-v3": deberta,
    "deberta-v2 with projections of positions": partial(deberta, share_att_key=False),
    "deberta-v2 with one of them": partial(deberta, share_att_key=False, pos_att_type=["c2p"]),
}


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5", *MADE])
def test_a_model_without_units_computes_what_it_does_with_their_outputs_at_zero(trained, kind):
    pruned, masked = (MADE[kind]() if kind in MADE else load(trained(kind).folder)[0] for _ in range(2))
    units = units_of(pruned, "ffn") + units_of(pruned, "heads")
    assert len(units) == (10 if kind == "t5" else 4)
    before = sum(parameter.numel() for parameter in pruned.parameters())
    for layer in units:
        kept = list(range(1, layer.count, 2))
        gone = [index * layer.size + place for index in range(0, layer.count, 2) for place in range(layer.size)]
        consumer = masked.get_submodule(layer.consumer)
        with torch.no_grad():
            consumer.weight.index_fill_(1 - output_axis(consumer), torch.tensor(gone), 0.0)
        remove(pruned, layer, kept)
    with torch.inference_mode():
        one, other = (model(**inputs(model)).logits for model in (pruned, masked))
    assert sum(parameter.numel() for parameter in pruned.parameters()) < before
    assert torch.allclose(one, other, atol=1e-5)


def test_structured_pruning_removes_the_share_and_saves_the_smaller_shapes(trained, compressed):
    from safetensors import safe_open

    folder, said = compressed(trained("bert"), "prune-structured:0.5")
    units = said["steps"][0]["units"]
    assert (units["ffn"]["before"], units["ffn"]["after"]) == (128, 64)
    assert (units["heads"]["before"], units["heads"]["after"]) == (8, 4)
    with safe_open(folder / "model.safetensors", "pt") as file:
        rows = [
            file.get_slice(f"bert.encoder.layer.{layer}.intermediate.dense.weight").get_shape()[0] for layer in (0, 1)
        ]
    assert sum(rows) == 64
    assert said["after"]["bytes"] < said["before"]["bytes"]
    assert said["after"]["parameters"] < said["before"]["parameters"]


def test_unimportant_units_go_before_important_ones(trained, compressed):
    model = trained("bert")
    kept = model.accuracy(compressed(model, "prune-structured:amount=0.25")[0])
    assert kept > model.accuracy() - 0.1


def test_global_selection_compares_layers_and_leaves_each_its_best():
    scores = [np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.1, 0.1, 9.0])]
    assert keep(scores, ["a", "b"], 0.5, "layer") == {"a": [2, 3], "b": [0, 3]}
    assert keep(scores, ["a", "b"], 0.5, "global") == {"a": [1, 2, 3], "b": [3]}
    assert keep(scores, ["a", "b"], 0.99, "global") == {"a": [3], "b": [3]}
    assert keep(scores[:1], ["a"], 0.0, "global")["a"] == [0, 1, 2, 3]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_magnitude_pruning_zeroes_exactly_the_share_and_leaves_the_head(trained, compressed, scope):
    model = trained("bert")
    folder, said = compressed(model, f"prune-magnitude:sparsity=0.6,scope={scope}")
    step = said["steps"][0]
    assert step["sparsity"] == pytest.approx(0.6, abs=1e-3)
    if scope == "layer":
        assert all(fraction == pytest.approx(0.6, abs=0.01) for fraction in step["layers"].values())
    before, after = load(model.folder)[0], load(folder)[0]
    for name in head_names(before):
        for one, other in zip(
            before.get_submodule(name).parameters(), after.get_submodule(name).parameters(), strict=True
        ):
            assert torch.equal(one, other)
    large = before.bert.encoder.layer[0].intermediate.dense.weight
    small = after.bert.encoder.layer[0].intermediate.dense.weight
    assert large[small == 0].abs().max() <= large[small != 0].abs().min()
    assert said["after"]["nonzero"] < said["before"]["nonzero"]
    assert any("neither time nor memory" in note for note in said["notes"])


def test_of_each_four_weights_the_two_largest_stay(trained, compressed):
    row = torch.tensor([[1.0, -4.0, 3.0, 2.0, 0.0, 0.0, 0.0, 5.0]])
    assert (row * two_of_four(row)).tolist() == [[0.0, -4.0, 3.0, 0.0, 0.0, 0.0, 0.0, 5.0]]
    for kind in ("bert", "gpt2"):
        folder, said = compressed(trained(kind), "prune-2:4")
        assert said["steps"][0]["sparsity"] == pytest.approx(0.5, abs=0.01)
        for layer in linear_layers(load(folder)[0]).values():
            rows = layer.weight if output_axis(layer) == 0 else layer.weight.T
            assert (rows.reshape(rows.shape[0], -1, 4) != 0).sum(-1).max() <= 2
        assert any("saves nothing on a CPU" in note for note in said["notes"])


def test_importance_is_that_of_a_finite_difference(trained, tmp_path):
    """First-order: the change of the loss when a neuron's output is scaled by (1 - ε), over ε."""
    from dataclasses import replace

    from harness.compression.base import Request
    from harness.compression.importance import importance_of
    from harness.modeling.heads import HEADS, EncodingContext
    from harness.modeling.inference.batching import DataCollator

    trained_model = trained("bert")
    model, tokenizer = load(trained_model.folder)
    layer = units_of(model, "ffn")[0]
    one = trained_model.examples.train.head(1)
    wrong = replace(one, labels=tuple(1 - label for label in one.labels))  # where the loss is steep
    examples = replace(trained_model.examples, train=wrong)
    request = Request(trained_model.folder, trained_model.folder, tmp_path, tmp_path, examples=examples)
    found = importance_of(model, tokenizer, [layer], request, 1)[layer.consumer]
    head = HEADS.get("sequence-classification")
    reader = EncodingContext(examples.task, examples.labels, tokenizer, 128)
    encoded = head.encode(reader, examples.train)
    model.double()

    def loss() -> float:
        batch = DataCollator.of(tokenizer, model.device)(encoded.rows([0]))
        labels = batch.pop("labels")
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(**batch).logits, labels))

    neuron, step = int(found.argmax()), 1e-2
    weight = model.get_submodule(layer.consumer).weight
    whole = loss()
    with torch.no_grad():
        weight[:, neuron] *= 1 - step
    assert abs(loss() - whole) / step == pytest.approx(found[neuron], rel=0.05)
