"""Equal and similar documents, found on disk."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.corpora.rules.base import make_rule
from harness.corpora.streams.duplicates import DuplicateFinder, digest
from harness.corpora.text.minhash import Banding, codes_of, shingles, signatures, similarity

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
        finder.add([digest(text) for text in part], signatures(part, banding) if banding else None)
    return finder.find()


@pytest.fixture(params=["numpy", "rensa"])
def maker(request: pytest.FixtureRequest) -> str:
    if request.param == "rensa":
        pytest.importorskip("rensa", reason="the extra; pip install rensa")
    return str(request.param)


def test_signatures_estimate_the_jaccard_similarity(maker: str) -> None:
    banding = Banding(signatures=maker)
    errors = []
    for seed in range(60):
        text = text_of(seed)
        other = changed(text, 0.05, seed)
        errors.append(similarity(*signatures([text, other], banding)) - jaccard(text, other))
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
        ours = similarity(*signatures([text, other], banding))
        assert ours == pytest.approx(sketches[0].jaccard(sketches[1]), abs=0.2)


def test_the_recall_of_the_banding_is_what_is_stated(tmp_path: Path, maker: str) -> None:
    banding = Banding(similarity=0.01, signatures=maker)
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


def test_numpy_and_rensa_find_the_same_planted_duplicates(tmp_path: Path) -> None:
    pytest.importorskip("rensa", reason="the extra; pip install rensa")
    texts = [text_of(seed) for seed in range(150)]
    texts += [changed(text_of(seed), 0.005, seed) for seed in range(100)]
    for name in ("numpy", "rensa"):
        (tmp_path / name).mkdir()
    ours, theirs = (found_among(texts, tmp_path / name, Banding(signatures=name)) for name in ("numpy", "rensa"))
    assert ours.kept_for.tolist() == theirs.kept_for.tolist() == [*range(150), *range(100)]
    assert ours.similarities != theirs.similarities


def test_rensa_is_asked_for_by_name_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(
        HarnessError, match=r"signatures: rensa needs the package rensa; pip install 'nlp-harness\[rensa"
    ):
        make_rule("dedup", {"near": {"signatures": "rensa"}}, "test")


def test_all_of_a_bands_group_are_compared(tmp_path: Path) -> None:
    """Forty texts share a band and nothing else; behind them stands a near copy of the last, in that band alone."""
    draw = np.random.Generator(np.random.PCG64(0))
    rows = draw.integers(0, 1 << 32, (41, 112), dtype=np.uint32)
    rows[:, :8] = 7
    rows[40] = np.where(np.arange(112) % 8 < 7, rows[39], rows[40])
    rows[40, :8] = 7
    finder = DuplicateFinder(tmp_path, False, Banding())
    finder.add([0] * 41, rows)
    found = finder.find()
    assert found.kept_for.tolist() == [*range(40), 39]
    assert found.similarities == {40: pytest.approx(99 / 112)}


def test_a_document_joins_by_any_member_of_a_group(tmp_path: Path) -> None:
    """The second is like the first, the third like the second alone."""
    draw = np.random.Generator(np.random.PCG64(0))
    rows = np.repeat(draw.integers(0, 1 << 32, (1, 112), dtype=np.uint32), 3, axis=0)
    rows[1, 90:] = rows[2, 90:] = 1
    rows[2, 60:90] = 2
    finder = DuplicateFinder(tmp_path, False, Banding())
    finder.add([0] * 3, rows)
    assert finder.find().kept_for.tolist() == [0, 0, 0]


def test_texts_without_words_are_alike_only_where_they_are_equal(tmp_path: Path) -> None:
    found = found_among(["...", "!!!", "???", "..."], tmp_path)
    assert found.kept_for.tolist() == [0, 1, 2, 0]


def test_nothing_is_found_among_different_texts(tmp_path: Path) -> None:
    found = found_among([text_of(seed) for seed in range(200)], tmp_path)
    assert not found.clusters()


def test_letters_case_punctuation_and_numbers_do_not_make_texts_differ() -> None:
    one, other = "On page 12, The End!", "on page 345 the end"
    assert np.array_equal(*signatures([one, other], Banding()))
    assert digest(one) != digest(other)
