"""Text is the first modality: asked for what it holds, changed, shown and identified as all others are."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.items import item_of_bytes
from harness.data.modalities import MODALITIES, Shown, unit_of

TEXT = MODALITIES.get("text")
WRITTEN = "Three cats were certainly not sleeping under the table"


def test_each_field_of_a_family_has_a_modality_and_text_is_that_of_texts():
    retrieval, pairs = FAMILIES.get("image-text-retrieval"), FAMILIES.get("nli")
    assert {field: retrieval.modality_of(field) for field in ("image", "text")} == {"image": "image", "text": "text"}
    assert (retrieval.modality, pairs.modality) == ("image", "text")
    assert {pairs.modality_of(field) for field in pairs.required} == {"text"}
    assert all(MODALITIES.get(FAMILIES.get(name).modality) for name in FAMILIES.names())


def test_a_text_is_decoded_counted_and_shown_as_it_stands_or_from_a_file():
    file = item_of_bytes(f"\ufeff{WRITTEN}".encode(), "a.txt", "folder/a.txt")
    for item in (WRITTEN, file):
        decoded = TEXT.decode(item)
        assert decoded.values.tolist() == WRITTEN.split() and TEXT.amount(decoded) == 9
        assert TEXT.show(item) == Shown("", "", WRITTEN)
    with pytest.raises(HarnessError, match=r"folder/b.txt: no text in UTF-8 \(byte 1\)"):
        TEXT.decode(item_of_bytes(b"a\xff", "b.txt", "folder/b.txt"))
    TEXT.require()


def test_rates_of_models_count_tokens_of_text_and_units_of_items():
    assert [unit_of(items) for items in ("", "text", "image", "audio")] == [
        "tokens", "tokens", "images", "seconds of audio",
    ]  # fmt: skip
    assert TEXT.unit == "words"


def test_augmenting_a_text_mistypes_words_and_keeps_negations_and_numbers():
    decoded = TEXT.decode(WRITTEN)
    texts = {" ".join(TEXT.augment(decoded, np.random.default_rng(seed)).values) for seed in range(40)}
    assert len(texts) > 10 and all(" not " in text and text.startswith("Three ") for text in texts)
    assert all(len(text.split()) == 9 for text in texts)
    again = [TEXT.augment(decoded, np.random.default_rng(3)).values.tolist() for _ in range(2)]
    assert again[0] == again[1]
