"""How varied generated texts are; no reference is looked at.

- distinct_n: different n-grams of all texts over all their n-grams (Li et al. 2016). It falls as texts get more and
  longer: compare it at equal numbers and lengths.
- self_bleu: the mean BLEU of each text against all the others (Zhu et al. 2018); lower is more varied. It rises with
  the number of texts: of more than 500, 500 at even distances are looked at.
- repetition_4: the fraction of a text's 4-grams that occurred in it before, its mean over texts (seq-rep-4 of Welleck
et
  al. 2020); lower is more varied. A text of fewer than four words repeats nothing.

Words are as `words` finds them: punctuation marks and Chinese characters are one each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from harness.metrics.base import Metric, examples, no_chance
from harness.metrics.resampling import JACKKNIFE, by_jackknife, by_mean
from harness.metrics.translation import ORDER, bleu_of_counts
from harness.metrics.words import words

TEXTS = 500
"""Texts that self_bleu looks at, each against all the others."""

Ngram = tuple[str, ...]


def ngrams(text: list[str], n: int) -> Iterator[Ngram]:
    return zip(*(text[at:] for at in range(n)), strict=False)


def distinct(predictions: np.ndarray, n: int) -> tuple[float, np.ndarray]:
    """The fraction of different n-grams, and the fractions (m,) without each text. 0 without any n-gram."""
    counts = [Counter(ngrams(words(text), n)) for text in predictions]
    texts_with = Counter(ngram for count in counts for ngram in count)
    total = sum(count.total() for count in counts)
    unique = np.asarray([sum(texts_with[ngram] == 1 for ngram in count) for count in counts])
    rest = np.asarray([total - count.total() for count in counts])
    return len(texts_with) / max(total, 1), (len(texts_with) - unique) / np.maximum(rest, 1)


def self_bleu(predictions: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean over m texts of their BLEU against the others, and the means (m,) without each text.

    Sentence BLEU of 1- to 4-grams as sacreBLEU's, of effective order. One text alone resembles no other: 0.

    Without text j, text i loses the matches of n-grams that none but j has as often; so each text's BLEU without each
    other is found from the two texts that have an n-gram most often, besides itself.
    """
    chosen = np.unique(np.linspace(0, len(predictions) - 1, min(len(predictions), TEXTS)).astype(int))
    texts = [words(predictions[at]) for at in chosen]
    m = len(texts)
    if m < 2:
        return 0.0, np.zeros(m)
    counts = [Counter(ngram for n in range(1, ORDER + 1) for ngram in ngrams(text, n)) for text in texts]
    holders: dict[Ngram, list[tuple[int, int]]] = defaultdict(list)
    for at, count in enumerate(counts):
        for ngram, often in count.items():
            holders[ngram].append((often, at))
    most = {ngram: sorted(held, reverse=True)[:3] for ngram, held in holders.items()}
    lengths = np.asarray([len(text) for text in texts])
    full, without = np.zeros(m), np.zeros((m, m))
    for at, count in enumerate(counts):
        statistics = np.zeros((m + 1, 2 + 2 * ORDER))
        matched, total = statistics[:, 2 : 2 + ORDER], statistics[:, 2 + ORDER :]
        for ngram, often in count.items():
            order = len(ngram) - 1
            total[:, order] += often
            others = [held for held in most[ngram] if held[1] != at]
            if others:
                clipped = min(often, others[0][0])
                second = min(often, others[1][0]) if len(others) > 1 else 0
                matched[:, order] += clipped
                matched[others[0][1], order] -= clipped - second
        statistics[:, 0] = lengths[at]
        statistics[:, 1] = _nearest_lengths(lengths, at)
        scores = bleu_of_counts(statistics, effective_order=True)
        full[at], without[at] = scores[m], scores[:m]
    np.fill_diagonal(without, 0.0)
    return float(full.mean()), without.sum(axis=0) / (m - 1)


def _nearest_lengths(lengths: np.ndarray, at: int) -> np.ndarray:
    """(m + 1,): the length nearest to that of text `at` (the smaller of two) among the others without each text, and at
    the end among all of them. With two texts none is left without the other: 0.
    """
    order = np.lexsort((lengths, np.abs(lengths - lengths[at])))
    others = order[order != at]
    nearest = np.full(len(lengths) + 1, lengths[others[0]])
    nearest[others[0]] = lengths[others[1]] if len(others) > 1 else 0
    return nearest


def repetition(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n,): the fraction of each text's 4-grams that occurred in it before."""
    ngrams_of_texts = [list(ngrams(words(text), 4)) for text in predictions]
    return np.asarray(
        [1 - len(set(four_grams)) / len(four_grams) if four_grams else 0.0 for four_grams in ngrams_of_texts]
    )


def _of_collection(
    name: str, leave_one_out: Callable[[np.ndarray], tuple[float, np.ndarray]], greater_is_better: bool
) -> Metric:
    return Metric(
        name=name,
        version=1,
        inputs="texts",
        references="unused",
        low=0.0,
        high=1.0,
        compute=lambda predictions, references: leave_one_out(predictions)[0],
        chance=no_chance,
        resample=by_jackknife(lambda predictions, references: leave_one_out(predictions)),
        approximation=JACKKNIFE,
        greater_is_better=greater_is_better,
    )


DISTINCT_1 = _of_collection("distinct_1", lambda predictions: distinct(predictions, 1), greater_is_better=True)
DISTINCT_2 = _of_collection("distinct_2", lambda predictions: distinct(predictions, 2), greater_is_better=True)
SELF_BLEU = _of_collection("self_bleu", self_bleu, greater_is_better=False)
REPETITION_4 = Metric(
    name="repetition_4",
    version=1,
    inputs="texts",
    references="unused",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: repetition(predictions, references).mean(),
    chance=no_chance,
    resample=by_mean(repetition),
    draws=examples,
    greater_is_better=False,
)
