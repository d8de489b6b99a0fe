"""Metrics of lm-evaluation-harness: its values of single examples, put together by its own aggregations.

`KEY=AGGREGATION` where a task puts a metric together otherwise than usual, with `-` before it where less is better;
`KEY` is the metric, and after a comma the filter that answers went through, where there is one. What counts, averages
or scores texts is computed here, on samples too; functions of single tasks are the package's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError, unknown
from harness.core.libraries import VALUES
from harness.core.plugins import reason_of
from harness.libraries.lm_eval_index import require, tasks_folder
from harness.metrics.base import Metric, no_chance
from harness.metrics.resampling import by_sums, by_weights

if TYPE_CHECKING:
    import numpy as np

MARK = "="
UNBOUNDED = -math.inf


@dataclass(frozen=True)
class Usual:
    """How a metric is put together where a task says nothing else, and its scale."""

    aggregation: str = "mean"
    greater: bool = True
    low: float = UNBOUNDED
    high: float | None = None
    is_right_or_wrong: bool = False


OF_RIGHT = Usual(low=0.0, high=1.0, is_right_or_wrong=True)
USUAL = {
    "acc": OF_RIGHT,
    "acc_norm": OF_RIGHT,
    "acc_bytes": OF_RIGHT,
    "acc_mutual_info": OF_RIGHT,
    "exact_match": OF_RIGHT,
    "perplexity": Usual("perplexity", False, 0.0),
    "word_perplexity": Usual("weighted_perplexity", False, 0.0),
    "byte_perplexity": Usual("weighted_perplexity", False, 0.0),
    "bits_per_byte": Usual("bits_per_byte", False, 0.0),
    "f1": Usual("f1", True, 0.0, 1.0),
    "mcc": Usual("matthews_corrcoef", True, -1.0, 1.0),
    "brier_score": Usual("brier_score", False, 0.0, 2.0),
    "bleu": Usual("bleu", True, 0.0, 100.0),
    "chrf": Usual("chrf", True, 0.0, 100.0),
    "chrf++": Usual("chrf++", True, 0.0, 100.0),
    "ter": Usual("ter", False, 0.0),
}
Items = Sequence[Any]
"""Values of single examples, as a task's `process_results` gave them."""


def name_of(metric: str, kept: str, aggregation: str, greater: bool, is_right_or_wrong: bool) -> str:
    """What a metric is called here, after the library's name.

    Args:
        metric: Its name in the task.
        kept: The filter; `none` for none.
        aggregation: Its name, or the function's, as `resolve` takes it.
        greater: Whether more is better.
        is_right_or_wrong: Whether an example's value is 0 or 1 for sure.
    """
    usual = USUAL.get(metric, Usual())
    key = metric if kept == "none" else f"{metric},{kept}"
    same = (aggregation, greater) == (usual.aggregation, usual.greater)
    if same and is_right_or_wrong == usual.is_right_or_wrong:
        return key
    return f"{key}{MARK}{'' if greater else '-'}{aggregation}"


def key_of(name: str) -> str:
    """The key of an example's value, `METRIC,FILTER`."""
    key = name.partition(MARK)[0]
    return key if "," in key else f"{key},none"


@lru_cache(maxsize=256)
def metric_of(name: str, library: str) -> Metric:
    """The metric of a name. Raises HarnessError for an unknown aggregation."""
    key, mark, rule = name.partition(MARK)
    usual = USUAL.get(key.partition(",")[0], Usual())
    aggregation, greater = (
        (rule.removeprefix("-"), not rule.startswith("-")) if mark else (usual.aggregation, usual.greater)
    )
    items_of = partial(_items, key=key_of(name), name=f"{library}:{name}")
    aggregate = _aggregation(aggregation, f"{library}:{name}")
    has_scale = aggregation == usual.aggregation and (not mark or usual.is_right_or_wrong)
    low, high = (usual.low, usual.high) if has_scale else SCALES.get(aggregation, (UNBOUNDED, None))
    try:
        package = version("lm_eval")
    except PackageNotFoundError:
        package = "not installed"

    def compute(predictions: np.ndarray, references: np.ndarray) -> float:
        return float(aggregate.score([item for item in items_of(predictions) if item is not None]))

    return Metric(
        name=f"{library}:{name}",
        version=1,
        inputs="outcomes",
        low=low,
        high=high,
        compute=compute,
        chance=no_chance,
        resample=aggregate.resample(items_of),
        greater_is_better=greater,
        counts_successes=usual.is_right_or_wrong and not mark,
        references="unused",
        signature=f"lm_eval:{package}|{key_of(name)}|aggregation:{aggregation}",
    )


def _items(predictions: np.ndarray, key: str, name: str) -> list[Any]:
    """An example's value each; None of an example that the task does not score by this metric."""
    try:
        values = [json.loads(outcome)[VALUES] for outcome in predictions]
        items = [of_example.get(key) for of_example in values]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HarnessError(
            f"metric {name}: predictions must be outcomes of the library, as its tasks have them"
        ) from None
    if all(item is None for item in items):
        raise HarnessError(f"metric {name}: no example has a value '{key}'")
    return items


ItemsOf = Callable[["np.ndarray"], list[Any]]


@dataclass(frozen=True)
class Aggregation:
    """How values are put together, and on samples of them."""

    score: Callable[[Items], float]
    resample: Callable[[ItemsOf], Any]


def _looped(score: Callable[[Items], float]) -> Callable[[ItemsOf], Any]:
    """Samples of whatever function: each is scored anew."""

    def resample(items_of: ItemsOf) -> Any:
        def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
            import numpy as np

            items = items_of(predictions)

            def scored(weights: np.ndarray) -> np.ndarray:
                drawn = ([item for item, times in zip(items, row, strict=True) if item is not None
                          for _ in range(round(times))] for row in weights)  # fmt: skip
                return np.asarray([_or_nan(score, sample) for sample in drawn])

            return scored

        return by_weights(prepare)

    return resample


def _or_nan(score: Callable[[Items], float], sample: Items) -> float:
    """A score that is undefined on a sample is left out of an interval."""
    try:
        return float(score(sample)) if sample else math.nan
    except (ArithmeticError, ValueError):
        return math.nan


def _of_means(score: Callable[[np.ndarray], np.ndarray], width: int) -> Callable[[ItemsOf], Any]:
    """Samples of what is a function of sums of the values, or of pairs, and their number."""

    def resample(items_of: ItemsOf) -> Any:
        def statistics(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
            import numpy as np

            items = items_of(predictions)
            nothing = [0.0] * width
            rows = [
                nothing if item is None else [float(part) for part in (item if width > 1 else [item])] for item in items
            ]
            counted = [[float(item is not None)] for item in items]
            return np.hstack([np.asarray(rows), np.asarray(counted)])

        def of_sums(sums: np.ndarray) -> np.ndarray:
            import numpy as np

            with np.errstate(all="ignore"):
                return score(sums)

        return by_sums(statistics, of_sums)

    return resample


def _mean(items: Items) -> float:
    return sum(items) / len(items)


def _weighted_mean(items: Items) -> float:
    values, weights = zip(*items, strict=True)
    return sum(values) / sum(weights)


def _exp(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.exp(-sums[:, 0] / sums[:, 1])


def _classes(items: Items, score: str) -> float:
    import sklearn.metrics

    gold, predicted = zip(*items, strict=True)
    return float(getattr(sklearn.metrics, score)(gold, predicted))


def _brier(items: Items) -> float:
    import numpy as np

    gold, predicted = zip(*items, strict=True)
    probabilities = np.asarray(predicted)
    return float(np.mean(np.sum((probabilities - np.eye(probabilities.shape[1])[list(gold)]) ** 2, axis=1)))


def _median(items: Items) -> float:
    return sorted(items)[len(items) // 2]


def _nanmean(items: Items) -> float:
    known = [item for item in items if not math.isnan(item)]
    return fmean(known) if known else math.nan


def _texts(items: Items) -> tuple[list[str], list[list[str]]]:
    """Hypotheses, and the references in streams: the first of each, the second of each, …"""
    references = [[text] if isinstance(text, str) else list(text) for text, _ in items]
    written = [text if isinstance(text, str) else text[0] for _, text in items]
    return written, [list(stream) for stream in zip(*references, strict=False)]


def _of_texts(library: Callable[[], Any]) -> Aggregation:
    """A score of sacreBLEU's over all texts."""

    def resample(items_of: ItemsOf) -> Any:
        def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
            import numpy as np

            scorer = library()
            items = items_of(predictions)
            known = [item for item in items if item is not None]
            rows = np.asarray(scorer._extract_corpus_statistics(*_texts(known)), dtype=np.float64)
            statistics = np.zeros((len(items), rows.shape[1]))
            statistics[[at for at, item in enumerate(items) if item is not None]] = rows

            def scored(weights: np.ndarray) -> np.ndarray:
                return np.asarray(
                    [scorer._compute_score_from_stats(row.tolist()).score for row in weights @ statistics]
                )

            return scored

        return by_weights(prepare)

    return Aggregation(lambda items: float(library().corpus_score(*_texts(items)).score), resample)


def _sacrebleu(name: str, **settings: Any) -> Any:
    import sacrebleu.metrics

    return getattr(sacrebleu.metrics, name)(**settings)


def _log_2(sums: np.ndarray) -> np.ndarray:
    return -sums[:, 0] / sums[:, 1] / math.log(2)


AGGREGATIONS = {
    "mean": Aggregation(_mean, _of_means(lambda sums: sums[:, 0] / sums[:, 1], 1)),
    "nanmean": Aggregation(_nanmean, _looped(_nanmean)),
    "median": Aggregation(_median, _looped(_median)),
    "perplexity": Aggregation(lambda items: math.exp(-_mean(items)), _of_means(_exp, 1)),
    "weighted_perplexity": Aggregation(lambda items: math.exp(-_weighted_mean(items)), _of_means(_exp, 2)),
    "bits_per_byte": Aggregation(lambda items: -_weighted_mean(items) / math.log(2), _of_means(_log_2, 2)),
    "f1": Aggregation(partial(_classes, score="f1_score"), _looped(partial(_classes, score="f1_score"))),
    "matthews_corrcoef": Aggregation(
        partial(_classes, score="matthews_corrcoef"), _looped(partial(_classes, score="matthews_corrcoef"))
    ),
    "brier_score": Aggregation(_brier, _looped(_brier)),
    "bleu": _of_texts(partial(_sacrebleu, "BLEU")),
    "chrf": _of_texts(partial(_sacrebleu, "CHRF")),
    "chrf++": _of_texts(partial(_sacrebleu, "CHRF", word_order=2)),
    "ter": _of_texts(partial(_sacrebleu, "TER")),
}
SCALES: dict[str, tuple[float, float | None]] = {
    usual.aggregation: (usual.low, usual.high) for usual in USUAL.values() if usual.aggregation != "mean"
}


def _aggregation(name: str, metric: str) -> Aggregation:
    if name in AGGREGATIONS:
        return AGGREGATIONS[name]
    if "/" not in name and "." not in name:
        raise unknown("aggregation", name, AGGREGATIONS, f"metric {metric}")
    score = _function(name, metric)
    return Aggregation(score, _looped(score))


def function_name(function: Callable[..., Any]) -> str | None:
    """What a function of one of the package's own tasks is called here; None of another one."""
    file = Path(function.__code__.co_filename) if hasattr(function, "__code__") else None
    root = tasks_folder()
    if file is None or root is None or not file.is_relative_to(root):
        return None
    return f"{file.relative_to(root).with_suffix('').as_posix()}.{function.__name__}"


def _function(name: str, metric: str) -> Callable[[Items], float]:
    """A function of one of the package's own tasks, by its file there and its name."""
    require()
    root = tasks_folder()
    assert root is not None
    file, _, function = name.rpartition(".")
    path = (root / f"{file}.py").resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise HarnessError(f"metric {metric}: lm_eval has no function {name}")
    from lm_eval.tasks._yaml_loader import _import_fun_from_str

    try:
        score = _import_fun_from_str(f"{root / file}.{function}")
    except Exception as error:
        raise HarnessError(f"metric {metric}: lm_eval has no function {name}: {reason_of(error)}") from None

    def checked(items: Items) -> float:
        return float(score(items))

    return checked
