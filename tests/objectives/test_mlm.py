"""Masked language modelling: Devlin et al. 2019, section 3.1 and appendix A.1."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.objectives.mlm import MaskedLM, MlmOptions, choose, logits_at


def test_15_percent_are_chosen_of_which_80_are_masked_10_random_10_kept(tokens, random):
    objective = MaskedLM(MlmOptions(), tokens, 128)
    blocks = random.integers(105, 200, (400, 128))
    batch = objective.corrupt(blocks, random)
    assert batch["positions"].shape == (400, round(0.15 * 128))
    there = np.take_along_axis(batch["input_ids"], batch["positions"], axis=1)
    masked, kept = (there == 4).mean(), (there == batch["targets"]).mean()
    n = there.size
    assert masked == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / n))
    assert kept == pytest.approx(0.1 + 0.1 / 95, abs=4 * np.sqrt(0.09 / n))
    assert not tokens.special[there[there != 4]].any()


def test_what_is_not_chosen_stays_and_targets_are_the_original(tokens, random):
    objective = MaskedLM(MlmOptions(rate=0.3), tokens, 16)
    blocks = random.integers(105, 180, (5, 16))
    batch = objective.corrupt(blocks, random)
    original = np.concatenate([np.full((5, 1), 2), blocks[:, :-1]], axis=1)
    restored = batch["input_ids"].copy()
    np.put_along_axis(restored, batch["positions"], batch["targets"], axis=1)
    assert (restored == original).all()
    assert (batch["input_ids"][:, 0] == 2).all()


def test_special_tokens_are_never_chosen(tokens, random):
    rows = np.where(np.arange(40) % 2, 150, 3)[None].repeat(50, axis=0)
    positions = choose(rows, 6, tokens, random)
    assert (rows[np.arange(50)[:, None], positions] == 150).all()
    assert all(len(set(row)) == 6 for row in positions.tolist())


def test_whole_words_are_chosen_with_all_their_pieces(tokens, random):
    words = [[110], [120, 181, 182], [130], [140, 183], [150], [160, 184, 185], [170], [111]]
    row = np.asarray(sum(words, []))[None]
    starts = np.cumsum([0, *map(len, words)])
    for _ in range(50):
        positions = set(choose(row, 5, tokens, random, whole_word=True)[0].tolist())
        cut = [set(range(a, b)) for a, b in itertools.pairwise(starts) if 0 < len(positions & set(range(a, b))) < b - a]
        assert len(cut) <= 1


def test_the_head_sees_masked_positions_alone_and_gives_the_same_logits(tokens):
    import torch
    from transformers import AutoModelForMaskedLM, BertConfig, ElectraConfig, ModernBertConfig

    torch.manual_seed(0)
    small = {
        "vocab_size": 200,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    ids, positions = torch.randint(105, 200, (3, 12)), torch.tensor([[1, 4], [0, 11], [5, 6]])
    ids_of = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0)
    for kind in (BertConfig, ElectraConfig, ModernBertConfig):
        extra = {"embedding_size": 16} if kind is ElectraConfig else ids_of if kind is ModernBertConfig else {}
        model = AutoModelForMaskedLM.from_config(kind(**small, **extra)).eval()
        whole = model(input_ids=ids).logits.gather(1, positions.unsqueeze(-1).expand(-1, -1, 200))
        assert torch.allclose(logits_at(model, ids, positions), whole, atol=1e-5), kind.__name__
