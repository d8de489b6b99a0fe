"""Evaluation examples by their n-grams, and which of them a document holds.

After the method SIMPLE of decon (Allen Institute for AI, 2025): n-grams are weighted by how few examples have them, a
match is a stretch of the document, and what part of an example must be in it depends on the example's length. Beside it
stand the 13-grams of GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C) and the whole text.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray

from harness.corpora.text.minhash import codes_of as codes_with_apostrophes

NGRAM = 5
LONG = 13
"""Words of the n-grams of GPT-3."""
SHORTEST = 6
"""Examples of fewer words are not judged: what they say may stand anywhere."""
STRICT, LOOSE = (6, 0.8), (30, 0.55)
"""Words of an example, and the part of its weight that must be in a document; between them the part falls evenly."""
APOSTROPHES = regex.compile("['’`]")
COMMON = 0.001
"""Of all examples; an n-gram in more of them weighs nothing."""


@dataclass(frozen=True)
class Example:
    """An evaluation example.

    Attributes:
        task: Its task.
        split: Its split.
        id: Its name in the split.
        text: What is asked, all input fields.
        answers: The reference texts, where it has any.
    """

    task: str
    split: str
    id: str
    text: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """An example that stands in a document.

    Attributes:
        example: Its number in the index.
        overlap: Of the weight of its n-grams the part that stands together in the document.
        exact: Whether all its words stand there one after another.
        long: Whether one of its 13-grams does.
        answered: Whether a reference text stands near it.
        start: The first word of the stretch.
        end: The word after the last.
    """

    example: int
    overlap: float
    exact: bool
    long: bool
    answered: bool
    start: int
    end: int


def codes_of(text: str) -> NDArray[np.uint64]:
    """32 bits of each word; an apostrophe parts no word, so that `don't` and `dont` are equal."""
    return codes_with_apostrophes(APOSTROPHES.sub("", text))


def needed(words: int) -> float:
    """The part of its weight that must be in a document, for an example of so many words."""
    (short, most), (long, least) = STRICT, LOOSE
    return most + (least - most) * min(max((words - short) / (long - short), 0.0), 1.0)


def ngram_codes(codes: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """64 bits of each n-gram, in order; none of fewer words."""
    count = max(0, len(codes) - n + 1)
    mixed = np.full(count, n, dtype=np.uint64)
    for offset in range(n):
        mixed = (mixed ^ codes[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


class ContaminationIndex:
    """The n-grams of evaluation examples.

    Args:
        examples: The examples; those of fewer than 6 words are kept, and not judged.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = list(examples)
        self._codes = [codes_of(example.text) for example in examples]
        self.lengths = [len(codes) for codes in self._codes]
        self.judged = [length >= SHORTEST for length in self.lengths]
        self._answers = [[codes_of(answer) for answer in example.answers] for example in examples]
        holders: dict[int, list[int]] = defaultdict(list)
        for number, codes in enumerate(self._codes):
            if self.judged[number]:
                for ngram in set(ngram_codes(codes, NGRAM).tolist()):
                    holders[ngram].append(number)
        most = max(3, round(COMMON * len(self.examples)))
        total = max(2, len(self.examples))
        self._weights = {
            ngram: math.log(total / len(numbers)) for ngram, numbers in holders.items() if len(numbers) <= most
        }
        self._holders = {ngram: numbers for ngram, numbers in holders.items() if ngram in self._weights}
        self._known = np.array(sorted(self._holders), dtype=np.uint64)
        self._totals = [self._total(number) for number in range(len(self.examples))]
        self._long = {
            number: frozenset(ngram_codes(codes, LONG).tolist())
            for number, codes in enumerate(self._codes)
            if len(codes) >= LONG
        }

    def _total(self, number: int) -> float:
        """The weight of an example: of its n-grams that are not common."""
        if not self.judged[number]:
            return 0.0
        return sum(self._weights.get(ngram, 0.0) for ngram in set(ngram_codes(self._codes[number], NGRAM).tolist()))

    def is_judged(self, number: int) -> bool:
        """Whether an example can be found: it has enough words, and not only n-grams that many examples have."""
        return self._totals[number] > 0.0

    def matches(self, text: str) -> list[Match]:
        """The examples that stand in a document, by their numbers."""
        codes = codes_of(text)
        ngrams = ngram_codes(codes, NGRAM)
        if not len(ngrams) or not len(self._known):
            return []
        at = np.searchsorted(self._known, ngrams)
        hits = np.flatnonzero(self._known[np.minimum(at, len(self._known) - 1)] == ngrams)
        positions: dict[int, list[int]] = defaultdict(list)
        for position in map(int, hits):
            for number in self._holders[int(ngrams[position])]:
                positions[number].append(position)
        result = []
        for number in sorted(positions):
            match = self._match(number, positions[number], ngrams, codes)
            if match is not None:
                result.append(match)
        return result

    def _match(
        self, number: int, positions: Sequence[int], ngrams: NDArray[np.uint64], codes: NDArray[np.uint64]
    ) -> Match | None:
        """The best stretch of a document for an example; None where too little of the example is in it."""
        length, total = self.lengths[number], self._totals[number]
        if total <= 0.0:
            return None
        width = math.ceil(1.3 * length) + NGRAM
        best, span = 0.0, (0, 0)
        inside: Counter[int] = Counter()
        weight, first = 0.0, 0
        for last, position in enumerate(positions):
            ngram = int(ngrams[position])
            inside[ngram] += 1
            weight += self._weights[ngram] if inside[ngram] == 1 else 0.0
            while position - positions[first] > width:
                gone = int(ngrams[positions[first]])
                inside[gone] -= 1
                weight -= self._weights[gone] if not inside[gone] else 0.0
                first += 1
            if weight > best:
                best, span = weight, (positions[first], positions[last] + NGRAM)
        overlap = best / total
        if overlap < needed(length) - 1e-9:
            return None
        stretch = codes[max(0, span[0] - length) : span[1] + length]
        wanted = self._codes[number]
        exact = _holds(stretch, wanted)
        long = not self._long.get(number, frozenset()).isdisjoint(ngram_codes(stretch, LONG).tolist())
        around = codes[max(0, span[0] - 100) : span[1] + 100]
        answered = any(len(answer) and _holds(around, answer) for answer in self._answers[number])
        return Match(number, min(overlap, 1.0), exact, long, answered, *span)


def _holds(codes: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> bool:
    """Whether words stand in others one after another."""
    if not 0 < len(wanted) <= len(codes):
        return False
    starts = np.flatnonzero(codes[: len(codes) - len(wanted) + 1] == wanted[0])
    return any(np.array_equal(codes[start : start + len(wanted)], wanted) for start in starts)
