"""Precision, recall and F1 of named entities, by `seqeval` (Nakayama 2018) as `conlleval` counts them: an entity is
right where its type and all of its words are, whatever kind of IOB tags marks it; over all entities of all texts.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from harness.core.iob import IOB, OUTSIDE
from harness.metrics.base import Metric
from harness.metrics.resampling import by_sums, divide


def compute(name: str, predictions: np.ndarray, references: np.ndarray) -> float:
    """By the function of seqeval of that name; 0 where nothing is found or nothing was there to be."""
    import seqeval.metrics

    true = [tags.split() for (tags,) in references]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is 0 for want of entities
        return float(getattr(seqeval.metrics, name)(true, [tags.split() for tags in predictions], zero_division=0))


def entities_of(tags: list[str]) -> list[tuple[str, int, int]]:
    """The entities that the tags of a text's words mark: type, first word and last. What is no IOB tag marks none."""
    from seqeval.metrics.sequence_labeling import get_entities

    iob = [tag if IOB.fullmatch(tag) else OUTSIDE for tag in tags]
    return [(str(kind), int(first), int(last)) for kind, first, last in get_entities(iob)]


def counts(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Entities of each text (n, 3): right, predicted, true."""
    rows = []
    for predicted, (true,) in zip(predictions, references, strict=True):
        answers, entities = set(entities_of(predicted.split())), set(entities_of(true.split()))
        rows.append((len(answers & entities), len(answers), len(entities)))
    return np.asarray(rows, dtype=np.float64)


def chance(score: Callable[[np.ndarray], np.ndarray], references: np.ndarray) -> float:
    """The best single tag for every word of every text: each word is then an entity of one type, or each text is."""
    texts = [true.split() for (true,) in references]
    words, single, whole = sum(map(len, texts)), Counter[str](), Counter[str]()
    total = 0
    for tags in texts:
        for kind, first, last in set(entities_of(tags)):
            total += 1
            single[kind] += first == last
            whole[kind] += last - first + 1 == len(tags)
    sums = [
        (max(right.values(), default=0), predicted, total)
        for right, predicted in ((single, words), (whole, len(texts)))
    ]
    return float(score(np.asarray(sums, dtype=np.float64)).max())


def _metric(name: str, function: str, score: Callable[[np.ndarray], np.ndarray]) -> Metric:
    """`score` makes scores (b,) of sums (b, 3) of `counts`."""
    return Metric(
        name=name,
        version=1,
        inputs="tags",
        low=0.0,
        high=1.0,
        compute=lambda predictions, references: compute(function, predictions, references),
        chance=lambda references: chance(score, references),
        resample=by_sums(counts, score),
        signature=f"seqeval:{version('seqeval')}|mode:default|average:micro",
    )


PRECISION = _metric("seqeval_precision", "precision_score", lambda sums: divide(sums[:, 0], sums[:, 1]))
RECALL = _metric("seqeval_recall", "recall_score", lambda sums: divide(sums[:, 0], sums[:, 2]))
F1 = _metric("seqeval_f1", "f1_score", lambda sums: divide(2 * sums[:, 0], sums[:, 1] + sums[:, 2]))
