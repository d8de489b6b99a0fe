"""Masked language modelling: Devlin et al. 2019, section 3.1 and appendix A.1."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.training.objectives.base import laid_out
from harness.training.objectives.mlm import MaskedLM, MlmOptions, choose, logits_at


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


def test_the_example_of_the_paper(tokens):
    """Appendix A.1: `hairy` is chosen; it becomes the mask in 80 %, `apple`, a random word, in 10 %, or stays."""
    my, dog, is_, hairy, apple = 110, 111, 112, 113, 150

    class Draws:
        def __init__(self, draw: float) -> None:
            self.draw = draw

        def random(self, shape):
            return np.full(shape, self.draw)

        def integers(self, low, high, shape):
            return np.full(shape, apple - 105)

    objective = MaskedLM(MlmOptions(), tokens, 8)
    became = {}
    for draw in (0.0, 0.79, 0.81, 0.89, 0.91, 0.99):
        sentence = np.asarray([my, dog, is_, hairy])
        sentence[3] = objective.replaced(np.asarray([[hairy]]), Draws(draw)).item()
        became[draw] = sentence.tolist()
    masked, random_word, kept = [my, dog, is_, 4], [my, dog, is_, apple], [my, dog, is_, hairy]
    assert list(became.values()) == [masked, masked, random_word, random_word, kept, kept]


def test_what_is_not_chosen_stays_and_targets_are_the_original(tokens, random):
    objective = MaskedLM(MlmOptions(rate=0.3, pairs=0), tokens, 16)
    blocks = random.integers(105, 180, (5, 16))
    batch = objective.corrupt(blocks, random)
    original = np.concatenate([np.full((5, 1), 2), blocks[:, :-2], np.full((5, 1), 3)], axis=1)
    restored = batch["input_ids"].copy()
    np.put_along_axis(restored, batch["positions"], batch["targets"], axis=1)
    assert (restored == original).all()
    assert (batch["input_ids"][:, 0] == 2).all()


def test_blocks_are_laid_out_as_texts_and_pairs_cut_after_a_sentence(tokens, random):
    blocks = random.integers(110, 180, (200, 20))
    blocks[:, 8] = 106
    rows, segments = laid_out(blocks, tokens, 20, 0.5, random)
    assert (rows[:, 0] == 2).all()
    assert (rows[:, -1] == 3).all()
    pairs = segments.any(axis=1)
    assert 60 < pairs.sum() < 140
    assert (rows[~pairs, 1:-1] == blocks[~pairs, :18]).all()
    for row, source, segment in zip(rows[pairs], blocks[pairs], segments[pairs], strict=True):
        assert row.tolist() == [2, *source[:9], 3, *source[9:17], 3]
        assert segment.tolist() == [0] * 11 + [1] * 9


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
        assert torch.allclose(logits_at(model, ids, torch.zeros_like(ids), positions), whole, atol=1e-5), kind.__name__


def test_pseudo_perplexity_masks_each_token_in_turn(tokens):
    """Salazar et al. 2020: against one token at a time, by hand."""
    import math

    import torch
    from transformers import BertConfig

    torch.manual_seed(0)
    objective = MaskedLM(MlmOptions(), tokens, 8)
    model = objective.build(
        BertConfig(vocab_size=200, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    ).eval()
    row = np.asarray([[110, 120, 3, 130, 140, 150, 160, 170]])
    with torch.no_grad():
        nats, count = objective.measure_few(model, row)["pseudo_perplexity"]
        ids = torch.tensor([[2, 110, 120, 3, 130, 140, 150, 3]])
        by_hand = 0.0
        for position in (1, 2, 4, 5, 6):
            masked = ids.clone()
            masked[0, position] = 4
            by_hand -= model(input_ids=masked).logits[0, position].log_softmax(-1)[ids[0, position]].item()
    assert count.tolist() == [5]
    assert math.exp(nats[0] / 5) == pytest.approx(math.exp(by_hand / 5), rel=1e-5)
