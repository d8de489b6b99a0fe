"""scikit-learn's digits as a task and as pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.core.specs import TaskSpec
from harness.data import load, state
from harness.data.modalities import MODALITIES
from harness.data.pairs import facts, open_pairs


def test_digits_are_images_with_names_and_captions_and_no_test_image_is_pretrained_on(
    task: Callable[..., TaskSpec],
):
    pytest.importorskip("PIL", reason="images need Pillow")
    spec = task(
        name="digits", family="image-classification", fields={"image": "image", "label": "label"}, labels=None,
        sources={"sklearn-digits": {}}, eval=["test"], metrics=["accuracy"],
    )  # fmt: skip
    data = load(spec, "sklearn-digits")
    train, test = data.split("train"), data.split("test")
    assert (len(train), len(test)) == (1437, 360) and len(data.labels) == 10
    assert train.per_class() and max(train.per_class().values()) < 150
    values = MODALITIES.get("image").decode(train.fields["image"][0]).values  # type: ignore[arg-type]
    assert values.shape == (8, 8, 3) and values.max() == 239 and data.labels[train.labels[0]] == "zero"  # type: ignore[misc]
    assert state(spec, "sklearn-digits")
    corpus = open_pairs("sklearn-digits", "image", 0)
    pairs = list(corpus.read())
    assert facts(corpus)["documents"] == 1437 and pairs[3].caption == "a handwritten three"
    assert not set(test.fields["image"]) & {pair.item for pair in pairs}
