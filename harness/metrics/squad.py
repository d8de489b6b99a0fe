"""Exact match and F1 of answers, by the rules of SQuAD (Rajpurkar et al. 2016; 2018 for questions without answer) and,
for Chinese and Japanese, of CMRC 2018 (Cui et al. 2019) and MLQA (Lewis et al. 2020).

An answer is compared without letter case, punctuation, articles and extra white space. A prediction is compared with
each reference, and the best counts. An empty prediction says that there is no answer, which is right where there is no
reference, or none that has any words. The rules of SQuAD 2.0 hold for 1.1 too; they differ only where a reference is
nothing but articles and punctuation.

A question is judged by the second rule where its prediction or a reference has a CJK character: each such character is
a word, runs of others between them are words as white space splits them, all Unicode punctuation is dropped, and
articles are not.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

import numpy as np

from harness.metrics.base import Metric, examples, no_chance
from harness.metrics.resampling import by_mean
from harness.metrics.words import CJK, has_cjk

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PIECES = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
_ASCII_PUNCTUATION = frozenset(string.punctuation)


def answer_words(text: str, cjk: bool = False) -> list[str]:
    """The words of an answer that are compared."""
    text = text.lower()
    if cjk:
        return _PIECES.findall("".join(character for character in text if not _is_punctuation(character)))
    text = "".join(character for character in text if character not in _ASCII_PUNCTUATION)
    return _ARTICLES.sub(" ", text).split()


def _is_punctuation(character: str) -> bool:
    return character in _ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")


def _compared(prediction: str, references: tuple[str, ...]) -> tuple[list[str], list[list[str]]]:
    """Words of the prediction, and of each reference that has any; of the empty answer where none has."""
    cjk = any(map(has_cjk, (prediction, *references)))
    right = [words for words in (answer_words(reference, cjk) for reference in references) if words]
    return answer_words(prediction, cjk), right or [[]]


def matches(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n,): 1 where the prediction equals a reference."""
    pairs = [_compared(prediction, answers) for prediction, answers in zip(predictions, references, strict=True)]
    return np.asarray([float(words in right) for words, right in pairs])


def overlaps(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n,): the F1 of the prediction's words against the reference that is nearest."""
    pairs = [_compared(prediction, answers) for prediction, answers in zip(predictions, references, strict=True)]
    return np.asarray([max(_f1(words, reference) for reference in right) for words, right in pairs])


def _f1(predicted: list[str], true: list[str]) -> float:
    if not predicted or not true:
        return float(predicted == true)
    common = (Counter(predicted) & Counter(true)).total()
    return 2 * common / (len(predicted) + len(true))


def chance(references: np.ndarray) -> float:
    """Always the answer that is right most often, which may be that there is none."""
    right = Counter(
        answer for answers in references for answer in {tuple(words) for words in _compared("", answers)[1]}
    )
    return max(right.values()) / len(references)


EXACT_MATCH = Metric(
    name="exact_match",
    version=1,
    inputs="texts",
    references="may be empty",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: matches(predictions, references).mean(),
    chance=chance,
    counts_successes=True,
    resample=by_mean(matches),
)

SQUAD_F1 = Metric(
    name="squad_f1",
    version=1,
    inputs="texts",
    references="may be empty",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: overlaps(predictions, references).mean(),
    chance=no_chance,
    resample=by_mean(overlaps),
    draws=examples,
)
