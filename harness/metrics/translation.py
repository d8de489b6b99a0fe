"""BLEU (Papineni et al. 2002) and chrF (Popović 2015) of a corpus by sacreBLEU (Post 2018), over 100, with its
signature and its defaults: BLEU with the tokenizer 13a, or zh for Chinese, chrF of characters without words.

Texts may have different numbers of references.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from harness.metrics.base import Metric, no_chance
from harness.metrics.resampling import by_sums, divide

ORDER = 4


def bleu_of_counts(sums: np.ndarray, effective_order: bool = False) -> np.ndarray:
    """BLEU (b,) in 0…1 from counts (b, 10) as sacreBLEU has them: words of the prediction and of the reference nearest
    in length, matched n-grams for n = 1 … 4, and all n-grams.

    An order without any match counts as half a match, the next such order as a quarter, … (`exp` smoothing); with
    `effective_order`, orders without any n-gram are left out.
    """
    length, reference_length = sums[:, 0], sums[:, 1]
    matched, total = sums[:, 2 : 2 + ORDER], sums[:, 2 + ORDER :]
    unmatched = (matched == 0) & (total > 0)
    precisions = divide(np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=1), matched), total)
    orders = np.maximum((total > 0).sum(axis=1), 1) if effective_order else np.full(len(sums), ORDER)
    used = np.arange(ORDER) < orders[:, None]
    with np.errstate(divide="ignore"):
        means = np.exp(np.where(used, np.log(precisions), 0.0).sum(axis=1) / orders)
    brevity = np.exp(np.minimum(1 - divide(reference_length, length), 0.0))
    return np.where(matched.any(axis=1), brevity * means, 0.0)


def chrf_of_counts(sums: np.ndarray) -> np.ndarray:
    """chrF (b,) in 0…1 from counts (b, 18) as sacreBLEU has them: for n = 1 … 6 the n-grams of the prediction, of the
    reference, and of both.
    """
    predicted, true, matched = (sums[:, at::3] for at in range(3))
    counted = (predicted > 0) & (true > 0)
    orders = np.maximum(counted.sum(axis=1), 1)
    precision = np.where(counted, divide(matched, predicted), 0.0).sum(axis=1) / orders
    recall = np.where(counted, divide(matched, true), 0.0).sum(axis=1) / orders
    square = CHRF.BETA**2
    return divide((1 + square) * precision * recall, square * precision + recall)


def _streams(references: np.ndarray) -> list[list[str | None]]:
    """References as sacreBLEU takes them: the first of each text, the second of each, …; None where there is none."""
    return [list(stream) for stream in itertools.zip_longest(*references)]


def _metric(name: str, library: Callable[[], Any], of_counts: Callable[[np.ndarray], np.ndarray]) -> Metric:
    def compute(predictions: np.ndarray, references: np.ndarray) -> float:
        """At most 1: sacreBLEU's rounding takes perfect texts a hair above."""
        return min(library().corpus_score(list(predictions), _streams(references)).score / 100, 1.0)

    def counts(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        statistics = library()._extract_corpus_statistics(list(predictions), _streams(references))
        return np.asarray(statistics, dtype=np.float64)

    return Metric(
        name=name,
        version=1,
        inputs="texts",
        low=0.0,
        high=1.0,
        compute=compute,
        chance=no_chance,
        resample=by_sums(counts, of_counts),
        signature=_signature(library()),
    )


def _signature(library: Any) -> str:
    """sacreBLEU's, less the number of references, which is the data's."""
    library.num_refs = 1
    return str(library.get_signature()).removeprefix("nrefs:1|")


BLEU_13A = _metric("bleu", partial(BLEU, tokenize="13a", force=True), bleu_of_counts)
BLEU_ZH = _metric("bleu_zh", partial(BLEU, tokenize="zh", force=True), bleu_of_counts)
CHRF_6 = _metric("chrf", CHRF, chrf_of_counts)
