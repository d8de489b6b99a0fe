"""What an attack is: a search for a changed text that a model answers otherwise, one example at a time.

An attack is written as if there were one example: a generator that asks (`Request`) and gets answers. Many of them run
in lockstep (`harness.attacks.lockstep`), so that a model sees the texts of all examples at once, and a search knows
nothing of batches, of the budget, or of what was asked before.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from harness.attacks.similarity import Similarity, similarity_of
from harness.core.hashing import hash_json
from harness.core.strict_spec import Strict, parse, single_words
from harness.data.augment.draws import Draws
from harness.data.augment.text import Span, Text, joined
from harness.data.augment.vocabulary import STOP_WORDS

Edits = Mapping[Span, str]
"""New words by the place of the old ones in the original text."""


def _words(value: Any) -> Any:
    return value.split("+") if isinstance(value, str) else value


class AttackOptions(Strict):
    """What every attack can be told.

    Attributes:
        examples: So many examples of a split are attacked, drawn by the seed; all where there are no more.
        queries: Texts that a model is asked for an example at most, the original among them.
        changed: The largest fraction of a text's words that is changed; one word may always be.
        similarity: The least similarity of a changed text to the original.
        encoder: The folder of a sentence encoder, whose vectors' cosine is the similarity; that of the texts' letter
            trigrams where left out.
        field: The text that is changed; where there are two, the second one if left out.
        protect: Words that stay, beside function words, negations and numbers.
        seed: Of what is drawn: the examples, and letters.
    """

    examples: int = Field(default=200, ge=1, le=1_000_000)
    queries: int = Field(default=500, ge=1, le=1_000_000)
    changed: float = Field(default=0.4, gt=0, le=1)
    similarity: float | None = Field(default=None, ge=0, le=1)
    encoder: str | None = Field(default=None, min_length=1)
    field: str | None = None
    protect: Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(single_words)] = ()
    seed: int = Field(default=0, ge=0, lt=2**31)


@dataclass(frozen=True)
class Answer:
    """What a model says of a text: its class, and the probability of each class. `logits` are kept for the record."""

    label: int
    probabilities: tuple[float, ...]
    logits: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Request:
    """What a search asks for: answers of the model to texts, similarities of texts to the original, or what an attack's
    own `propose` makes of items. Of the model's answers fewer come back where the budget ends: to the first texts.
    """

    of: Literal["model", "similarity", "proposals"]
    items: tuple[Any, ...]


@dataclass
class Target:
    """An example under attack, as far as the search has come.

    Attributes:
        name: The example's id.
        text: Its text that is changed.
        label: Its class.
        original: What the model says of it; the class is the right one.
        edits: The words that are changed.
        answer: What the model says of the text with these.
        similarity: Of that text to the original.
    """

    name: str
    text: Text
    label: int
    original: Answer
    most_changed: int
    edits: dict[Span, str] = field(default_factory=dict)
    answer: Answer | None = None
    similarity: float = 1.0

    @property
    def current(self) -> Answer:
        """What the model says of the text as it is now."""
        return self.answer or self.original

    @property
    def confidence(self) -> float:
        """The probability of the right class."""
        return self.current.probabilities[self.label]

    @property
    def is_fooled(self) -> bool:
        """Whether the model says another class."""
        return self.current.label != self.label

    @cached_property
    def words(self) -> list[Span]:
        """The words that may be changed: no function words, negations, numbers, or words that are protected."""
        return [span for span in self.text.free if self.text[span].lower() not in STOP_WORDS]

    def written(self, edits: Edits) -> str:
        """The text with changed words."""
        return joined(self.text.text, self.text.edited(list(edits.items())))

    def take(self, edits: Edits, answer: Answer, similarity: float) -> None:
        """Go on from here."""
        self.edits, self.answer, self.similarity = dict(edits), answer, similarity


Search = Generator[Request, Sequence[Any], None]


class Attack:
    """An attack; one's own extends this class, or `WordByWord`, and is registered: `register("attack", NAME, MyClass)`.

    Attributes:
        Options: Its options, a data class that refuses what it does not know.
        source: Where it is from.
        least_similarity: What a changed text must have where nothing is said, by the measure; see `similarity`.
    """

    Options: ClassVar[type[AttackOptions]] = AttackOptions
    source: ClassVar[str] = ""
    least_similarity: ClassVar[Mapping[str, float]] = {"encoder": 0.8, "trigrams": 0.5}

    def __init__(self, options: Any) -> None:
        self.options = options

    @classmethod
    def parsed(cls, options: Mapping[str, Any], where: str) -> AttackOptions:
        """The options. Raises HarnessError for one it does not have, and for a value out of range."""
        return parse(cls.Options, dict(options), where)

    @classmethod
    def checked(cls, options: Mapping[str, Any], where: str) -> dict[str, Any]:
        """All options as JSON has them, the usual ones filled in. Raises HarnessError as `parsed` does."""
        return cls.parsed(options, where).model_dump(mode="json")

    def inputs(self) -> Mapping[str, str]:
        """What it reads, such as a file of synonyms or a model: a hash by what it is called.

        Raises:
            HarnessError: something is missing; the message says how it is had.
        """
        return self.measure.inputs()

    def identity(self) -> dict[str, Any]:
        """All that decides what it does to a model: its options, with hashes in place of the names of files."""
        hashes = self.inputs()
        settings = self.options.model_dump(mode="json")
        named = {
            name: hashes.get(value, value) if isinstance(value, str) else value for name, value in settings.items()
        }
        return {"options": named, "read": hash_json(sorted(hashes.values()))} if hashes else {"options": named}

    @cached_property
    def measure(self) -> Similarity:
        """What similarity is measured by."""
        return similarity_of(self.options.encoder)

    @property
    def least(self) -> float:
        """The least similarity of a changed text."""
        given = self.options.similarity
        return self.least_similarity.get(self.measure.name, 0.0) if given is None else float(given)

    def draws(self, target: Target, *names: object) -> Draws:
        """What is drawn for an example, whatever else is attacked."""
        return Draws(self.options.seed, type(self).__name__, target.name, *names)

    def search(self, target: Target) -> Search:
        """Change the target's text, by `take`, until the model is fooled or nothing is left to try."""
        raise NotImplementedError

    def propose(self, items: Sequence[Any]) -> Sequence[Any]:
        """Answers to requests for proposals, of many examples at once; which stand together must not matter."""
        raise NotImplementedError
