"""What objectives on items share: they are read from a folder of kept items, by their numbers in place of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.core.strict_spec import Strict
from harness.training.objectives.base import Objective, Tokens

if TYPE_CHECKING:
    from harness.modeling.processors import Processor

NO_TOKENS = Tokens(0, 0, 0, None, None, None, (), np.zeros(0, bool), np.zeros(0), np.zeros(0, bool), np.zeros(0, bool))
"""Of a model that reads no text."""


@dataclass(frozen=True)
class KeptItems:
    """Items as their processor keeps them, with the tokens of their captions.

    Attributes:
        items: (n, …), as `Processor.prepared` makes them.
        ids: (m, t) token ids of all captions, those of an item one after the other, padded; (0, t) without captions.
        masks: (m, t), 0 where there is padding.
        first: (n + 1,), the number of each item's first caption.
    """

    items: np.ndarray
    ids: np.ndarray
    masks: np.ndarray
    first: np.ndarray


class ItemOptions(Strict):
    """With `augment`, items are trained on a little changed, in ways that leave their captions true."""

    augment: bool = False


class ItemObjective(Objective):
    """Its blocks are numbers of items, (n, 1), its options are `ItemOptions`. `kept` and `processor` are given to it
    before it is trained.
    """

    has_captions: ClassVar[bool] = True
    trims: bool = True
    """Padding that no text of a batch needs is left out."""
    kept: KeptItems
    processor: Processor

    @property
    def raw_size(self) -> int:
        return 1

    @property
    def example_size(self) -> int:
        return 1

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        batch = self.held_out(blocks, random)
        if self.options.augment:
            batch["items"] = np.stack([self.processor.augmented(item, random) for item in batch["items"]])
        return batch

    def drawn(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """The items of blocks and, of each, one of its captions."""
        numbers = blocks[:, 0]
        batch: dict[str, np.ndarray] = {"items": np.ascontiguousarray(self.kept.items[numbers])}
        if self.has_captions:
            first, after = self.kept.first[numbers], self.kept.first[numbers + 1]
            rows = first + (random.random(len(numbers)) * (after - first)).astype(np.int64)
            length = int(self.kept.masks[rows].sum(1).max())
            batch |= {"input_ids": self.kept.ids[rows], "attention_mask": self.kept.masks[rows]}
            if self.trims:
                batch = {name: rows if name == "items" else rows[:, :length] for name, rows in batch.items()}
        return batch
