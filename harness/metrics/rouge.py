"""ROUGE-1, -2, -L and -Lsum (Lin 2004), F-measures by Google's rouge-score with its stemmer, as papers on summarization
report them. A text's score is that against its best reference, the corpus's is the mean.

ROUGE-Lsum matches sentence by sentence: sentences end at line breaks, and as `sentences` finds them within lines.

rouge-score knows the letters a–z and digits only, and finds nothing in a text of another script. Here its words are
those of text in Latin letters, where other letters, such as é, separate words, so that scores are the published ones;
in other scripts words are what Unicode calls letters, marks and digits between all else, in lower case and NFC, and a
character is a word of its own in Chinese, Japanese, Thai, Lao, Burmese and Khmer.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache, partial
from importlib.metadata import version

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

from harness.metrics.base import Metric, examples, no_chance
from harness.metrics.resampling import by_mean
from harness.metrics.words import NOT_LATIN

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")

_CAPITAL = r"""\s+(?=["'“‘«(\[]*[^\W_a-zß-öø-ÿ])"""
_SENTENCE_END = re.compile(
    rf"""(?<=[.!?]){_CAPITAL}|(?<=[.!?]["'”’»)\]]){_CAPITAL}|(?<=[。！？])(?![。！？”’」』）])|(?<=[。！？][”’」』）])|(?<=[।॥؟۔።])\s+"""
)


class ScriptTokenizer(Tokenizer):
    """rouge-score's own tokens of what is written in Latin letters, and words and characters of other scripts."""

    def __init__(self) -> None:
        self._default = DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        if text.isascii():
            return self._default.tokenize(text)
        pieces = NOT_LATIN.split(text)
        return [
            token
            for at, piece in enumerate(pieces)
            for token in ([unicodedata.normalize("NFC", piece.lower())] if at % 2 else self._default.tokenize(piece))
        ]


def sentences(text: str) -> list[str]:
    """Sentences of a text: its lines, cut after . ! ? where white space and no small letter follow, and after 。！？.

    A rule without a list of abbreviations ("Dr. Who" is cut in two), and so the same everywhere, as trained splitters
    are not.
    """
    stripped = (sentence.strip() for line in text.split("\n") for sentence in _SENTENCE_END.split(line))
    return [sentence for sentence in stripped if sentence]


_scorer = RougeScorer(KINDS, tokenizer=ScriptTokenizer())


@lru_cache(maxsize=2**16)
def _of_text(prediction: str, references: tuple[str, ...]) -> tuple[float, ...]:
    """All kinds at once, and cached: they share the work, and a score's interval needs them again."""
    lines = ["\n".join(sentences(text)) for text in (prediction, *references)]
    scores = _scorer.score_multi(lines[1:], lines[0])
    return tuple(scores[kind].fmeasure for kind in KINDS)


def of_texts(predictions: np.ndarray, references: np.ndarray, kind: str) -> np.ndarray:
    """(n,): each prediction's F-measure."""
    at = KINDS.index(kind)
    return np.asarray([_of_text(*pair)[at] for pair in zip(predictions, references, strict=True)])


def _metric(kind: str) -> Metric:
    values = partial(of_texts, kind=kind)
    return Metric(
        name=kind,
        version=1,
        inputs="texts",
        low=0.0,
        high=1.0,
        compute=lambda predictions, references: values(predictions, references).mean(),
        chance=no_chance,
        resample=by_mean(values),
        draws=examples,
        signature=f"stem:porter|tok:rouge-score+unicode|version:{version('rouge-score')}",
    )


ROUGE_1 = _metric("rouge1")
ROUGE_2 = _metric("rouge2")
ROUGE_L = _metric("rougeL")
ROUGE_LSUM = _metric("rougeLsum")
