"""Pairs of texts by how likely a model of language finds each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, read_of

if TYPE_CHECKING:
    import numpy as np

Encoded = TypeVar("Encoded", bound=Hashable)


def compared(
    reader: EncodingContext,
    split: Split,
    encode: Callable[[Sequence[str]], Sequence[Encoded]],
    ids_of: Callable[[Encoded], Sequence[int]],
    likelihoods: Callable[[Sequence[Encoded]], np.ndarray],
    settings: Mapping[str, Any],
    truncated: int = 0,
) -> Predictions:
    """By how many nats the first of two texts is likelier, (n,), with the log-likelihood of both.

    Each text is scored once, however often it stands in the split: texts that a tokenizer makes the same tie.

    Args:
        reader: The task.
        split: Its pairs, the right text first.
        encode: Makes hashable token rows of n texts.
        ids_of: The token ids of one.
        likelihoods: The log-likelihoods (m,) of m token rows.
        settings: What the record says of them.
        truncated: How many texts were cut.
    """
    first, second = reader.family.required
    rows = [encode(split.fields[name]) for name in (first, second)]
    places: dict[Encoded, int] = {}
    for column in rows:
        for row in column:
            places.setdefault(row, len(places))
    scores = likelihoods(list(places))
    good, bad = (scores[[places[row] for row in column]] for column in rows)
    read = read_of(reader, [list(ids_of(row)) for column in rows for row in column], len(split), truncated)
    columns = {first: good.tolist(), second: bad.tolist()}
    return Predictions(good - bad, columns, {"reduction": "sum", **settings}, read)
