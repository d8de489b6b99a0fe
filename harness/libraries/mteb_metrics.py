"""Scores of mteb's tasks from the values of their examples, by the same formulas and the same libraries."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.libraries import VALUES
from harness.libraries.mteb_kinds import SIMILARITIES
from harness.metrics import pearson, spearman
from harness.metrics.base import Metric, no_chance
from harness.metrics.resampling import by_weights

if TYPE_CHECKING:
    import numpy as np

DIGITS = 5
"""mteb's means over queries are rounded to so many."""
ROUNDED = ("ndcg", "map", "recall", "precision", "hit_rate")
OF_QUERIES = (*ROUNDED, "mrr")
"""Means over queries of values between 0 and 1."""
Weighted = Callable[["np.ndarray"], "np.ndarray"]
"""From how often each example is in samples, (b, n), to their scores (b,)."""


@lru_cache(maxsize=256)
def metric_of(name: str, library: str) -> Metric:
    """The score that mteb calls `name`."""
    called = f"{library}:{name}"
    is_correlation = name.endswith(("spearman", "pearson"))

    def compute(predictions: np.ndarray, references: np.ndarray) -> float:
        return _score(_read(predictions, called), name, called)

    def drawn(predictions: np.ndarray, references: np.ndarray) -> int:
        return sum(name not in row or row[name] is not None for row in _read(predictions, called))

    return Metric(
        name=called,
        version=1,
        inputs="outcomes",
        low=-1.0 if is_correlation or name == "ami" else 0.0,
        high=1.0,
        compute=compute,
        chance=no_chance,
        resample=by_weights(lambda predictions, references: _weighted(_read(predictions, called), name, called)),
        references="unused",
        draws=drawn if name == "accuracy" or name.rpartition("_at_")[0] in OF_QUERIES else None,
        signature=f"mteb:{_package()}|{name}",
    )


def _package() -> str:
    try:
        return version("mteb")
    except PackageNotFoundError:
        return "not installed"


def _read(predictions: np.ndarray, metric: str) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(outcome)[VALUES] for outcome in predictions]
        if all(isinstance(row, dict) and row for row in rows):
            return rows
    except (ValueError, KeyError, TypeError):
        pass
    raise HarnessError(f"metric {metric}: predictions must be outcomes of the library, as its tasks have them")


def _score(rows: Sequence[dict[str, Any]], name: str, metric: str) -> float:
    """On all examples."""
    import numpy as np

    value = float(_weighted(rows, name, metric)(np.ones((1, len(rows))))[0])
    return round(value, DIGITS) if name.rpartition("_at_")[0] in ROUNDED else value


def _weighted(rows: Sequence[dict[str, Any]], name: str, metric: str) -> Weighted:
    """On samples of examples."""
    first = rows[0]
    if name in first:
        return _mean([row.get(name) for row in rows])
    if "gold" in first and "cosine" in first and name.endswith(("spearman", "pearson")):
        return _correlation(rows, name)
    if "label" in first and "cosine" in first and name.endswith(("_ap", "_accuracy")):
        return _of_pairs(rows, name)
    if "label" in first and "predicted" in first:
        return _of_classifiers(rows, name)
    if "gold" in first and "predicted" in first:
        return _of_nearest(rows, name)
    raise HarnessError(f"metric {metric}: the examples have {', '.join(first)}, of which it is not put together")


def _mean(values: Sequence[float | None]) -> Weighted:
    """Without examples that have no value."""
    import numpy as np

    known = np.asarray([value is not None for value in values], dtype=np.float64)
    terms = np.asarray([0.0 if value is None else value for value in values], dtype=np.float64)

    def scored(weights: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray((weights @ terms) / (weights @ known))

    return scored


def _column(rows: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    import numpy as np

    return np.asarray([row[name] for row in rows], dtype=np.float64)


def _correlation(rows: Sequence[dict[str, Any]], name: str) -> Weighted:
    similarity, _, kind = name.rpartition("_")
    weighted = spearman.weighted if kind == "spearman" else pearson.weighted
    return weighted(_column(rows, similarity or "similarity"), _column(rows, "gold"))


def _of_pairs(rows: Sequence[dict[str, Any]], name: str) -> Weighted:
    """The average precision, or the accuracy at the best threshold; `max_`: of the similarity that gives the most."""
    import numpy as np

    which, _, kind = name.rpartition("_")
    labels = _column(rows, "label").astype(np.int64)
    columns = [_column(rows, similarity) for similarity in (SIMILARITIES if which == "max" else (which,))]
    score = _average_precision if kind == "ap" else _best_accuracy

    def scored(weights: np.ndarray) -> np.ndarray:
        return np.asarray([max(score(labels, column, row) for column in columns) for row in weights])

    return scored


def _average_precision(labels: np.ndarray, similarities: np.ndarray, weights: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    drawn = weights > 0
    if not labels[drawn].any():
        return math.nan
    return float(average_precision_score(labels[drawn], similarities[drawn], sample_weight=weights[drawn]))


def _best_accuracy(labels: np.ndarray, similarities: np.ndarray, weights: np.ndarray) -> float:
    """Of the thresholds between two similarities that differ."""
    import numpy as np

    order = np.argsort(-similarities, kind="stable")
    positive = np.cumsum((weights * labels)[order])
    negative = weights @ (1 - labels) - np.cumsum((weights * (1 - labels))[order])
    between = np.flatnonzero(np.diff(similarities[order]))
    return float((positive + negative)[between].max() / weights.sum()) if len(between) else 0.0


def _of_classifiers(rows: Sequence[dict[str, Any]], name: str) -> Weighted:
    """The mean over the classifiers that mteb trains."""
    labels = [row["label"] for row in rows]
    columns = list(zip(*(row["predicted"] for row in rows), strict=True))
    return _of_classes([labels] * len(columns), columns, name, "macro")


def _of_nearest(rows: Sequence[dict[str, Any]], name: str) -> Weighted:
    return _of_classes([[row["gold"] for row in rows]], [[row["predicted"] for row in rows]], name, "weighted")


def _of_classes(references: Sequence[Any], predictions: Sequence[Any], name: str, average: str) -> Weighted:
    """A score of class ids, its mean over pairs of references and predictions: from counts, since samples of examples
    are many.
    """
    import numpy as np

    kind, _, weighted = name.partition("_")
    average = weighted or average
    tables = []
    for truth, predicted in zip(references, predictions, strict=True):
        classes, codes = np.unique(np.asarray([*truth, *predicted]), return_inverse=True)
        n = len(truth)
        tables.append((len(classes), codes[:n], codes[n:]))

    def scored(weights: np.ndarray) -> np.ndarray:
        return np.mean([[_from_counts(row, *table, kind, average) for table in tables] for row in weights], axis=1)

    return scored


def _from_counts(
    weights: np.ndarray, classes: int, truth: np.ndarray, predicted: np.ndarray, kind: str, average: str
) -> float:
    import numpy as np

    right = truth == predicted
    if kind == "accuracy":
        return float(weights @ right / weights.sum())
    true = np.bincount(truth, weights, classes)
    made = np.bincount(predicted, weights, classes)
    hits = np.bincount(truth[right], weights[right], classes)
    with np.errstate(all="ignore"):
        by_class = {"f1": 2 * hits / (true + made), "precision": hits / made, "recall": hits / true}[kind]
    present = (true + made) > 0
    by_class = np.nan_to_num(by_class)[present]
    return float(by_class.mean() if average == "macro" else by_class @ true[present] / true.sum())


def scores_of(values: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, float]:
    """Scores from values, for comparing with the package's own."""
    return {name: _score(values, name, name) for name in names}
