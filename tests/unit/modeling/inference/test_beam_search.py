"""Beam search without a model: the best continuations are those of a full sort."""

from __future__ import annotations

import pytest
import torch

from harness.modeling.inference.beam_search import best_of


@pytest.mark.parametrize("vocabulary", [40, 64, 200, 1000], ids=str)
@pytest.mark.parametrize("beams", [1, 4], ids=str)
def test_the_best_continuations_are_those_of_a_full_sort(beams: int, vocabulary: int) -> None:
    random = torch.Generator().manual_seed(vocabulary)
    scores = torch.randn((6, beams, vocabulary), generator=random)
    before = torch.randn((6, beams), generator=random)
    best, beam, token = best_of(scores, before, 8)
    sums = scores + before.unsqueeze(2)
    expected = sums.flatten(1).sort(descending=True)
    assert torch.equal(best, expected.values[:, :8])
    assert torch.equal(beam * vocabulary + token, expected.indices[:, :8])
