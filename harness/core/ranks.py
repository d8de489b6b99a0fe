"""At which ranks an item and its captions are retrieved: what is predicted of an example of a retrieval task."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.core.strict_spec import Strict

RanksOfAll = Annotated[tuple[Annotated[float, Field(ge=1)], ...], Field(min_length=1)]


class Ranks(Strict):
    """Of one pair of an item and a caption. A rank is 1 for the likeliest; equal similarities share the mean of their
    ranks, so that a model for which all is alike retrieves nothing.

    Each pair has the ranks of all pairs of its item, so that a score can be of items and samples can be drawn of them.

    Attributes:
        item: Which item of the split it is, by the number of the first row that shows it.
        caption: Which of the item's captions it is, from 0, in the order of their rows.
        captions: The ranks of all its captions among those of the split, in that order.
        items: For each of its captions, in that order, the rank of the item among those of the split.
        captions_there: How many captions there are.
        items_there: How many items there are.
    """

    item: int = Field(ge=0)
    caption: int = Field(ge=0)
    captions: RanksOfAll
    items: RanksOfAll
    captions_there: int
    items_there: int

    @model_validator(mode="after")
    def _are_of_the_same_captions(self) -> Ranks:
        if not self.caption < len(self.captions) == len(self.items):
            raise ValueError(f"caption {self.caption} of {len(self.captions)} captions and {len(self.items)} items")
        return self

    @property
    def of_caption(self) -> float:
        """The rank of the item for this caption."""
        return self.items[self.caption]
