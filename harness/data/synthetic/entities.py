"""Sentences whose people, places and times are tagged, as in CoNLL-2003 (Tjong Kim Sang & De Meulder 2003): IOB2 tags
of the words that name who takes part, where and when.
"""

from __future__ import annotations

import re

from harness.data.synthetic.concepts import is_a
from harness.data.synthetic.invent import Scope, combination
from harness.data.synthetic.meaning import PARTICIPANTS, Event, Thing
from harness.data.synthetic.passages import Span, Spans, tell
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.stories import people_of, story
from harness.data.synthetic.texts import Piece

WORD = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
SENTENCES = (1, 1, 2)
REPETITION = 0.5
KINDS = {"place": "LOC", "time": "TIME"}
PERSON = "PER"


def make(rng: Rng, scope: Scope) -> Piece | None:
    """A sentence or two."""
    cast = people_of(rng, scope, 3)
    passage = tell(rng, story(rng, scope, cast, [], rng.choice(SENTENCES), REPETITION))
    words = list(WORD.finditer(passage.text))
    starts, ends = {word.start(): index for index, word in enumerate(words)}, {word.end() for word in words}
    tags = ["O"] * len(words)
    for happened, spans in zip(passage.events, passage.spans, strict=True):
        for kind, span in _named(happened, spans):
            if span.start not in starts or span.end not in ends:
                return None
            for index in range(starts[span.start], len(words)):
                if words[index].start() >= span.end:
                    break
                tags[index] = f"{'B' if words[index].start() == span.start else 'I'}-{kind}"
    row = {"tokens": [word[0] for word in words], "tags": tags}
    return Piece(passage.text, (row,), tuple(map(combination, passage.events)))


def _named(happened: Event, spans: Spans) -> list[tuple[str, Span]]:
    """What a sentence names of a happening: a pronoun names nobody."""
    named = []
    for role in PARTICIPANTS:
        thing: Thing | None = getattr(happened, role)
        if thing is not None and is_a(thing.kind, "person"):
            named += [(PERSON, span) for span in spans[role]]
    return named + [(kind, spans[role][0]) for role, kind in KINDS.items() if getattr(happened, role)]
