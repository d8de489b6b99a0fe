"""How well the last word of a text is told (Paperno et al. 2016; Radford et al. 2019), as lm-evaluation-harness counts:
accuracy is the fraction of texts whose word is written by greedy decoding, token by token; perplexity is e to the mean
negative log-likelihood of a word, whatever its length.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.metrics.base import Metric, no_chance
from harness.metrics.resampling import by_mean, by_sums

NATS, GREEDY = "log_likelihood", "greedy"


def written(nats: float, greedy: bool) -> str:
    """A prediction of a last word."""
    return json.dumps({NATS: nats, GREEDY: greedy})


def _read(predictions: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for at, text in enumerate(predictions):
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        nats = row.get(NATS) if isinstance(row, dict) else None
        is_number = isinstance(nats, int | float) and math.isfinite(nats) and nats <= 0
        if not (is_number and isinstance(row.get(GREEDY), bool)):
            raise HarnessError(
                f"the prediction at {at} is {str(text)[:60]!r}; that of a last word is {written(-1.5, True)}"
            )
        rows.append(row)
    return rows


def greedy(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n,): 1 where greedy decoding writes the word."""
    return np.asarray([float(row[GREEDY]) for row in _read(predictions)])


def nats(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n, 2): the negative log-likelihood of each word, and 1."""
    return np.asarray([[0.0 - row[NATS], 1.0] for row in _read(predictions)])


def perplexity(sums: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.exp(sums[:, 0] / sums[:, 1])


ACCURACY = Metric(
    name="last_word_accuracy",
    version=1,
    inputs="last-words",
    references="unused",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: greedy(predictions, references).mean(),
    chance=no_chance,
    counts_successes=True,
    resample=by_mean(greedy),
)

PERPLEXITY = Metric(
    name="last_word_perplexity",
    version=1,
    inputs="last-words",
    references="unused",
    low=1.0,
    high=None,
    compute=lambda predictions, references: float(perplexity(nats(predictions, references).sum(axis=0)[None])[0]),
    chance=no_chance,
    resample=by_sums(nats, perplexity),
    greater_is_better=False,
)
