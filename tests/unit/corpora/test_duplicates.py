"""Equal and similar documents, found on disk."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from harness.corpora.streams.duplicates import DuplicateFinder, digest
from harness.corpora.text.minhash import Banding, codes_of, shingles, signature, similarity

WORDS = [f"word{chr(97 + one // 26)}{chr(97 + one % 26)}" for one in range(600)]


def text_of(seed: int, length: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def changed(text: str, rate: float, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join("other" if draw.random() < rate else word for word in text.split())


def jaccard(one: str, other: str) -> float:
    first, second = (set(shingles(codes_of(text), 5).tolist()) for text in (one, other))
    return len(first & second) / len(first | second)


def found_among(texts: list[str], folder: Path, banding: Banding | None = Banding()):
    finder = DuplicateFinder(folder, True, banding)
    for start in range(0, len(texts), 7):
        part = texts[start : start + 7]
        signatures = np.stack([signature(text, banding) for text in part]) if banding else None
        finder.add([digest(text) for text in part], signatures)
    return finder.find()


def test_signatures_estimate_the_jaccard_similarity() -> None:
    errors = []
    for seed in range(60):
        text = text_of(seed)
        other = changed(text, 0.05, seed)
        errors.append(similarity(signature(text, Banding()), signature(other, Banding())) - jaccard(text, other))
    assert abs(np.mean(errors)) < 0.02
    assert np.std(errors) < 0.07


def test_signatures_agree_with_datasketch_within_their_error() -> None:
    datasketch = pytest.importorskip("datasketch", reason="the oracle; pip install datasketch")
    banding = Banding()
    for seed in range(10):
        text = text_of(seed)
        other = changed(text, 0.03, seed)
        sketches = []
        for one in (text, other):
            sketch = datasketch.MinHash(num_perm=banding.size)
            for shingle in shingles(codes_of(one), 5):
                sketch.update(int(shingle).to_bytes(8, "big"))
            sketches.append(sketch)
        ours = similarity(signature(text, banding), signature(other, banding))
        assert ours == pytest.approx(sketches[0].jaccard(sketches[1]), abs=0.2)


def test_the_recall_of_the_banding_is_what_is_stated(tmp_path: Path) -> None:
    banding = Banding(similarity=0.01)
    pairs = [(text_of(seed), changed(text_of(seed), 0.028, seed)) for seed in range(300)]
    found = found_among([text for pair in pairs for text in pair], tmp_path, banding)
    hit = [int(found.kept_for[2 * at + 1]) == 2 * at for at in range(len(pairs))]
    stated = np.mean([banding.recall(jaccard(*pair)) for pair in pairs])
    assert 0.3 < stated < 0.95
    assert np.mean(hit) == pytest.approx(stated, abs=0.08)


def test_the_first_of_a_group_is_kept_and_copies_are_told_from_likes(tmp_path: Path) -> None:
    text = text_of(1)
    texts = [text_of(2), text, text_of(3), text.upper() + "  ", changed(text, 0.01, 5), text_of(4), text]
    found = found_among(texts, tmp_path)
    assert found.kept_for.tolist() == [0, 1, 2, 1, 1, 5, 1]
    assert found.exact == {3, 6}
    assert found.near == {4} and found.similarities[4] >= 0.7
    assert found.clusters() == {1: 4}


def test_texts_without_words_are_alike_only_where_they_are_equal(tmp_path: Path) -> None:
    found = found_among(["...", "!!!", "???", "..."], tmp_path)
    assert found.kept_for.tolist() == [0, 1, 2, 0]


def test_nothing_is_found_among_different_texts(tmp_path: Path) -> None:
    found = found_among([text_of(seed) for seed in range(200)], tmp_path)
    assert not found.clusters()


def test_letters_case_punctuation_and_numbers_do_not_make_texts_differ() -> None:
    one, other = "On page 12, The End!", "on page 345 the end"
    assert np.array_equal(signature(one, Banding()), signature(other, Banding()))
    assert digest(one) != digest(other)
