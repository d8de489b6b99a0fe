"""What a metric is: a score of predictions against references, what chance scores, and how to resample it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.core.grouped import grouped, groups_of
from harness.core.iob import IOB, NO_IOB

if TYPE_CHECKING:
    import numpy as np

Inputs = Literal["labels", "values", "texts", "likelihoods", "tags", "log-odds", "last-words", "outcomes", "ranks"]
Score = Callable[["np.ndarray", "np.ndarray"], float]
Resample = Callable[["np.ndarray", "np.ndarray", "np.random.Generator", int], "np.ndarray"]


SINGLE_REFERENCE = {
    "likelihoods": "the text whose likelihood it is",
    "tags": "the tags of one text",
    "ranks": "the item",
}
"""Inputs that take one reference each, and what it is."""


def no_chance(references: np.ndarray) -> None:
    """For metrics of which nobody knows the best prediction that does not look at its input."""
    return None


def examples(predictions: np.ndarray, references: np.ndarray) -> int:
    """How many are drawn where a score is the mean of a value of each example."""
    return len(references)


@dataclass(frozen=True)
class Metric:
    """A metric, computed by a well-kept library.

    `inputs` says what predictions (n,) and references (n,) are:

    - labels: class ids from 0 on, both;
    - values: floats, both;
    - texts: strings; for each a tuple of strings that count as right, which `references` says may be empty (a question
      without answer) or not, or else are not looked at;
    - likelihoods: log-likelihoods in nats; for each a tuple that holds the text itself;
    - tags: those of a text's words, joined by spaces; for each a tuple that holds the right ones, of the same words;
    - log-odds: by how many nats the right one of two texts is likelier; references are not looked at;
    - last-words: JSON of a word's log-likelihood and of whether it is the likeliest; references are not looked at;
    - outcomes: JSON of a task library's, which holds what the references say as well;
    - ranks: JSON of the ranks of an item and its captions (`harness.core.ranks.Ranks`); for each a tuple that names the
      item.

    `low` and `high` bound the scale; a `high` of None: there is no bound. `compute` scores checked predictions against
    checked references. `chance` is what the best predictor scores that does not look at its input, given the
    references, and None where that is unknown. `resample(predictions, references, random, b)` gives the scores (b,) of
    b bootstrap samples; left out, a plain loop over `compute` does; `approximation` names what they are samples of
    where that is not the score itself. `counts_successes`: the score is the fraction of examples that are right. Else
    `right(predictions, references)` tells (n,) which are, where examples are right or wrong and yet not drawn one by
    one. `draws(predictions, references)` is of how many things that are drawn the score is a fraction, or the mean of
    a value between 0 and 1 of each: samples of them say nothing where it is 0 or 1. `counts_groups`: the score is the
    fraction of groups of examples (`harness.core.grouped`) that are right in all of them.
    `signature` tells the settings and the library behind a score, so that others can compute the same. A change of
    `version` means that scores before and after must not be compared.
    """

    name: str
    version: int
    inputs: Inputs
    low: float
    high: float | None
    compute: Score
    chance: Callable[[np.ndarray], float | None]
    resample: Resample | None = None
    greater_is_better: bool = True
    counts_successes: bool = False
    right: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    draws: Callable[[np.ndarray, np.ndarray], int] | None = None
    counts_groups: bool = False
    references: Literal["needed", "may be empty", "unused"] = "needed"
    approximation: str = ""
    signature: str = ""

    def score(self, predictions: np.ndarray | Sequence[Any], references: np.ndarray | Sequence[Any] | None) -> float:
        """The checked score.

        Raises:
            HarnessError: what `check` refuses; or a score that is not finite.
        """
        predictions, references = self.check(predictions, references)
        value = float(self.compute(predictions, references))
        if not math.isfinite(value):
            raise HarnessError(f"metric {self.name}: the score is {value}; a metric must give a finite number")
        return value

    def drawn(self, predictions: np.ndarray, references: np.ndarray) -> int | None:
        """Of how many things that are drawn the score is a fraction; None where it is none."""
        if self.counts_successes:
            return len(references)
        return None if self.draws is None else self.draws(predictions, references)

    def signed(self, references: np.ndarray) -> str:
        """The signature of a score against checked references, which begins with how many each prediction has, as
        sacreBLEU writes it: nrefs:1, or nrefs:var where they have different numbers. Empty without a signature.
        """
        if not self.signature or self.references == "unused":
            return self.signature
        counts = {len(answers) for answers in references}
        return f"nrefs:{counts.pop() if len(counts) == 1 else 'var'}|{self.signature}"

    def check(
        self, predictions: np.ndarray | Sequence[Any], references: np.ndarray | Sequence[Any] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both as arrays of equal length n ≥ 1: class ids as int64, finite numbers, strings as objects, references of
        texts and likelihoods as objects, a tuple of strings each. Where references are unused, the tuples are empty.

        Raises:
            HarnessError: nothing to score; unequal lengths; predictions or references that are not what `inputs` says,
                which for log-likelihoods includes those above 0; a prediction without a reference that needs one; no
                groups where groups are scored.
        """
        if self.counts_groups:
            groups = groups_of(references)
            if groups is None:
                raise HarnessError(f"metric {self.name}: its examples are in no groups; a task's grouped_by names them")
            predictions, plain = self._check_numbers(predictions, references)
            return predictions, grouped(plain, groups)
        if self.references == "unused":
            references = [()] * len(predictions)
        if references is None:
            raise HarnessError(f"metric {self.name}: no references to score against")
        if self.inputs in ("labels", "values"):
            return self._check_numbers(predictions, references)
        if len(predictions) != len(references):
            raise HarnessError(
                f"metric {self.name}: {len(predictions)} predictions for {len(references)} references; it takes one "
                "prediction for each reference"
            )
        if len(references) == 0:
            raise HarnessError(f"metric {self.name}: nothing to score, no examples")
        if self.inputs == "log-odds":
            return self._check_odds(predictions), self._check_references(references)
        if self.inputs == "likelihoods":
            return self._check_likelihoods(predictions), self._check_references(references)
        checked, true = self._check_texts(predictions), self._check_references(references)
        if self.inputs == "tags":
            self._check_tags(checked, true)
        return checked, true

    def _check_numbers(self, predictions: Any, references: Any) -> tuple[np.ndarray, np.ndarray]:
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
            self._check_finite(what, values)
            if self.inputs == "labels":
                bad = int(((values < 0) | (values != np.floor(values))).sum())
                if bad:
                    raise HarnessError(
                        f"metric {self.name}: {bad} of {len(values)} {what} are no class ids, which are 0, 1, 2, …"
                    )
        if self.inputs == "labels":
            return predictions.astype(np.int64), references.astype(np.int64)
        return predictions, references

    def _check_finite(self, what: str, values: np.ndarray) -> None:
        import numpy as np

        if values.dtype.kind not in "iufb":
            raise HarnessError(f"metric {self.name}: {what} must be numbers, found {values.dtype}")
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise HarnessError(f"metric {self.name}: {bad} of {len(values)} {what} are not finite")

    def _check_texts(self, predictions: Any) -> np.ndarray:
        wrong = [(at, prediction) for at, prediction in enumerate(predictions) if not isinstance(prediction, str)]
        if isinstance(predictions, str) or wrong:
            at, wrong_value = wrong[0] if wrong else (None, predictions)
            where = "" if at is None else f" at {at}"
            raise HarnessError(
                f"metric {self.name}: predictions must be strings, found {type(wrong_value).__name__}{where}"
            )
        return _objects(predictions)

    def _check_odds(self, predictions: Any) -> np.ndarray:
        import numpy as np

        values = np.asarray(predictions)
        if values.ndim != 1:
            raise HarnessError(f"metric {self.name}: predictions of shape {values.shape}; it takes one for each text")
        self._check_finite("predictions", values)
        return values.astype(np.float64)

    def _check_likelihoods(self, predictions: Any) -> np.ndarray:
        values = self._check_odds(predictions)
        bad = int((values > 0).sum())
        if bad:
            raise HarnessError(
                f"metric {self.name}: {bad} of {len(values)} predictions are above 0; it takes log-likelihoods, and "
                "the logarithm of a probability is at most 0"
            )
        return values

    def _check_tags(self, predictions: np.ndarray, references: np.ndarray) -> None:
        for at, (predicted, (true,)) in enumerate(zip(predictions, references, strict=True)):
            counts = len(predicted.split()), len(true.split())
            if counts[0] != counts[1]:
                raise HarnessError(
                    f"metric {self.name}: {counts[0]} tags for {counts[1]} words at {at}; it takes one for each word"
                )
            for what, tags in (("prediction", predicted), ("reference", true)):
                if wrong := next((tag for tag in tags.split() if not IOB.fullmatch(tag)), None):
                    raise HarnessError(f"metric {self.name}: the tag '{wrong}' in the {what} at {at} is {NO_IOB}")

    def _check_references(self, references: Any) -> np.ndarray:
        import numpy as np

        for at, answers in enumerate(references):
            if not isinstance(answers, tuple | list | np.ndarray):
                raise HarnessError(
                    f"metric {self.name}: references must be a tuple of strings for each prediction, found "
                    f"{type(answers).__name__} at {at}"
                )
            for text in answers:
                if not isinstance(text, str):
                    raise HarnessError(
                        f"metric {self.name}: references must be strings, found {type(text).__name__} in the tuple at "
                        f"{at}"
                    )
        counts = [len(answers) for answers in references]
        if self.references == "needed" and 0 in counts:
            raise HarnessError(
                f"metric {self.name}: {counts.count(0)} of {len(counts)} predictions have no reference, the first at "
                f"{counts.index(0)}; it needs at least one for each"
            )
        if self.inputs in SINGLE_REFERENCE and max(counts) > 1:
            at = next(at for at, count in enumerate(counts) if count > 1)
            single = SINGLE_REFERENCE[self.inputs]
            raise HarnessError(f"metric {self.name}: {counts[at]} references at {at}; it takes one, {single}")
        return _objects([self._written(answers) for answers in references])

    def _written(self, references: Any) -> tuple[str, ...]:
        """Without blank references that stand beside others. They are padding: in BLEU they would be the nearest in
        length to any short prediction, and switch its brevity penalty off.
        """
        if self.references != "needed" or self.inputs != "texts":
            return tuple(references)
        return tuple(text for text in references if text.strip()) or tuple(references)


def _objects(values: Sequence[Any]) -> np.ndarray:
    """An array (n,) of objects, also where they have lengths of their own."""
    import numpy as np

    return np.fromiter(values, dtype=object, count=len(values))
