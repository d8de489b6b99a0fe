"""Documents to pretrain on, beside the further ones that operations make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.core.augment_spec import AugmentSpec
from harness.core.errors import HarnessError
from harness.data.augment.base import TextOperation
from harness.data.augment.draws import Draws
from harness.data.augment.expand import operations_of
from harness.data.augment.text import Text, joined


@dataclass(frozen=True)
class DocumentAugmenter:
    """Makes copies of documents, line by line. They have no labels, so that nothing is refused on their account.

    Attributes:
        spec: The operations.
        seed: Of the pretraining.
        where: What the spec is of, for messages.
    """

    spec: AugmentSpec
    seed: int
    where: str = "augment"

    @cached_property
    def operations(self) -> list[tuple[str, TextOperation]]:
        """The operations in order. Raises HarnessError for what documents cannot be augmented by."""
        if self.spec.each == "epoch":
            raise HarnessError(
                f"{self.where}: each: epoch is for fine-tuning; a corpus is tokenized once, so give it copies"
            )
        chosen = []
        for name, operation in operations_of(self.spec, self.where):
            if not isinstance(operation, TextOperation):
                what = (
                    "mixes the classes of a classifier's examples"
                    if operation.on == "training"
                    else "joins two examples of one class"
                )
                raise HarnessError(f"{self.where}: {name} {what}, and documents have none")
            chosen.append((name, operation))
        return chosen

    def copies(self, documents: Sequence[str], first: int) -> list[list[str]]:
        """The copies of each document that differ from it.

        Args:
            documents: n documents that follow one another in the corpus.
            first: The number of the first, from 0. A document's draws depend on its number, the seed and the copy.

        Returns:
            n lists of at most `copies` documents.
        """
        made: list[list[str]] = [[] for _ in documents]
        for number in range(self.spec.copies):
            for document, copy, kept in zip(documents, self._copy(documents, first, number), made, strict=True):
                if copy.strip() and copy != document and copy not in kept:
                    kept.append(copy)
        return made

    def _copy(self, documents: Sequence[str], first: int, number: int) -> list[str]:
        lines = [document.split("\n") for document in documents]
        used = [self._chosen(first + at, number) for at in range(len(documents))]
        for place, (name, operation) in enumerate(self.operations):
            rows = [
                (at, row)
                for at, of_document in enumerate(lines)
                if place in used[at]
                for row, line in enumerate(of_document)
                if line.strip()
            ]
            texts = [Text(lines[at][row], (), self.spec.protected) for at, row in rows]
            draws = [Draws(self.seed, first + at, number, place, name, row) for at, row in rows]
            for (at, row), text, result in zip(rows, texts, operation.apply_all(texts, draws), strict=True):
                new = result if isinstance(result, str) else joined(text.text, result)
                lines[at][row] = new if new.strip() else text.text
        return ["\n".join(of_document) for of_document in lines]

    def _chosen(self, document: int, number: int) -> set[int]:
        """The places of the operations that make a copy: one of them in turn, in an order drawn for it, or all."""
        count = len(self.operations)
        if self.spec.choose == "all":
            return set(range(count))
        return {Draws(self.seed, document, "order").shuffled(range(count))[number % count]}
