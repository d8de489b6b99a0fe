"""Captions of items to train on get copies; those that are held out do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.augment_spec import AugmentSpec
from harness.core.pretraining_specs import TokenizerSpec
from harness.data import pairs
from harness.data.augment.documents import DocumentAugmenter
from harness.training import tokenizers

pytest.importorskip("PIL", reason="Pillow is not installed")


def captions_of(folder: Path, augmenter: DocumentAugmenter | None):
    """Of each item its captions, its number among those to train on or held out, and how many copies there are."""
    from harness.modeling.processors.images import ImageProcessor
    from harness.training.pretraining import items

    corpus = pairs.open_pairs("synthetic", "image", 60)
    tokenizer = tokenizers.train(TokenizerSpec(kind="wordpiece", vocab_size=200), list(corpus.documents()), 32)
    folder.mkdir()
    items.write_items(corpus, ImageProcessor.of_size(16), tokenizer, 32, folder, augmenter)
    kept, splits = items.kept_items(folder)
    texts = [
        tokenizer.decode(row[mask > 0], skip_special_tokens=True)
        for row, mask in zip(kept.ids, kept.masks, strict=True)
    ]
    of_item = [texts[start:end] for start, end in zip(kept.first, kept.first[1:], strict=False)]
    return of_item, splits, items.caption_copies(folder)


def test_captions_to_train_on_get_copies_and_those_held_out_do_not(tmp_path):
    plain, splits, none = captions_of(tmp_path / "plain", None)
    spec = AugmentSpec.model_validate({"operations": [{"swap": {"rate": 0.5}}], "copies": 2})
    more, same_splits, copies = captions_of(tmp_path / "more", DocumentAugmenter(spec, 0))
    assert none == 0 and all((splits[name] == same_splits[name]).all() for name in splits)
    train, held_out = splits["train"][:, 0], splits["held_out"][:, 0]
    assert len(held_out) and all(more[item] == plain[item] for item in held_out)
    added = [len(more[item]) - len(plain[item]) for item in train]
    assert copies == sum(added) and np.mean(added) > 1 and max(added) == 2 * max(len(plain[item]) for item in train)
    assert all(set(plain[item]) <= set(more[item]) for item in train)
    assert all(sorted(copy.split()) == sorted(plain[item][0].split()) for item in train for copy in more[item][:2])
    assert captions_of(tmp_path / "again", DocumentAugmenter(spec, 0))[0] == more

    alone = spec.model_copy(update={"keep_original": False})
    replaced, _, count = captions_of(tmp_path / "alone", DocumentAugmenter(alone, 0))
    assert count == copies and not any(set(plain[item]) & set(replaced[item]) for item in train if len(more[item]) == 3)
