"""At which ranks an item and its captions are retrieved: what is predicted of an example of a retrieval task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from harness.core.errors import DamagedFileError
from harness.core.predictions import read_columns
from harness.core.strict_spec import Strict

if TYPE_CHECKING:
    import numpy as np

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

    @property
    def item_in_words(self) -> str:
        return f"item at rank {self.of_caption:g} of {self.items_there}"

    @property
    def in_words(self) -> str:
        caption = f"caption at rank {self.captions[self.caption]:g} of {self.captions_there}"
        return f"{self.item_in_words}, {caption}"


def in_words(prediction: str) -> str:
    """The ranks of a pair for readers; what a damaged file says as it is."""
    ranks = ranks_in(prediction)
    return prediction if ranks is None else ranks.in_words


def item_in_words(prediction: str) -> str:
    """The rank of the item alone, by which a pair is right or wrong."""
    ranks = ranks_in(prediction)
    return prediction if ranks is None else ranks.item_in_words


def ranks_in(prediction: str) -> Ranks | None:
    """The ranks that a prediction holds; None of another."""
    try:
        return Ranks.model_validate_json(prediction)
    except ValueError:
        return None


@dataclass(frozen=True)
class Retrieved:
    """What was the likeliest of all for each of n pairs: for its item which caption, for its caption which item. Of
    equally similar ones it is one that is wrong, as such a rank is no 1 either.

    Attributes:
        similarity: (n,) of the pair's own item and caption.
        caption: (n,) the row of the likeliest caption for the pair's item.
        caption_similarity: (n,) how similar that is.
        item: (n,) the first row of the likeliest item for the pair's caption.
        item_similarity: (n,) how similar that is.
    """

    similarity: np.ndarray
    caption: np.ndarray
    caption_similarity: np.ndarray
    item: np.ndarray
    item_similarity: np.ndarray

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """As they stand beside the predictions in their file."""
        return {column: getattr(self, name) for name, column in RETRIEVED_COLUMNS.items()}


RETRIEVED_COLUMNS = {
    "similarity": "similarity",
    "caption": "likeliest_caption",
    "caption_similarity": "likeliest_caption_similarity",
    "item": "likeliest_item",
    "item_similarity": "likeliest_item_similarity",
}


def read_retrieved(path: Path) -> Retrieved | None:
    """What the file of a score's predictions says was retrieved; None of one that is no retrieval, or older.

    Raises:
        DamagedFileError: rows that are not there, or similarities that are not finite.
    """
    import numpy as np

    table = read_columns(path, ("id",), tuple(RETRIEVED_COLUMNS.values()))
    if not set(RETRIEVED_COLUMNS.values()) <= set(table.column_names):
        return None
    read = {}
    for name, column in RETRIEVED_COLUMNS.items():
        values = table.column(column).to_numpy()
        if name.endswith("similarity"):
            is_sound = values.dtype.kind == "f" and np.isfinite(values).all()
        else:
            is_sound = values.dtype.kind == "i" and ((values >= 0) & (values < len(values))).all()
        if not is_sound:
            raise DamagedFileError(f"{path} is damaged: its column {column} is not that of {len(values)} pairs")
        read[name] = values
    return Retrieved(**read)
