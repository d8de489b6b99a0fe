"""Families: the shapes of tasks, their fields and what is predicted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.core import plugins
from harness.core.columns import LazyCells, joined
from harness.core.errors import HarnessError
from harness.core.plugins import Plugins
from harness.core.token_rows import TokenRows

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase

TEXT = "text"
"""The modality of fields that hold no raw items."""
ENCODED_AT_ONCE = 1000
"""Texts that a tokenizer gives Python's numbers for before they are packed."""


class Columns(Protocol):
    """What a family reads of a split: its texts by field, and its labels."""

    @property
    def fields(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def labels(self) -> Sequence[Any] | None: ...


Kind = Literal["labels", "values", "texts", "likelihoods", "tags", "log-odds", "last-words", "outcomes", "ranks"]
"""What metrics receive as predictions: class ids, floats, strings, log-likelihoods of the text itself (nats), the tags
of a text's words, joined by spaces, by how many nats the first of two texts is the likelier one, how well a text's last
word is told, what a task library makes of the answers to an example (`harness.core.libraries.Outcomes`), as JSON, or at
which ranks an item and its captions are retrieved (`harness.core.ranks.Ranks`), as JSON.
"""


class Family(ABC):
    """The shape of a task. One subclass a module, registered under `name`.

    `required` and `optional` are the canonical text fields; `target` is the field that is to be predicted, None where
    the text itself is. `prompt` is how a model that reads and writes text is asked, where a task says nothing else.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    target: str | None = "label"
    predictions: Kind
    prompt: str | None = None
    unread: tuple[str, ...] = ()
    """Fields that are no text for readers."""
    extractive: bool = False
    """The references are parts of the context, and `Split.starts` says where they begin."""
    choices: str | None = None
    """The field with the answers to choose from, a line each; the label says which is right."""
    trained: bool = True
    """Models are trained on such a task; else they are scored as they are."""
    modalities: Mapping[str, str] = {}
    """The fields that hold raw items (`harness.core.items.Item`), and the modality of each; all others are text."""

    @property
    def item_field(self) -> str | None:
        """The field that holds raw items; None where all fields are text."""
        return next(iter(self.modalities), None)

    @property
    def modality(self) -> str:
        """What its items are; text where it has none."""
        return next(iter(self.modalities.values()), TEXT)

    def modality_of(self, field: str) -> str:
        """What a field holds."""
        return self.modalities.get(field, TEXT)

    @property
    def in_words(self) -> bool:
        return self.predictions == "texts"

    def check_fields(self, fields: Sequence[str], where: str) -> None:
        """Raises HarnessError where a task's fields are not this family's."""
        targets = [self.target] if self.target else []
        allowed = [*self.required, *self.optional, *targets]
        for field in fields:
            if field not in allowed:
                raise HarnessError(
                    f"{where}: family {self.name} has no field '{field}'; its fields: {', '.join(allowed)}"
                )
        for field in [*self.required, *targets]:
            if field not in fields:
                raise HarnessError(f"{where}: family {self.name} needs the field '{field}'")

    def text_fields(self, fields: Container[str]) -> list[str]:
        """Which of these fields hold text that a model reads, in their order."""
        names = (*self.required, *self.optional)
        return [name for name in names if name in fields and self.modality_of(name) == TEXT]

    def texts(self, split: Columns) -> tuple[Sequence[str], Sequence[str] | None]:
        """First texts and, for pairs, second texts: each n strings, in a list where they are not in a file."""
        columns = [split.fields[field] for field in [*self.required, *self.optional] if field in split.fields]
        first, *others = (column if isinstance(column, LazyCells) else list(column) for column in columns)
        return first, others[0] if others else None

    def words(self, split: Columns) -> Sequence[str]:
        """All that is written in a split, references included: what a tokenizer is trained on."""
        first, second = self.texts(split)
        written = [text for texts in split.labels or () for text in texts] if self.in_words else []
        return joined([first, second or [], written])


class Labelling(Family):
    """Families whose answer to a text or a pair of texts is a class or a number."""

    problem_type: str

    def encode(self, tokenizer: PreTrainedTokenizerBase, split: Columns, max_length: int) -> dict[str, TokenRows]:
        """Token ids by model input name, n unpadded rows each, truncated to `max_length` tokens."""
        first, second = self.texts(split)

        def parts() -> Iterator[dict[str, TokenRows]]:
            for start in range(0, max(1, len(first)), ENCODED_AT_ONCE):
                chunk = slice(start, start + ENCODED_AT_ONCE)
                texts = (list(first[chunk]), None if second is None else list(second[chunk]))
                encoded = tokenizer(*texts, truncation=True, max_length=max_length, padding=False)
                yield {name: TokenRows.of(rows) for name, rows in encoded.items()}

        ids = "uint16" if len(tokenizer) <= 2**16 else "int32"
        return TokenRows.gathered(parts(), {"input_ids": ids, "attention_mask": "uint8", "token_type_ids": "uint8"})

    @abstractmethod
    def outputs(self, labels: Sequence[str]) -> int:
        """Width of the head."""

    @abstractmethod
    def loss(self, logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
        """Summed loss of a batch: logits (b, outputs), targets (b,), of which `smoothing` goes to all classes alike."""

    @abstractmethod
    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Predictions (n,) from logits (n, outputs)."""

    def config(self, labels: Sequence[str]) -> dict[str, Any]:
        """Arguments of the model's config that the head needs."""
        values: dict[str, Any] = {"num_labels": self.outputs(labels), "problem_type": self.problem_type}
        if labels:
            values["id2label"] = dict(enumerate(labels))
            values["label2id"] = {label: index for index, label in enumerate(labels)}
        return values


class Classification(Labelling):
    """Classification of a text or a pair of texts into named classes."""

    name = "classification"
    required: tuple[str, ...] = ("text",)
    optional: tuple[str, ...] = ("text_pair",)
    predictions = "labels"
    problem_type = "single_label_classification"

    def outputs(self, labels: Sequence[str]) -> int:
        return len(labels)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=smoothing)

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return logits.argmax(axis=1)


CLASSIFICATION = Classification()


class NaturalLanguageInference(Classification):
    """Natural language inference: does the premise entail the hypothesis? Two or three classes."""

    name = "nli"
    required = ("premise", "hypothesis")
    optional = ()


NLI = NaturalLanguageInference()


class Similarity(Labelling):
    """Similarity of a pair of texts as a number: regression."""

    name = "similarity"
    required = ("text", "text_pair")
    predictions = "values"
    problem_type = "regression"

    def outputs(self, labels: Sequence[str]) -> int:
        return 1

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
        from torch.nn.functional import mse_loss

        return mse_loss(logits.float().squeeze(-1), targets, reduction="sum")

    def decode(self, logits: np.ndarray) -> np.ndarray:
        return logits[:, 0]


SIMILARITY = Similarity()


class TokenClassification(Family):
    """A tag for each word of a text: named entities by IOB tags. Words and tags stand joined by spaces."""

    name = "token-classification"
    required = ("tokens",)
    target = "tags"
    predictions = "tags"


TOKEN_CLASSIFICATION = TokenClassification()


class QuestionAnswering(Family):
    """References are the answers that count as right (SQuAD has several); none of them: the question has no answer."""

    name = "question-answering"
    required = ("question", "context")
    target = "answers"
    predictions = "texts"
    prompt = "question: {question} context: {context}"
    extractive = True


QUESTION_ANSWERING = QuestionAnswering()


class Summarization(Family):
    """Summarization: a text in fewer words."""

    name = "summarization"
    required = ("text",)
    target = "summary"
    predictions = "texts"
    prompt = "summarize: {text}"


SUMMARIZATION = Summarization()


class Translation(Family):
    """Translation: a text in another language."""

    name = "translation"
    required = ("source",)
    target = "target"
    predictions = "texts"
    prompt = "translate: {source}"


TRANSLATION = Translation()


class TextGeneration(Family):
    """Free generation: the model goes on from the beginning of a text; what it writes is judged without a reference."""

    name = "text-generation"
    required = ("text",)
    target = None
    predictions = "texts"


TEXT_GENERATION = TextGeneration()


class LanguageModeling(Family):
    """The prediction for a text is its log-likelihood, in nats; the text itself is the reference."""

    name = "language-modeling"
    required = ("text",)
    target = None
    predictions = "likelihoods"


LANGUAGE_MODELING = LanguageModeling()


class LibraryTask(Family):
    """A task of another package, which puts its examples to a model and judges the answers itself. `text` is what an
    example asks, for readers, and `content` a hash of the whole example.
    """

    name = "library"
    required = ("text", "content")
    unread = ("content",)
    target = "target"
    predictions = "outcomes"


LIBRARY = LibraryTask()


class MultipleChoice(Family):
    """A question with answers to choose from, of which one is right; how many there are may differ by example."""

    name = "multiple-choice"
    required = ("question", "choices")
    choices = "choices"
    predictions = "labels"
    prompt = "{question}"


MULTIPLE_CHOICE = MultipleChoice()


class MinimalPairs(Family):
    """Pairs of sentences that differ in one thing, of which one is right: a model of language should find it likelier
    (Warstadt et al. 2020). Nothing is trained.
    """

    name = "minimal-pairs"
    required = ("good", "bad")
    target = None
    predictions = "log-odds"
    trained = False


MINIMAL_PAIRS = MinimalPairs()


class LastWord(Family):
    """The last word of a text, told from all before it (Paperno et al. 2016). Nothing is trained."""

    name = "last-word"
    required = ("text",)
    target = None
    predictions = "last-words"
    trained = False


LAST_WORD = LastWord()


FAMILIES: Plugins[Family] = plugins.table("family")
