"""Span corruption: the example of Raffel et al. 2020, figure 2, and the lengths of its section 3.1.4."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.training.objectives.span_corruption import (
    SpanCorruption,
    SpanOptions,
    counts,
    lengths,
    noise_mask,
    with_sentinels,
)

WORDS = ["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week"]


def test_the_example_of_the_paper():
    cut = np.asarray([word in ("for", "inviting", "last") for word in WORDS])
    block = np.arange(10)
    sentinels = np.asarray([100, 101, 102])
    names = dict(enumerate(WORDS)) | {100: "<X>", 101: "<Y>", 102: "<Z>"}
    said = [" ".join(names[token] for token in with_sentinels(block, mask, sentinels)) for mask in (cut, ~cut)]
    assert said[0] == "Thank you <X> me to your party <Y> week"
    assert said[1] == "<X> for inviting <Y> last <Z>"


def test_512_tokens_come_from_568_of_text_and_leave_a_target_of_114():
    assert lengths(512, 0.15, 3) == (568, 512, 114)
    assert counts(568, 0.15, 3) == (85, 28)


@pytest.mark.parametrize(("length", "rate", "span"), [(568, 0.15, 3), (70, 0.15, 3), (64, 0.5, 10), (20, 0.3, 1)])
def test_masks_have_the_exact_share_and_number_of_spans(length, rate, span, random):
    noise, spans = counts(length, rate, span)
    for _ in range(30):
        mask = noise_mask(length, rate, span, random)
        assert mask.sum() == noise
        assert (np.diff(mask.astype(int)) == 1).sum() + mask[0] == spans
        assert not mask[0]
        assert mask[-1]


def test_input_and_target_together_hold_the_text_once(tokens, random):
    objective = SpanCorruption(SpanOptions(), tokens, 64)
    blocks = random.integers(105, 200, (4, objective.raw_size))
    batch = objective.corrupt(blocks, random)
    assert batch["input_ids"].shape == (4, objective.input_size)
    assert objective.input_size <= 64
    for source, given, wanted in zip(blocks, batch["input_ids"], batch["targets"], strict=True):
        assert given[-1] == wanted[-1] == 3
        rebuilt: list[int] = []
        spans = {}
        for token in wanted[:-1]:
            if 5 <= token < 105:
                spans[token] = []
                latest = token
            else:
                spans[latest].append(token)
        for token in given[:-1]:
            rebuilt += spans.get(token, [token])
        assert rebuilt == source.tolist()


def test_too_few_sentinels_are_refused(tokens):
    with pytest.raises(HarnessError, match="sentinels"):
        SpanCorruption(SpanOptions(mean_span=1), tokens, 4096)


def test_t5_buckets_are_exact_up_to_half_then_logarithmic():
    """Relative positions: half of the buckets a direction, half of those exact, the rest log-spaced to 128."""
    import torch
    from transformers.models.t5.modeling_t5 import T5Attention

    bucket = T5Attention._relative_position_bucket(
        torch.arange(0, 200), bidirectional=True, num_buckets=32, max_distance=128
    )
    assert bucket[1:8].tolist() == [17, 18, 19, 20, 21, 22, 23]
    assert bucket[8] == 24
    assert bucket[128:].unique().tolist() == [31]
    assert (bucket[1:].diff() >= 0).all()
