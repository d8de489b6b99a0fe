"""What models of a retrieval put first, beside what is right: for a caption which item, for an item which caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.families import FAMILIES
from harness.core.items import in_words
from harness.core.ranks import Retrieved, ranks_in
from harness.core.text import clipped
from harness.data.modalities import Shown

if TYPE_CHECKING:
    import numpy as np

LONGEST = 400
"""Characters of a caption that are kept."""


def rows_of(retrieved: Sequence[Retrieved | None], indices: Sequence[int]) -> list[int]:
    """The rows whose items are worth showing, each once: of each example its own and what models put in its place."""
    rows: dict[int, None] = {}
    for index in indices:
        rows[index] = None
        rows |= {int(kept.item[index]): None for kept in retrieved if kept is not None}
    return list(rows)


def side_by_side(
    family: str,
    ids: Sequence[str],
    fields: Mapping[str, Sequence[str]],
    shown: Mapping[int, Sequence[Shown | None]],
    models: Sequence[tuple[np.ndarray, Retrieved | None]],
    indices: Sequence[int],
) -> dict[str, Any]:
    """What a view says of the examples at `indices`.

    Args:
        family: Of their task.
        ids: Of all examples.
        fields: Their fields; none where the data are not at hand.
        shown: What is shown of the fields of a row.
        models: The predictions of each, and what it retrieved; None where its record does not say it.
        indices: Which examples.

    Returns:
        `others`: the rows that stand in place of what is right, as id, name of the item, its caption, and what shows
        the item. `retrieved`: for each model None or, for each example, the similarity of the pair and, for the first
        item and for the first caption, its number among the others, None where it is the right one, and its similarity.
    """
    item_field = FAMILIES.get(family).item_field or ""
    at = list(fields).index(item_field) if item_field in fields else None
    numbers: dict[int, int] = {}

    def other(row: int, is_right: bool) -> int | None:
        return None if is_right else numbers.setdefault(row, len(numbers))

    rows_by_model: list[list[list[Any]] | None] = []
    for predictions, kept in models:
        item_of = [ranks.item for text in predictions if (ranks := ranks_in(text)) is not None]
        if kept is None or len(item_of) < len(predictions):
            rows_by_model.append(None)
            continue
        rows_by_model.append(
            [
                [
                    _rounded(kept.similarity[index]),
                    other(int(kept.item[index]), int(kept.item[index]) == item_of[index]),
                    _rounded(kept.item_similarity[index]),
                    other(int(kept.caption[index]), item_of[int(kept.caption[index])] == item_of[index]),
                    _rounded(kept.caption_similarity[index]),
                ]
                for index in indices
            ]
        )
    others = []
    for row in numbers:
        name = clipped(in_words(fields[item_field][row]), LONGEST) if at is not None else ""
        caption = clipped(fields["text"][row], LONGEST) if "text" in fields else ""
        others.append([str(ids[row]), name, caption, shown[row][at] if at is not None and row in shown else None])
    return {"retrieved": rows_by_model, "others": others}


def _rounded(similarity: np.floating[Any]) -> float:
    return round(float(similarity), 4)
