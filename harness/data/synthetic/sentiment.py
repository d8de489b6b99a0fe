"""Reviews, good or bad. Words carry valence; negation turns it, and in contrast the main clause decides."""

from __future__ import annotations

from typing import NamedTuple

from harness.data.synthetic.concepts import listed
from harness.data.synthetic.invent import Scope, held_out
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row

ASPECTS = {
    "film": "film plot acting ending dialogue soundtrack",
    "meal": "meal soup dessert sauce service bread",
    "hotel": "hotel room breakfast view staff bed",
    "book": "book story style hero chapter cover",
    "concert": "concert band singer music sound crowd",
    "course": "course teacher homework lecture exam handout",
}
GOOD = listed(
    "good great wonderful brilliant lovely superb delightful charming impressive perfect pleasant excellent enjoyable "
    "fine splendid remarkable"
)
BAD = listed(
    "bad awful terrible dull boring poor dreadful disappointing annoying weak horrible mediocre tedious unpleasant "
    "clumsy forgettable"
)
VIRTUES = listed("charm warmth depth quality grace energy")
FAULTS = listed("flaws mistakes problems gaps errors weaknesses")
DEGREES = ("", "", "very ", "really ", "rather ", "quite ", "truly ")
EXTREMES = listed(
    "great wonderful brilliant superb perfect excellent splendid remarkable awful terrible dreadful horrible mediocre"
)
DEGREES_OF_EXTREMES = ("", "", "really ", "quite ", "truly ", "simply ")
DENIALS = ("was not {}", "was never {}", "was hardly {}", "was far from {}", "was anything but {}")
CONTRASTS = (
    "{minor}, but {main}",
    "although {minor}, {main}",
    "{main}, although {minor}",
    "{minor}; still, {main}",
)
ADDITIONS = ("{minor}, and {main}", "{main}, and {minor}")


class Opinion(NamedTuple):
    aspect: str
    word: str
    denied: bool


def valence(opinion: Opinion) -> int:
    base = 1 if opinion.word in GOOD or opinion.word in VIRTUES else -1
    return -base if opinion.denied else base


def sentiment_of(main: Opinion) -> str:
    return "positive" if valence(main) > 0 else "negative"


def _clause(rng: Rng, opinion: Opinion, there: bool) -> str:
    aspect, word, denied = opinion
    if word in VIRTUES or word in FAULTS:
        without = ("lacked", "was without", "had no") if word in VIRTUES else ("was free of", "was without", "had no")
        verbs = without if denied else ("had some", "was full of", "showed")
        return f"the {aspect} {rng.choice(verbs)} {word}"
    if denied:
        return f"the {aspect} {rng.choice(DENIALS).format(word)}"
    degree = rng.choice(DEGREES_OF_EXTREMES if word in EXTREMES else DEGREES)
    if there and rng.chance(0.3):
        return f"I found the {aspect} {degree}{word}"
    verb = rng.choice(("was", "was", "seemed", "turned out to be"))
    return f"the {aspect} {verb} {degree}{word}"


def _opinion(rng: Rng, scope: Scope, topic: str, sign: int, other_than: str = "") -> Opinion:
    while True:
        aspect = rng.choice(ASPECTS[topic].split())
        denied = rng.chance(0.18)
        good = (sign > 0) != denied
        word = rng.choice((VIRTUES if good else FAULTS) if rng.chance(0.2) else (GOOD if good else BAD))
        if aspect != other_than and (scope.held_out is None or held_out(aspect, word) == scope.held_out):
            return Opinion(aspect, word, denied)


OPENINGS = ("", "", "", "Honestly, ", "To my mind, ", "All in all, ", "On {}, ")


def make(rng: Rng, scope: Scope, label: str) -> Row:
    return review(rng, scope, rng.choice(tuple(ASPECTS)), label)


def review(rng: Rng, scope: Scope, topic: str, label: str) -> Row:
    sign = 1 if label == "positive" else -1
    main = _opinion(rng, scope, topic, sign)
    spoken = _clause(rng, main, there=True)
    combinations = [(main.aspect, main.word)]
    form = rng.index(10)
    if form < 4:
        contrast = form < 2
        minor = _opinion(rng, scope, topic, -sign if contrast else sign, main.aspect)
        combinations.append((minor.aspect, minor.word))
        pattern = rng.choice(CONTRASTS if contrast else ADDITIONS)
        spoken = pattern.format(main=spoken, minor=_clause(rng, minor, there=False))
    opening = rng.choice(OPENINGS).format(rng.choice(("Friday", "Sunday", "Monday", "Saturday")))
    sentence = opening + spoken + "."
    return Row((sentence[0].upper() + sentence[1:],), sentiment_of(main), tuple(combinations))
