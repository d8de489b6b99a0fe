"""The synthetic world: data that this package makes up, the same everywhere, of which the truth is known.

The world (`concepts`) has kinds in a hierarchy, people, qualities with opposites, places, times, manners, and actions
with roles, wider actions and opposites, all as keys without a language. `meaning` and `logic` say what follows from
what; `invent` and `changes` draw events and alter them; `english` with `english_words` puts them into words in several
ways (synonyms, converse verbs, passive, fronting, relative clauses, pronouns). Labels come from meanings, texts from
the grammar. Another language is another grammar and table of words for the same keys: there are `french` and `chinese`.

There is a task of each shape in GLUE (`SHAPES`) and an unlabelled `corpus`. Each task has the columns `id`, its text
fields, `label`, and `oracle`, the truth before noise.

Shapes whose answers are texts (`text_shapes`) have neither noise nor `oracle`. `question-answering` (as in SQuAD 1.1)
and `question-answering-null` (2.0, a third of its questions without an answer) have the columns `id`, `title`,
`context`, `question`, `answers` and `starts`: `answers` lists the pieces of the context that answer, the best first,
and `starts` where in it each begins, both empty where nothing does; `title` names the passage, which several questions
share. `summarization` has `id`, `text` and `summary`, a list of references; `translation-fr` and `translation-zh` have
`id`, `source` and `target`, a list of one or two references; `generation` has `id` and `text`; `entities` has `id`,
`tokens` and `tags`, a list of words and one of IOB2 tags.

`topics-how-1`, `topics-what-made-3` and the like are small tasks for learning from several: `topics` has their
families, and draws one by its number. They have no noise.

Noise: in every split a label is replaced by another class at the rate `NOISE` of its shape, and a similarity gets
normal noise of that standard deviation, clipped to 0..5. Scoring `oracle` against `label` gives the ceiling.

Held-out combinations: one in eight of all pairs of who and what they do (of aspect and word in sentiment) never occurs
in a training split, and one third of the rows of every other split has such a pair. No text is in two splits.
`dev_mismatched` of inference has people, places and some actions that its other splits lack, and reported speech.
The corpus has everything.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.errors import unknown
from harness.data.synthetic import acceptability, coreference, inference, pairs, phenomena, sentiment
from harness.data.synthetic.documents import documents
from harness.data.synthetic.rows import HELD_OUT_FRACTION, WORLD_VERSION, Shape, tabulate
from harness.data.synthetic.text_shapes import TEXT_SHAPES
from harness.data.synthetic.topics import shape_of, topic_of

__all__ = ["HELD_OUT_FRACTION", "NOISE", "SHAPES", "WORLD_VERSION", "build", "corpus", "topic_of"]

NOISE = {
    "acceptability": 0.06,
    "sentiment": 0.06,
    "paraphrase": 0.06,
    "question-paraphrase": 0.06,
    "similarity": 0.4,
    "inference": 0.06,
    "question-entailment": 0.06,
    "entailment": 0.06,
    "coreference": 0.06,
    "diagnostic": 0.06,
}
"""The rate at which labels are replaced; for similarity the standard deviation of what is added."""

_SENTENCE, _PAIR, _NLI = ("text",), ("text", "text_pair"), ("premise", "hypothesis")
_NLI_LABELS = ("entailment", "neutral", "contradiction")
_SIZES = {"train": 3000, "dev": 600, "test": 600}

_SHAPES = {
    "acceptability": Shape(
        _SENTENCE,
        ("unacceptable", "acceptable"),
        _SIZES,
        acceptability.make,
        NOISE["acceptability"],
        weights=(0.4, 0.6),
    ),
    "sentiment": Shape(_SENTENCE, ("negative", "positive"), _SIZES, sentiment.make, NOISE["sentiment"]),
    "paraphrase": Shape(
        _PAIR,
        ("not_equivalent", "equivalent"),
        _SIZES,
        pairs.paraphrase,
        NOISE["paraphrase"],
        weights=(0.45, 0.55),
    ),
    "question-paraphrase": Shape(
        _PAIR,
        ("not_duplicate", "duplicate"),
        _SIZES,
        pairs.question_paraphrase,
        NOISE["question-paraphrase"],
        weights=(0.55, 0.45),
    ),
    "similarity": Shape(_PAIR, (), _SIZES, pairs.similarity, NOISE["similarity"]),
    "inference": Shape(
        _NLI,
        _NLI_LABELS,
        {"train": 2700, "dev_matched": 600, "dev_mismatched": 600},
        inference.make_in_genre,
        NOISE["inference"],
        away=("dev_mismatched",),
    ),
    "question-entailment": Shape(
        _NLI,
        ("entailment", "not_entailment"),
        _SIZES,
        pairs.question_entailment,
        NOISE["question-entailment"],
    ),
    "entailment": Shape(
        _NLI,
        ("entailment", "not_entailment"),
        {"train": 1500, "dev": 500, "test": 500},
        inference.two_events,
        NOISE["entailment"],
    ),
    "coreference": Shape(
        _NLI,
        ("not_entailment", "entailment"),
        {"train": 600, "dev": 180, "test": 180},
        coreference.make,
        NOISE["coreference"],
    ),
    "diagnostic": Shape(_NLI, _NLI_LABELS, {"test": 900}, phenomena.make, NOISE["diagnostic"]),
}

SHAPES: tuple[str, ...] = (*_SHAPES, *TEXT_SHAPES)


def build(shape: str) -> dict[str, dict[str, list]]:
    """The splits of a task of this shape, each with its columns.

    Raises:
        HarnessError: there is no such shape.
    """
    if shape in TEXT_SHAPES:
        return TEXT_SHAPES[shape]()
    if (topic := topic_of(shape)) is not None:
        return tabulate(shape, shape_of(*topic))
    if shape not in _SHAPES:
        raise unknown("synthetic template", shape, SHAPES)
    return tabulate(shape, _SHAPES[shape])


def corpus(sentences: int, seed: int = 0) -> Iterator[str]:
    """Documents of related sentences, one string each, until about `sentences` sentences are out."""
    return documents(sentences, f"{WORLD_VERSION}:corpus:{seed}")
