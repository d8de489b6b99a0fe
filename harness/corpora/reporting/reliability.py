"""How far a corpus can be relied on: where it is from, personal data, gibberish, advertising, repetition."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import regex

from harness.corpora.reporting.facts import (
    Advertising,
    Gibberish,
    MetadataFacts,
    Outliers,
    PersonalData,
    Reliability,
    Repetition,
    ScoredExcerpt,
    rounded,
)
from harness.corpora.reporting.survey import DATES, Survey
from harness.corpora.streams.counting import Excerpt
from harness.stats.bootstrap import wilson

ORDER = 4
"""Characters before the one that is predicted."""
LEAST, MOST = 40, 1_000
"""Characters of a document that the model reads; shorter ones are not judged."""
FAR = 5.0
"""Median absolute deviations (in the units of a standard deviation) beyond which a document is unlike the rest."""
ADVERTISING = regex.compile(
    r"(?i)\b(?:click here|buy now|order now|add to cart|free shipping|subscribe (?:now|today)|sign up (?:now|free)"
    r"|limited time offer|act now|call now|best price|cheap \w+ online|no credit check|work from home|100% free"
    r"|casino|viagra|cialis|payday loans?|weight loss pills?|lowest prices?|money back guarantee)\b"
)
LINK = regex.compile(r"https?://|www\.")


def reliability(survey: Survey) -> Reliability:
    """What a report says of a corpus's reliability, by its survey and the survey's sample."""
    n = survey.documents
    return Reliability(
        metadata=metadata(survey),
        personal_data=PersonalData(
            documents=survey.with_pii,
            fraction=round(survey.with_pii / n, 5),
            counts=dict(survey.pii.most_common()),
            examples={kind: survey.examples.by_kind.get(kind, []) for kind in survey.pii},
        ),
        gibberish=gibberish(survey),
        advertising=advertising(survey),
        repetition=Repetition(
            documents=survey.repetitive.total(),
            fraction=round(survey.repetitive.total() / n, 5),
            reasons=dict(survey.repetitive.most_common()),
            examples=survey.examples.by_kind.get("repetition", []),
            rule="gopher-repetition (arXiv 2112.11446, Table A1), of documents of 200 characters and more",
        ),
    )


def metadata(survey: Survey) -> dict[str, MetadataFacts]:
    """Of each field of the records that says where a text is from: the values, the most frequent first; of dates the
    years.
    """
    result: dict[str, MetadataFacts] = {}
    for name, frequent in survey.metadata.items():
        counts = frequent.counts
        values = sorted(counts.items()) if name in DATES else counts.most_common(20)
        result[name] = MetadataFacts(known=counts.total(), distinct=len(counts), values=values[:60])
    return result


class CharacterModel:
    """Probabilities of a character after the four before it, interpolated over shorter contexts by Witten and Bell
    (1991), as in Chen and Goodman (1998).
    """

    def __init__(self) -> None:
        self._follow: dict[str, int] = Counter()
        self._before: dict[str, int] = Counter()
        self._kinds: dict[str, int] = Counter()
        self._letters: set[str] = set()

    def learn(self, text: str) -> None:
        """Count a text."""
        self._letters.update(text)
        for at in range(len(text)):
            for order in range(min(ORDER, at) + 1):
                context, whole = text[at - order : at], text[at - order : at + 1]
                self._before[context] += 1
                if self._follow[whole] == 0:
                    self._kinds[context] += 1
                self._follow[whole] += 1

    def bits(self, text: str) -> float:
        """Bits a character of a text."""
        uniform = 1.0 / (len(self._letters) + 1)
        total = 0.0
        for at in range(len(text)):
            probability = uniform
            for order in range(min(ORDER, at) + 1):
                context = text[at - order : at]
                before = self._before.get(context, 0)
                if not before:
                    break
                kinds = self._kinds[context]
                seen = self._follow.get(text[at - order : at + 1], 0)
                probability = (seen + kinds * probability) / (before + kinds)
            total -= math.log2(probability)
        return total / len(text)


def gibberish(survey: Survey, most: int = 400) -> Gibberish | None:
    """Documents of the sample that the rest of it does not predict, and those it predicts too well.

    Bits a character by a model of the other half of the sample, so that no document is judged by itself. High: random
    letters, other languages, codes. Low: text made by a template, or that repeats itself. None of fewer than 40.
    """
    items = [item for item in survey.sample.items if len(item.text) >= LEAST][:most]
    if len(items) < 40:
        return None
    texts = [item.text[:MOST] for item in items]
    bits = np.zeros(len(items))
    for half in (0, 1):
        model = CharacterModel()
        for text in texts[1 - half :: 2]:
            model.learn(text)
        bits[half::2] = [model.bits(text) for text in texts[half::2]]
    middle = float(np.median(bits))
    spread = max(1.4826 * float(np.median(np.abs(bits - middle))), 0.05)
    high = [int(at) for at in np.flatnonzero(bits > middle + FAR * spread)]
    low = [int(at) for at in np.flatnonzero(bits < middle - FAR * spread)]

    def outliers(indices: Sequence[int], sign: int) -> Outliers:
        first = sorted(indices, key=lambda at: -sign * bits[at])[:5]
        examples = [
            ScoredExcerpt(place=items[at].place, text=texts[at][:160], bits=round(float(bits[at]), 2)) for at in first
        ]
        return Outliers(count=len(indices), interval=rounded(wilson(len(indices), len(items))), examples=examples)

    return Gibberish(
        n=len(items),
        median_bits_per_character=round(middle, 3),
        unlike_the_rest=outliers(high, 1),
        too_predictable=outliers(low, -1),
    )


def advertising(survey: Survey) -> Advertising:
    """Documents of the sample with two or more phrases of English advertising, or a link in every 20 words."""
    flagged = []
    n = len(survey.sample.items)
    for item in survey.sample.items:
        text = item.text
        phrases = len(ADVERTISING.findall(text))
        links = len(LINK.findall(text))
        if phrases >= 2 or (links >= 3 and 20 * links > len(text.split())):
            flagged.append(Excerpt(place=item.place, text=text[:160]))
    return Advertising(n=n, count=len(flagged), interval=rounded(wilson(len(flagged), n)), examples=flagged[:5])
