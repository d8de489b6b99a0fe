"""How similar a changed text is to the original: the cosine of a sentence encoder's vectors, or of letter trigrams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import sqrt
from typing import Any

from harness.core.lazy import lazy
from harness.core.reading import expanded
from harness.training.augment.models import folder_fingerprint

encoders = lazy("harness.modeling.sentence_vectors")


class Similarity:
    """A measure, by its name in a record."""

    name = "trigrams"

    def inputs(self) -> Mapping[str, str]:
        """What it reads: a hash by what it is called."""
        return {}

    def of(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Of an original and a changed text each."""
        return [_cosine(_trigrams(original), _trigrams(changed)) for original, changed in pairs]


KEPT = 10_000
"""Originals whose vectors are kept."""


class OfEncoder(Similarity):
    """The cosine of the vectors of a sentence encoder."""

    name = "encoder"

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._known: dict[str, Any] = {}

    def inputs(self) -> Mapping[str, str]:
        return {self.folder: folder_fingerprint(self.folder, "attack: encoder")}

    def of(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        if len(self._known) > KEPT:
            self._known.clear()
        new = list(dict.fromkeys(text for pair in pairs for text in pair if text not in self._known))
        vectors = dict(zip(new, encoders.unit_vectors(expanded(self.folder), new), strict=True)) if new else {}
        vectors = {**self._known, **vectors}
        self._known |= {original: vectors[original] for original, _ in pairs}
        return [float(vectors[original] @ vectors[changed]) for original, changed in pairs]


def similarity_of(encoder: str | None) -> Similarity:
    """The measure: by an encoder where its folder is given."""
    return Similarity() if encoder is None else OfEncoder(encoder)


@lru_cache(maxsize=4096)
def _trigrams(text: str) -> tuple[Mapping[str, int], float]:
    """How often each run of three letters stands in a text, and the length of that as a vector."""
    written = f" {' '.join(text.lower().split())} "
    counts = Counter(written[start : start + 3] for start in range(max(1, len(written) - 2)))
    return counts, sqrt(sum(count * count for count in counts.values()))


def _cosine(left: tuple[Mapping[str, int], float], right: tuple[Mapping[str, int], float]) -> float:
    common = sum(count * right[0][trigram] for trigram, count in left[0].items() if trigram in right[0])
    return common / (left[1] * right[1])
