"""Videos with captions: frames spread over each, and the mean of their vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.data import pairs
from harness.data.modalities import MODALITIES
from harness.training.pretraining import items
from tests.unit.training.pretraining.settings import setting_of_items

pytest.importorskip("PIL", reason="Pillow is not installed")


def test_of_each_video_so_many_frames_are_kept_spread_evenly(tmp_path):
    from harness.modeling.processors.images import ImageProcessor

    corpus = pairs.open_pairs("synthetic", "video", 40)
    processor = ImageProcessor.of_size(16)
    items.write_items(corpus, processor, None, 0, tmp_path, frames=2)
    kept, _ = items.kept_items(tmp_path)
    first = next(iter(corpus.read())).item
    frames = processor.prepared(MODALITIES.get("video").decode(first))
    count = len(frames)
    assert kept.items.shape[1:] == (2, 3, 16, 16)
    assert (kept.items[0] == frames[[count // 4, 3 * count // 4]]).all() and count > 3


def test_a_video_is_the_mean_of_its_frames_whatever_their_order_and_frames_are_augmented_alike():
    objective, _, build = setting_of_items("video-text")
    model = build().eval()
    batch = {
        name: torch.from_numpy(np.ascontiguousarray(rows))
        for name, rows in objective.held_out(np.arange(4)[:, None], np.random.default_rng(0)).items()
    }
    vectors = objective.vectors(model, batch)
    turned = objective.vectors(model, {**batch, "items": batch["items"].flip(1)})
    assert torch.allclose(vectors, turned, atol=1e-6) and vectors.shape == (4, 2, 8)
    still = np.repeat(np.asarray(objective.kept.items[0][:1]), 2, axis=0)
    changed = objective.processor.augmented(still, np.random.default_rng(1))
    assert (changed[0] == changed[1]).all() and (changed != still).any()
