"""A layer of BERT as one function, against the same layer of transformers."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch
import transformers

from harness.modeling.inference.first_position import first_position
from harness.training import dropout, encoder_layer
from harness.training.dropout import quick_dropout
from harness.training.encoder_layer import EncoderLayer, fused_layers
from tests.unit.modeling.inference.test_first_position import KINDS, SMALL, batch, small


def gradients(model) -> dict[str, torch.Tensor]:
    model(**batch()).loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def assert_like(ours, theirs, tolerance: float = 2e-6) -> None:
    assert ours.keys() == theirs.keys()
    for name, theirs_of in theirs.items():
        if "key.bias" not in name:  # the softmax makes it nothing but rounding
            scale = float(theirs_of.abs().max())
            assert float((ours[name] - theirs_of).abs().max()) <= tolerance * scale, name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [True, False])
def test_losses_and_gradients_are_those_of_transformers(kind, first):
    model = small(kind).eval()
    whole = deepcopy(model)
    with fused_layers(model, first) as count:
        loss = model(**batch()).loss
        ours = gradients(model)
    assert count == 2 and loss.item() == pytest.approx(whole(**batch()).loss.item(), abs=1e-6)
    assert_like(ours, gradients(whole))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("first", [True, False])
def test_what_is_dropped_is_dropped_there_and_in_the_gradients(attention, first, monkeypatch):
    """transformers' own layers are given the masks that were drawn."""
    model = small(attention=attention, hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.4).train()
    whole = deepcopy(model)
    whole.set_attn_implementation("eager")
    masks: list[torch.Tensor] = []

    def noted(shape, probability, kind=torch.float32):
        masks.append(dropout_keep(shape, probability, kind))
        return masks[-1]

    dropout_keep = dropout.keep
    monkeypatch.setattr(dropout, "keep", noted)
    monkeypatch.setattr(encoder_layer, "keep", noted)
    torch.manual_seed(7)
    with quick_dropout(model), fused_layers(model, first):
        ours = gradients(model)
    assert len(masks) == 8 and all(0 < float((mask == 0).float().mean()) < 1 for mask in masks)

    def replayed(values, p, training=True, inplace=False):
        mask = masks.pop(0)
        if first and mask.numel() < values.numel():  # of the first position alone; the others are not read
            by_head = values.dim() == 4
            every = torch.ones_like(values)
            every[:, :, :1] if by_head else every[:, :1]
            part = every[:, :, :1] if by_head else every[:, :1]
            part.copy_(mask.view(part.shape))
            return values * every
        return values * mask.view(values.shape)

    monkeypatch.setattr(torch.nn.functional, "dropout", replayed)
    assert_like(ours, gradients(whole), 4e-6)
    assert not masks


def test_bf16_is_as_near_to_float32_as_autocast_is():
    model = small().eval()
    exact = gradients(deepcopy(model))
    errors = []
    for fused in (False, True):
        other = deepcopy(model)
        with fused_layers(other) if fused else nullcontext():
            with torch.autocast("cpu", torch.bfloat16):
                loss = other(**batch()).loss
            loss.backward()
        lost = [float((weight.grad - exact[name]).norm() / exact[name].norm())
                for name, weight in other.named_parameters() if "key.bias" not in name]  # fmt: skip
        errors.append(sum(lost) / len(lost))
        assert all(weight.grad.dtype == torch.float32 for weight in other.parameters())
    assert 0 < errors[1] < 1.5 * errors[0]


def test_a_seed_trains_the_same_bytes_and_another_others():
    def trained(seed: int) -> torch.Tensor:
        model = small().train()
        torch.manual_seed(seed)
        with quick_dropout(model), fused_layers(model, True):
            return gradients(model)["classifier.weight"]

    assert torch.equal(trained(1), trained(1)) and not torch.equal(trained(1), trained(2))


def test_recomputed_activations_drop_the_same(monkeypatch):
    model = small().train()
    other = deepcopy(model)
    other.gradient_checkpointing_enable({"use_reentrant": False})
    calls = []
    forward = encoder_layer._forward
    monkeypatch.setattr(encoder_layer, "_forward", lambda *given: calls.append(1) or forward(*given))
    both = []
    for each in (model, other):
        torch.manual_seed(5)
        with quick_dropout(each), fused_layers(each):
            both.append(gradients(each))
    assert_like(*both, 0)
    assert len(calls) == 2 + 4, "each layer of the other once more"


@pytest.mark.parametrize("first", [True, False])
def test_where_weights_are_left_alone_their_gradients_are_not_made(first, monkeypatch):
    """As an adversary asks for those of embeddings."""
    model = small().eval()
    whole = deepcopy(model)
    made = []
    of_linear = encoder_layer._of_linear
    monkeypatch.setattr(encoder_layer, "_of_linear", lambda *given: made.append(1) or of_linear(*given))

    def slope(of) -> torch.Tensor:
        embedded = of.get_input_embeddings()(batch()["input_ids"]).detach().requires_grad_()
        given = {name: values for name, values in batch().items() if name != "input_ids"}
        return torch.autograd.grad(of(inputs_embeds=embedded, **given).loss, embedded)[0]

    with fused_layers(model, first):
        ours = slope(model)
        assert not made
        gradients(model)
        assert len(made) == 2 * 4 + first
        one = model.bert.encoder.layer[0].intermediate.dense.weight
        torch.testing.assert_close(torch.autograd.grad(model(**batch()).loss, one)[0], one.grad)
    torch.testing.assert_close(ours, slope(whole), rtol=1e-4, atol=1e-6 * float(ours.abs().max()))


def test_without_gradients_and_for_attention_maps_layers_are_as_before():
    model = small(attention="eager").train()
    calls = []
    with pytest.MonkeyPatch.context() as patched, fused_layers(model):
        patched.setattr(EncoderLayer, "apply", lambda *given: calls.append(given))
        with torch.no_grad():
            model(**batch())
        maps = model(**batch(), output_attentions=True).attentions
    assert not calls and len(maps) == 2 and maps[0].shape == (5, 2, 9, 9)
    states = small()
    with fused_layers(states):
        assert len(states(**batch(), output_hidden_states=True).hidden_states) == 3


def test_scoring_within_training_reads_the_first_position():
    model = small().eval()
    whole = model(**batch()).logits
    with fused_layers(model, True), torch.no_grad():
        with first_position(model) as shortened:
            assert shortened
            torch.testing.assert_close(model(**batch()).logits, whole, atol=1e-6, rtol=1e-6)
        assert isinstance(vars(model.bert.encoder.layer[-1])["forward"], encoder_layer._Fused)
    assert all("forward" not in vars(layer) for layer in model.bert.encoder.layer)


def test_layers_with_other_modules_or_ways_of_training_are_left_alone():
    adapted, frozen, hooked, other = small(), small(), small(), small(hidden_act="relu")
    adapted.bert.encoder.layer[0].attention.self.query = torch.nn.Sequential(torch.nn.Linear(16, 16))
    frozen.bert.encoder.layer[0].output.dense.weight.requires_grad_(False)
    hooked.bert.encoder.layer[0].intermediate.register_forward_hook(lambda *given: None)
    decoder = small(is_decoder=True)
    gpt = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50))
    for model, expected in ((adapted, 1), (frozen, 1), (hooked, 1), (other, 0), (decoder, 0), (gpt, 0)):
        with fused_layers(model) as count:
            assert count == expected


def test_heads_that_read_all_positions_have_them():
    model = transformers.BertForTokenClassification(transformers.BertConfig(**SMALL)).eval()
    given = {name: batch()[name] for name in ("input_ids", "attention_mask")}
    whole = model(**given).logits
    with fused_layers(model, True) as count:
        logits = model(**given).logits
    assert count == 2
    torch.testing.assert_close(logits, whole, atol=1e-6, rtol=1e-6)
