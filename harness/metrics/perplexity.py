"""How well a model of language predicts texts, by byte and by word, as lm-evaluation-harness counts (Gao et al. 2021):
the log-likelihoods of all texts over the bytes of their UTF-8 or the words that white space separates.

Per byte, models of different tokenizers compare, and languages do too; per word, only texts whose words have spaces
between them. Lower is better.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable

import numpy as np

from harness.core.errors import HarnessError
from harness.metrics.base import Metric
from harness.metrics.resampling import by_sums

_SPACES = re.compile(r"\s+")


def count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def count_words(text: str) -> int:
    """The pieces between white space; white space at an end leaves an empty one, which counts."""
    return len(_SPACES.split(text))


def nats_of_bytes(references: np.ndarray) -> float:
    """All texts' nats by the fraction of each byte in them: the best prediction that does not look at the bytes
    before.
    """
    counts = Counter(byte for (text,) in references for byte in text.encode("utf-8", "surrogatepass"))
    return sum(count * math.log(counts.total() / count) for count in counts.values())


def _metric(name: str, count: Callable[[str], int], low: float, of_nats: Callable[[np.ndarray], np.ndarray]) -> Metric:
    """`of_nats` makes scores (b,) of nats per unit (b,)."""

    def statistics(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        return np.column_stack([0.0 - predictions, [count(text) for (text,) in references]])

    def score(sums: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return of_nats(sums[:, 0] / sums[:, 1])

    def compute(predictions: np.ndarray, references: np.ndarray) -> float:
        sums = statistics(predictions, references).sum(axis=0, keepdims=True)
        if sums[0, 1] == 0:
            raise HarnessError(f"metric {name}: nothing to score, all texts are empty")
        value = float(score(sums)[0])
        if not math.isfinite(value):
            raise HarnessError(
                f"metric {name}: {sums[0, 0] / sums[0, 1]:.0f} nats a unit are beyond it; texts without spaces have "
                "few words, for them use bits_per_byte"
            )
        return value

    def chance(references: np.ndarray) -> float | None:
        units = sum(count(text) for (text,) in references)
        value = float(score(np.array([[nats_of_bytes(references), units]]))[0])
        return value if math.isfinite(value) else None

    return Metric(
        name=name,
        version=1,
        inputs="likelihoods",
        low=low,
        high=None,
        compute=compute,
        chance=chance,
        resample=by_sums(statistics, score),
        greater_is_better=False,
    )


BITS_PER_BYTE = _metric("bits_per_byte", count_bytes, 0.0, lambda nats: nats / math.log(2))
BYTE_PERPLEXITY = _metric("byte_perplexity", count_bytes, 1.0, np.exp)
WORD_PERPLEXITY = _metric("word_perplexity", count_words, 1.0, np.exp)
