"""Passages of happenings, with the place in the text of everything told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.data.synthetic.english import Word, text
from harness.data.synthetic.english_words import noun_words, plural
from harness.data.synthetic.meaning import CIRCUMSTANCES, PARTICIPANTS, Event, Thing
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.stories import Teller

CONNECTIVE_FRACTION = 0.2


class Span(NamedTuple):
    """Characters of a text, from the first to before the last."""

    start: int
    end: int


Spans = dict[str, list[Span]]
"""What is told of a happening, by role (`number-ROLE` for how many), the best place first."""


class Passage(NamedTuple):
    text: str
    events: tuple[Event, ...]
    spans: tuple[Spans, ...]
    """One per event."""


def tell(rng: Rng, events: Sequence[Event]) -> Passage:
    """The events one after another, a sentence each.

    Where somebody is `he` or `she`, the place of who it is is the one before, in the words that name them.
    """
    teller = Teller(rng)
    written = ""
    spans: list[Spans] = []
    named: dict[str, list[Span]] = {}
    for happened in events:
        words = teller.sentence(happened, connective=CONNECTIVE_FRACTION)
        written += " " if written else ""
        spans.append(_spans(words, happened, len(written), named))
        written += text(words)
    for happened, by_role in zip(events, spans, strict=True):
        for role in PARTICIPANTS:
            if (thing := getattr(happened, role)) is not None:
                by_role[role] += [span for span in named[thing.key] if span not in by_role[role]]
    return Passage(written, tuple(events), tuple(spans))


def _spans(words: list[Word], happened: Event, offset: int, named: dict[str, list[Span]]) -> Spans:
    """Of one sentence that starts at `offset`; what it names is added to `named`, the places where each is named."""
    starts = _starts(words, offset)

    def span(first: int, last: int) -> Span:
        return Span(starts[first], starts[last] + len(words[last].text))

    spans: Spans = {}
    for role in PARTICIPANTS:
        thing: Thing | None = getattr(happened, role)
        if thing is None:
            continue
        phrase = _phrase(words, thing)
        if phrase is None:
            spans[role] = [named[thing.key][-1]]
            continue
        spans[role] = [span(*phrase)]
        named.setdefault(thing.key, []).append(span(*phrase))
        if thing.plural:
            number = next(index for index in range(phrase[0], phrase[1]) if words[index].tag == "number")
            spans[f"number-{role}"] = [span(number, number), span(*phrase)]
    for role in CIRCUMSTANCES:
        if getattr(happened, role):
            tag = "adverb" if role == "manner" else role
            index = next(index for index, word in enumerate(words) if word.tag == tag)
            with_preposition = index > 0 and words[index - 1].tag == "preposition" and role != "manner"
            spans[role] = [span(index, index), *([span(index - 1, index)] if with_preposition else [])]
    return spans


def _starts(words: Sequence[Word], offset: int) -> list[int]:
    """Where each word begins in the text that `english.text` makes of them."""
    starts: list[int] = []
    end = offset
    for word in words:
        start = end if not starts or word.tag == "comma" else end + 1
        starts.append(start)
        end = start + len(word.text)
    return starts


def _phrase(words: Sequence[Word], thing: Thing) -> tuple[int, int] | None:
    """The first and last word of the phrase for the thing, without a relative clause; None where it is a pronoun."""
    nouns = {thing.name} if thing.name else {form for noun in noun_words(thing.kind) for form in (noun, plural(noun))}
    last = next(
        (index for index, word in enumerate(words) if word.tag in ("name", "noun") and word.text in nouns), None
    )
    if last is None:
        return None
    first = last
    while first > 0 and words[first].tag != "name" and words[first - 1].tag in ("adjective", "number", "determiner"):
        first -= 1
        if words[first].tag == "determiner":
            break
    return first, last
