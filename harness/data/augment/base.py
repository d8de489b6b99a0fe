"""What an operation of augmentation is, and what it may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.core import plugins
from harness.core.specs import TaskSpec
from harness.core.strict_spec import Strict, parse
from harness.data.augment.draws import Draws
from harness.data.augment.text import Pieces, Text, joined

Change = Literal["style", "punctuation", "spelling", "words", "sentences", "meaning"]
"""What an operation may change. `style`: case and contractions, which say the same. `words` are inserted, removed,
replaced or moved; `sentences` cut, moved or joined. `meaning`: what a text says can become another thing, so that no
label is safe.
"""


class NoOptions(Strict):
    """An operation without options."""


class Augmentation:
    """An operation; one's own extends a class below and is registered: `register("augmentation", NAME, MyClass)`.

    Attributes:
        Options: Its options, a data class that refuses what it does not know.
        changes: What it may change; the families of tasks say what leaves their labels right.
        on: `texts`: it makes new texts, before training. `training`: the learner applies it while it trains.
        source: Where it is from.
        note: What a record says of every training with it; empty for nothing.
    """

    Options: ClassVar[type[Strict]] = NoOptions
    changes: ClassVar[Change] = "words"
    on: ClassVar[Literal["texts", "training"]] = "texts"
    source: ClassVar[str] = ""
    note: ClassVar[str] = ""

    def __init__(self, options: Any) -> None:
        self.options = options

    def inputs(self) -> Mapping[str, str]:
        """What it reads beside its options, such as a file of synonyms or a model: a hash by what it is called.

        The hashes are a part of the cell's key. Called when a run is planned.

        Raises:
            HarnessError: something is missing; the message says how it is had.
        """
        return {}

    def refusal(self, task: TaskSpec) -> str | None:
        """Why it has nothing to do with a task's examples, to go on after its name; None where it has."""
        return None


class TextOperation(Augmentation):
    """Makes a new text of each text."""

    def apply(self, text: Text, draws: Draws) -> str | Pieces:
        """A new text.

        Args:
            text: The text, with its words and what of it must stay.
            draws: All that is random.

        Returns:
            The text as it becomes, or its pieces, by which the places of answers are known. Equal to the old one where
            nothing can be done.
        """
        raise NotImplementedError

    def apply_all(self, texts: Sequence[Text], draws: Sequence[Draws]) -> Sequence[str | Pieces]:
        """New texts of many at once: what a model makes overrides this.

        Args:
            texts: n texts; which stand together may differ from run to run, so a text's result must not depend on the
                others.
            draws: Those of each text.

        Returns:
            n new texts.
        """
        return [self.apply(text, drawn) for text, drawn in zip(texts, draws, strict=True)]

    def rewritten(self, text: str, *names: object) -> str:
        """A new text of one text; what is random depends on the names."""
        (new,) = self.apply_all([Text(text)], [Draws(*names)])
        return new if isinstance(new, str) else joined(text, new)


class JoiningOperation(Augmentation):
    """Makes a text of two examples of one class."""

    def join(self, text: str, other: str, draws: Draws) -> str:
        """A text of both."""
        raise NotImplementedError


class TrainingOperation(Augmentation):
    """Changes batches while a model is trained.

    Attributes:
        heads: The heads of models it is applied to.
    """

    on = "training"
    heads: ClassVar[frozenset[str]] = frozenset()

    def loss(
        self, inner: Callable[[Any, dict[str, Any]], Any], model: Any, batch: Mapping[str, Any], step: int, seed: int
    ) -> Any:
        """The loss of a changed batch, summed over it.

        Args:
            inner: The loss of a batch without it, of a model and the batch's inputs and labels.
            model: The model.
            batch: The inputs, each (batch, length), and `labels`.
            step: The number of the batch in the training.
            seed: Of the training.
        """
        raise NotImplementedError


def rate(default: float, description: str) -> Any:
    """An option that is a fraction."""
    return Field(default=default, gt=0, le=1, description=description)


def make_operation(name: str, options: Mapping[str, Any], where: str) -> Augmentation:
    """The operation of that name. Raises HarnessError for an unknown one, and for options it does not have."""
    kind: type[Augmentation] = plugins.lookup("augmentation", name, where)
    return kind(parse(kind.Options, dict(options), f"{where}: {name}"))
