"""Bootstrap samples of a metric, many at once (Efron & Tibshirani 1993, chapter 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CHUNK_VALUES = 2_000_000
"""Drawn counts held at once: 16 MB, and some 100 MB with what is made of them."""


@dataclass(frozen=True)
class Resampler:
    """Called with predictions, references, a generator and b, it draws b samples and gives their scores (b,).

    `prepare(predictions, references)` gives a function from samples drawn elsewhere to their scores: from how often
    each example is in them, (b, n), to (b,). So several predictions of the same examples can be scored on the same
    samples.
    """

    draw: Callable[[np.ndarray, np.ndarray, np.random.Generator, int], np.ndarray]
    prepare: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]

    def __call__(
        self, predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int
    ) -> np.ndarray:
        return self.draw(predictions, references, random, b)


OfCounts = Callable[["np.ndarray", "np.ndarray", "np.ndarray"], "np.ndarray"]
"""A metric of class ids that needs no more than three counts for each class: from how many examples are right, truly
of the class, and predicted to be, (b, k) each, to scores (b,); columns 0 and 1 are the classes 0 and 1.
"""


def of_sample(score: OfCounts) -> Callable[[np.ndarray, np.ndarray], float]:
    """The metric of predictions and references as they are."""

    def compute(predictions: np.ndarray, references: np.ndarray) -> float:
        import numpy as np

        cells, places, k = _table(predictions, references)
        return float(_of_draws(score, np.bincount(cells)[None], places, k)[0])

    return compute


def by_counts(score: OfCounts) -> Resampler:
    """Resampling for metrics of counts.

    Drawing n examples with replacement draws the cells of the confusion table from a multinomial: the same
    distribution, without touching examples.
    """

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        import numpy as np

        n = len(references)
        cells, places, k = _table(predictions, references)
        counts = np.bincount(cells)
        scores = [
            _of_draws(score, random.multinomial(n, counts / n, size=rows), places, k)
            for rows in chunks(b, max(len(counts), 3 * k))
        ]
        return np.concatenate(scores)

    def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        import numpy as np

        cells, places, k = _table(predictions, references)
        is_in = np.eye(len(places))[cells]
        return lambda weights: _of_draws(score, weights @ is_in, places, k)

    return Resampler(resample, prepare)


def _table(predictions: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]], int]:
    """The cell of each example in the confusion table, (n,); the cells' rows and columns; how many classes."""
    import numpy as np

    classes = np.unique(np.concatenate([[0, 1], predictions, references]))
    k = len(classes)
    places = np.searchsorted(classes, references) * k + np.searchsorted(classes, predictions)
    cells, cell_of_row = np.unique(places, return_inverse=True)
    return cell_of_row, list(zip(*(part.tolist() for part in divmod(cells, k)), strict=True)), k


def _of_draws(score: OfCounts, draws: np.ndarray, places: list[tuple[int, int]], k: int) -> np.ndarray:
    import numpy as np

    right, true, predicted = np.zeros((3, k, len(draws)))
    for (reference, prediction), drawn in zip(places, draws.T, strict=True):
        true[reference] += drawn
        predicted[prediction] += drawn
        if reference == prediction:
            right[reference] += drawn
    return score(right.T, true.T, predicted.T)


def by_weights(prepare: Callable[..., Callable[[np.ndarray], np.ndarray]]) -> Resampler:
    """Resampling for metrics that can count an example several times.

    `prepare(predictions, references)` does once what no sample changes, and gives a function from how often each
    example was drawn, (b, n), to scores (b,).
    """

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        return _drawn(prepare(predictions, references), len(references), random, b)

    return Resampler(resample, prepare)


def by_sums(
    statistics: Callable[[np.ndarray, np.ndarray], np.ndarray], score: Callable[[np.ndarray], np.ndarray]
) -> Resampler:
    """Resampling for metrics that are a function of sums over examples.

    `statistics(predictions, references)` gives the statistics (n, k) of each example, once; `score` maps their sums
    over samples (b, k) to scores (b,).
    """

    def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        terms = statistics(predictions, references)
        return lambda weights: score(weights @ terms)

    return by_weights(prepare)


def by_mean(values: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Resampler:
    """Resampling for metrics that are the mean of a value of each example: `values(predictions, references)`, (n,)."""

    def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        terms = values(predictions, references)
        return lambda weights: weights @ terms / len(terms)

    return by_weights(prepare)


JACKKNIFE = "the jackknife's linear approximation"


def by_jackknife(
    leave_one_out: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
) -> Callable[..., np.ndarray]:
    """Resampling for metrics of a whole collection of texts, in which a text drawn twice would count as repetition.

    `leave_one_out(predictions, references)` gives the score of the m texts it looks at, and their scores (m,) without
    each of them. What a text adds to the score, its influence, is (m - 1) times how far leaving it out takes the score
    from the mean of those scores; a sample's score is the score plus the mean influence of the texts drawn. That is the
    bootstrap of the jackknife's linear approximation (Efron & Tibshirani 1993, chapter 20), and for a mean the
    bootstrap itself. A score may lie off the metric's scale.
    """

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        value, without = leave_one_out(predictions, references)
        m = len(without)
        influence = (m - 1) * (without.mean() - without) / m
        return _drawn(lambda weights: value + weights @ influence, m, random, b)

    return resample


def _drawn(score: Callable[[np.ndarray], np.ndarray], n: int, random: np.random.Generator, b: int) -> np.ndarray:
    """Scores (b,) of samples of n of n examples, given to `score` as weights (rows, n)."""
    import numpy as np

    return np.concatenate([score(weights) for weights in samples(n, random, b)])


def samples(n: int, random: np.random.Generator, b: int) -> Iterator[np.ndarray]:
    """How often each of n examples is drawn in b samples, (rows, n) at a time."""
    import numpy as np

    for rows in chunks(b, n):
        drawn = random.integers(0, n, (rows, n))
        drawn += n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def chunks(b: int, values: int) -> list[int]:
    """Sizes that add up to b, so that a chunk of samples of so many values each fits."""
    size = max(1, CHUNK_VALUES // values)
    return [min(size, b - start) for start in range(0, b, size)]


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise quotient, 0 where the denominator is 0."""
    import numpy as np

    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=np.float64), where=denominator != 0)
