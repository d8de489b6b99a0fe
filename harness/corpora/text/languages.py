"""The language of texts, by the model inside py3langid (Lui and Baldwin 2012, langid.py).

The model is a naive Bayes classifier of byte n-grams that an automaton finds. Here the automaton runs over many places
of many texts at once: where it is depends on the last bytes alone, as many as its longest n-gram has.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

MOST = 2_000
"""Characters that are looked at."""
LONGEST = 6
"""Bytes of the model's longest n-gram."""
STRETCH = 64
"""Bytes that the automaton reads one after another."""
TOGETHER = 64
"""Texts whose n-grams are counted at once."""
BETWEEN = b"\xff"
"""Stands in no UTF-8, and brings the automaton back to its start."""


class LanguageModel:
    """The model in arrays; made once in each process."""

    def __init__(self) -> None:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self._encode = model._encode
        self._next: NDArray[Any] = np.asarray(model.tk_nextmove)
        self._rows: NDArray[Any] = np.asarray(model._rowbase)
        self._ngrams: NDArray[Any] = np.asarray(model.tk_output, dtype=np.int32)
        self._weights, self._prior = model.nb_ptc.astype(np.float32), model.nb_pc
        self._aliases = model._alias_pairs
        self.languages: list[str] = model.nb_classes

    def classify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The likeliest language of each text and its probability."""
        result: list[tuple[str, float]] = []
        for start in range(0, len(texts), TOGETHER):
            result += self._classify([self._encode(text) for text in texts[start : start + TOGETHER]])
        return result

    def _classify(self, texts: list[bytes]) -> list[tuple[str, float]]:
        sizes = np.array([len(text) for text in texts])
        scores = self._scores(texts, sizes) / np.sqrt(np.maximum(sizes, 1))[:, None].astype(np.float32)
        np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        for first, other in self._aliases:
            scores[:, first] += scores[:, other]
            scores[:, other] = 0.0
        best = scores.argmax(axis=1)
        return [(self.languages[at], float(row[at])) for row, at in zip(scores, best.tolist(), strict=True)]

    def _scores(self, texts: list[bytes], sizes: NDArray[Any]) -> NDArray[np.float32]:
        ngrams = self._ending_at_each_byte(BETWEEN.join(texts))
        owners = np.repeat(np.arange(len(texts)), sizes + 1)[: len(ngrams)]
        width = len(self._weights)
        held = ngrams >= 0
        pairs = np.sort((owners[held] * width + ngrams[held]).astype(np.int32))
        firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
        counts = np.diff(firsts, append=len(pairs)).astype(np.float32)
        owners, ngrams = np.divmod(pairs[firsts], width)
        starts = np.searchsorted(owners, np.arange(len(texts) + 1))
        counted = csr_array((np.log1p(counts), ngrams, starts), shape=(len(texts), width))
        scores = np.asarray(counted @ self._weights) + self._prior
        scores[np.diff(starts) == 0] = 0.0
        return scores

    def _ending_at_each_byte(self, text: bytes) -> NDArray[np.int32]:
        """The n-gram that ends at each byte; -1 for none."""
        count = max(1, -(-len(text) // STRETCH))
        width = STRETCH + LONGEST - 1
        padded = BETWEEN * (LONGEST - 1) + text + BETWEEN * (count * STRETCH - len(text))
        windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(padded, dtype=np.uint8), width)[::STRETCH]
        steps = np.ascontiguousarray(windows.T)
        states = np.zeros(count, dtype=self._next.dtype)
        result = np.empty((count, STRETCH), dtype=np.int32)
        for step, letters in enumerate(steps):
            states = self._next[self._rows[states] + letters]
            if step >= LONGEST - 1:
                result[:, step - LONGEST + 1] = self._ngrams[states]
        return result.ravel()[: len(text)]


@cache
def _model() -> LanguageModel:
    return LanguageModel()


@cache
def known_languages() -> frozenset[str]:
    """The languages that can be told apart, by their ISO 639-1 codes."""
    return frozenset(_model().languages)


def languages_of(texts: Sequence[str]) -> list[tuple[str, float]]:
    """Of each text the likeliest language of its first 2,000 characters, and its probability by the model."""
    return _model().classify([text[:MOST] for text in texts])
