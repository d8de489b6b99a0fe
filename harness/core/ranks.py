"""At which ranks an item and its captions are retrieved: what is predicted of an example of a retrieval task."""

from __future__ import annotations

from harness.core.strict_spec import Strict


class Ranks(Strict):
    """Of one pair of an item and a caption. A rank is 1 for the likeliest; equal similarities share the mean of their
    ranks, so that a model for which all is alike retrieves nothing.

    Attributes:
        item: Which item of the split it is, by the number of the first row that shows it.
        captions: The ranks of all its captions among those of the split, in the order of their rows.
        of_caption: The rank of this item among those of the split, for this caption.
        captions_there: How many captions there are.
        items_there: How many items there are.
    """

    item: int
    captions: list[float]
    of_caption: float
    captions_there: int
    items_there: int
