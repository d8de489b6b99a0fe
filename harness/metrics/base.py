"""What a metric is: a score of predictions against references, what chance scores, and how to resample it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np

Score = Callable[["np.ndarray", "np.ndarray"], float]
Resample = Callable[["np.ndarray", "np.ndarray", "np.random.Generator", int], "np.ndarray"]


@dataclass(frozen=True)
class Metric:
    """A metric, computed by a well-kept library.

    `inputs` says what predictions and references are: class ids from 0 on, or floats. `low` and `high` bound the scale.
    `compute` scores predictions (n,) against references (n,). `chance` is what the best predictor scores that does not
    look at its input, given the references. `resample(predictions, references, random, b)` gives the scores (b,) of b
    bootstrap samples; left out, a plain loop over `compute` does. `counts_successes`: the score is the share of
    examples that are right. A change of `version` means that scores before and after must not be compared.
    """

    name: str
    version: int
    inputs: Literal["labels", "values"]
    low: float
    high: float
    compute: Score
    chance: Callable[[np.ndarray], float]
    resample: Resample | None = None
    greater_is_better: bool = True
    counts_successes: bool = False

    def score(self, predictions: np.ndarray, references: np.ndarray) -> float:
        """The checked score.

        Raises:
            HarnessError: nothing to score, unequal lengths, values that are not finite numbers or, for `labels`, not
                class ids; or a score that is not finite.
        """
        predictions, references = self.check(predictions, references)
        value = float(self.compute(predictions, references))
        if not math.isfinite(value):
            raise HarnessError(f"metric {self.name}: the score is {value}; a metric must give a finite number")
        return value

    def check(self, predictions: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both as arrays of equal length n ≥ 1 of finite numbers, class ids as int64. Raises HarnessError."""
        import numpy as np

        predictions, references = np.asarray(predictions), np.asarray(references)
        if predictions.shape != references.shape or predictions.ndim != 1:
            raise HarnessError(
                f"metric {self.name}: predictions of shape {predictions.shape} for references of shape "
                f"{references.shape}; it takes one prediction for each reference"
            )
        if len(references) == 0:
            raise HarnessError(f"metric {self.name}: nothing to score, no examples")
        for what, values in (("predictions", predictions), ("references", references)):
            if values.dtype.kind not in "iufb":
                raise HarnessError(f"metric {self.name}: {what} must be numbers, found {values.dtype}")
            bad = int((~np.isfinite(values)).sum())
            if bad:
                raise HarnessError(f"metric {self.name}: {bad} of {len(values)} {what} are not finite")
            if self.inputs == "labels":
                bad = int(((values < 0) | (values != np.floor(values))).sum())
                if bad:
                    raise HarnessError(
                        f"metric {self.name}: {bad} of {len(values)} {what} are no class ids, which are 0, 1, 2, …"
                    )
        if self.inputs == "labels":
            return predictions.astype(np.int64), references.astype(np.int64)
        return predictions, references
