"""Causal language modelling, token order, and replaced-token detection."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.training.objectives.clm import CausalLM
from harness.training.objectives.rtd import ReplacedTokenDetection, RtdOptions, drawn
from harness.training.objectives.token_order import OrderOptions, TokenOrder


def bert(tokens, **changes):
    from transformers import BertConfig

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertConfig(vocab_size=tokens.size, max_position_embeddings=64, **(small | changes))


def test_causal_targets_are_the_next_tokens(tokens, random):
    objective = CausalLM(CausalLM.Options(), tokens, 8)
    batch = objective.corrupt(np.arange(105, 114)[None], random)
    assert batch["input_ids"].tolist() == [list(range(105, 113))]
    assert batch["targets"].tolist() == [list(range(106, 114))]


def test_bits_per_byte_and_perplexity_of_a_uniform_model(tokens, random):
    """A model that knows nothing pays log2(200) bits a token; the words of this vocabulary have 4 bytes each."""
    import torch

    class Uniform(torch.nn.Module):
        def forward(self, input_ids, use_cache):
            return type("Output", (), {"logits": torch.zeros(*input_ids.shape, 200)})

    objective = CausalLM(CausalLM.Options(), tokens, 8)
    batch = {
        name: torch.from_numpy(rows)
        for name, rows in objective.corrupt(random.integers(105, 200, (3, 9)), random).items()
    }
    bits, written = objective.measure(Uniform(), batch)["bits_per_byte"]
    assert bits.sum() / written.sum() == pytest.approx(math.log2(200) / 4)
    nats, count = objective.measure(Uniform(), batch)["perplexity"]
    assert math.exp(nats.sum() / count.sum()) == pytest.approx(200, rel=1e-5)


@pytest.mark.parametrize("masked", [True, False])
def test_the_order_target_says_where_each_token_came_from(tokens, random, masked):
    objective = TokenOrder(OrderOptions(rate=0.3, pairs=0, masked=masked), tokens, 32)
    blocks = random.integers(105, 140, (20, 32))
    batch = objective.corrupt(blocks, random)
    original = np.concatenate([np.full((20, 1), 2), blocks[:, :-2], np.full((20, 1), 3)], axis=1)
    moved = 0
    for row in range(20):
        slots = batch["positions"][row][batch["valid"][row]]
        origin = batch["targets"][row][batch["valid"][row]]
        assert sorted(origin) == list(range(len(slots)))
        assert len(set(original[row, slots])) == len(slots), "tokens of the slots must differ, or the order is no order"
        shuffled = batch["shuffled"][row][batch["valid"][row]]
        assert (shuffled == original[row, slots[origin]]).all()
        assert (batch["input_ids"][row, slots] == (tokens.mask if masked else shuffled)).all()
        rest = np.setdiff1d(np.arange(32), slots)
        assert (batch["input_ids"][row, rest] == original[row, rest]).all()
        moved += (origin != np.arange(len(slots))).sum()
    assert moved > 0


def test_an_untrained_pointer_scores_chance_and_the_truth_scores_one(tokens, random):
    import torch

    objective = TokenOrder(OrderOptions(rate=0.3), tokens, 32)
    rows = objective.corrupt(random.integers(105, 200, (200, 32)), random)
    batch = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in rows.items()}

    def score(model):
        with torch.no_grad():
            sums = {
                name: (above.sum() / below.sum()) for name, (above, below) in objective.measure(model, batch).items()
            }
        return sums, objective.chance(sums)

    told, chance = score(objective.build(bert(tokens)).eval())
    assert told["order_accuracy"] == pytest.approx(chance["order_accuracy"], abs=0.04)
    truth = torch.nn.functional.one_hot(batch["targets"], batch["targets"].shape[1]).float() * 100
    told, _ = score(lambda *inputs: truth)
    assert told["order_accuracy"] == pytest.approx(1)
    assert told["order_tau"] == pytest.approx(1)


@pytest.mark.slow
def test_token_order_is_learned_where_there_is_one(tokens, random):
    """Blocks that count: the tokens around a slot say which of the shuffled ones belongs there."""
    import torch

    objective = TokenOrder(OrderOptions(rate=0.3, pairs=0), tokens, 32)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    model = objective.build(bert(tokens, **sizes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(250):
        blocks = 105 + (random.integers(0, 40, (64, 1)) + np.arange(32)) % 40
        batch = {name: torch.from_numpy(rows) for name, rows in objective.corrupt(blocks, random).items()}
        objective.loss(model, batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        right, of = objective.measure(model, batch)["order_accuracy"]
    assert right.sum() / of.sum() > 0.4  # chance is 0.1


def test_the_pointer_reads_a_slot_and_what_is_beside_it(tokens):
    """Without attention's help: an encoder that gives back its embeddings sees no further than its own position."""
    import torch

    model = TokenOrder(OrderOptions(rate=0.3), tokens, 16).build(bert(tokens)).eval()
    embeddings = model.encoder.embeddings
    model.encoder.forward = lambda input_ids, token_type_ids: type("", (), {"last_hidden_state": embeddings(input_ids)})
    ids = torch.randint(105, 200, (1, 16))
    given = (
        torch.zeros_like(ids),
        torch.tensor([[0, 6, 15]]),
        torch.tensor([[120, 130, 140]]),
        torch.ones(1, 3).bool(),
    )
    before = model(ids, *given)
    for changed, seen in [(1, 0), (5, 1), (6, 1), (7, 1), (14, 2), (4, None), (8, None), (13, None)]:
        others = ids.clone()
        others[0, changed] = 104
        moved = (model(others, *given) != before).any(dim=1)[0].tolist()
        assert moved == [slot == seen for slot in range(3)], f"position {changed}"


def test_a_block_too_short_to_permute_is_refused(tokens):
    with pytest.raises(HarnessError, match="higher rate"):
        TokenOrder(OrderOptions(rate=0.15), tokens, 8)


def test_the_pointer_looks_at_valid_slots_only(tokens):
    import torch

    objective = TokenOrder(OrderOptions(rate=0.3), tokens, 16)
    model = objective.build(bert(tokens)).eval()
    valid = torch.tensor([[True, True, False, False, False]])
    ids, segments = torch.randint(105, 200, (1, 16)), torch.zeros(1, 16, dtype=torch.long)
    scores = model(ids, segments, torch.tensor([[1, 5, 0, 0, 0]]), torch.tensor([[120, 130, 0, 0, 0]]), valid)
    assert (scores.softmax(-1)[0, :2, 2:] == 0).all()


def test_detection_targets_are_where_the_generator_guessed_wrong(tokens, random):
    import torch

    torch.manual_seed(0)
    objective = ReplacedTokenDetection(RtdOptions(), tokens, 32)
    rows = objective.corrupt(random.integers(105, 200, (6, 32)), random)
    assert (np.take_along_axis(rows["input_ids"], rows["positions"], axis=1) == 4).all(), "ELECTRA always masks"
    batch = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in rows.items()}
    model = objective.build(bert(tokens))
    _, filled, replaced, _ = model(batch)
    original = batch["input_ids"].scatter(1, batch["positions"], batch["targets"])
    assert (replaced == (filled != original)).all()
    outside = torch.ones_like(replaced).scatter(1, batch["positions"], False)
    assert not (replaced & outside).any()
    assert model.generator.get_input_embeddings() is model.discriminator.get_input_embeddings()
    assert model.generator.config.num_hidden_layers == 1


def test_the_example_of_electra_s_figure_2(tokens, monkeypatch):
    """`the chef cooked the meal`, first and third word masked, filled in with `the` and `ate`: only `ate` is replaced."""
    import torch

    the, chef, cooked, meal, ate = 110, 111, 112, 113, 114
    model = ReplacedTokenDetection(RtdOptions(), tokens, 32).build(bert(tokens))
    monkeypatch.setattr("harness.training.objectives.rtd.drawn", lambda logits, draws: torch.tensor([[the, ate]]))
    _, filled, replaced, scores = model(
        {
            "input_ids": torch.tensor([[4, chef, 4, the, meal]]),
            "token_type_ids": torch.zeros(1, 5, dtype=torch.long),
            "positions": torch.tensor([[0, 2]]),
            "targets": torch.tensor([[the, cooked]]),
            "draws": torch.zeros(1, 2),
        }
    )
    assert filled.tolist() == [[the, chef, ate, the, meal]]
    assert replaced.tolist() == [[False, False, True, False, False]]
    assert scores.shape == (1, 5)


def test_the_generator_s_tokens_are_drawn_by_its_probabilities_and_by_the_draws_alone():
    import torch

    logits = torch.tensor([0.5, 0.0, 0.3, 0.2]).log().expand(1, 10_000, 4)
    draws = torch.from_numpy(np.random.default_rng(0).random((1, 10_000)))
    chosen = drawn(logits, draws)
    shares = torch.bincount(chosen.flatten(), minlength=4) / 10_000
    assert shares.tolist() == pytest.approx([0.5, 0.0, 0.3, 0.2], abs=0.02)
    assert (chosen[0, 500:] == drawn(logits[:, :9_500], draws[:, 500:])[0]).all(), "in whatever company"
    edges = torch.tensor([[0.0, 0.4999, 0.5001, 0.7999, 0.8001, 1 - 1e-16]], dtype=torch.float64)
    assert drawn(logits[:, :6], edges).tolist() == [[0, 0, 2, 2, 3, 3]]


@pytest.mark.parametrize("kind", ["clm", "mlm", "rtd", "span-corruption", "token-order"])
def test_the_mean_over_equal_parts_is_the_loss_of_the_whole(kind, tokens, random):
    """What gradient accumulation and data parallelism rest on."""
    import torch
    from transformers import GPT2Config, T5Config

    from harness.training.objectives import OBJECTIVES

    configs = {
        "clm": GPT2Config(vocab_size=200, n_embd=16, n_layer=1, n_head=2, n_positions=64),
        "span-corruption": T5Config(vocab_size=200, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0, decoder_start_token_id=0),
    }  # fmt: skip
    objective = OBJECTIVES.get(kind)(OBJECTIVES.get(kind).Options(), tokens, 32)
    torch.manual_seed(0)
    model = objective.build(configs.get(kind) or bert(tokens)).eval()
    rows = objective.corrupt(random.integers(105, 200, (8, objective.raw_size)), random)
    batch = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in rows.items()}
    whole = objective.loss(model, batch)
    parts = [objective.loss(model, {name: part[start : start + 4] for name, part in batch.items()}) for start in (0, 4)]
    assert whole.item() == pytest.approx(sum(part.item() for part in parts) / 2, rel=1e-5)
