"""RepresentationSimilarity of representations against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.representations import RepresentationSimilarity


def alike(base, candidate, pieces: int = 3) -> RepresentationSimilarity:
    found = RepresentationSimilarity()
    for x, y in zip(np.array_split(base, pieces), np.array_split(candidate, pieces), strict=True):
        found.add(x, y)
    return found


@pytest.fixture
def base() -> np.ndarray:
    return np.random.default_rng(0).normal(3, 2, (60, 5)).astype(np.float32)


def test_cka_is_that_of_the_centred_gram_matrices(base):
    """tr(KHLH) / √(tr(KHKH) tr(LHLH)), the HSIC form of Kornblith et al. (2019)."""
    candidate = np.tanh(base @ np.random.default_rng(1).normal(0, 0.3, (5, 7)).astype(np.float32))
    centre = np.eye(60) - 1 / 60
    k, grams = base.astype(float) @ base.T, candidate.astype(float) @ candidate.T
    hsic = [np.trace(a @ centre @ b @ centre) for a, b in ((k, grams), (k, k), (grams, grams))]
    assert alike(base, candidate).cka() == pytest.approx(hsic[0] / np.sqrt(hsic[1] * hsic[2]), rel=1e-5)


def test_cka_sees_no_rotation_scale_or_shift(base):
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))
    assert alike(base, 3 * base @ rotation + 1).cka() == pytest.approx(1, abs=1e-6)
    assert alike(base, np.random.default_rng(3).normal(size=(60, 5))).cka() < 0.5


def test_the_error_is_a_share_of_the_variance(base):
    assert alike(base, base).normalized_mse() == 0
    assert alike(base, np.broadcast_to(base.mean(axis=0), base.shape)).normalized_mse() == pytest.approx(1, rel=1e-5)
    assert alike(base, base[:, :3]).normalized_mse() is None


def test_a_constant_is_like_nothing(base):
    assert alike(base, np.ones_like(base)).cka() is None
