"""How well a task of retrieval can be done by what tells which captions are true of which items and guesses among them.

A caption that is true of m items finds its own in the first k places with probability min(1, k/m). An item of which m
captions are true, p of them its own, has one of those among the first k with probability 1 - C(m-p, k) / C(m, k).
"""

from __future__ import annotations

from collections import Counter
from math import comb

from harness.data.captioned.meaning import UNSAID, Group, Meaning, fits
from harness.data.captioned.tasks import captioned
from harness.data.captioned.world import World


def ceilings(world: World, compositional: bool, k: int) -> tuple[float, float]:
    """The best recall at k of text by item and of items by text."""
    rows = captioned(world, compositional)
    items: dict[frozenset[Group], list[int]] = {}
    for index, (_, meaning, _) in enumerate(rows):
        items.setdefault(_always_said(meaning), []).append(index)
    true_of = [
        [index for index in items[_always_said(description)] if fits(description, rows[index][1])]
        for _, _, of_item in rows
        for description in of_item
    ]
    true_captions = Counter(index for indices in true_of for index in indices)
    by_item = []
    for index, (_, _, of_item) in enumerate(rows):
        m, rest = true_captions[index], true_captions[index] - len(of_item)
        by_item.append(1 - comb(rest, k) / comb(m, k) if m >= k else 1.0)
    by_text = [min(1.0, k / len(indices)) for indices in true_of]
    return sum(by_item) / len(by_item), sum(by_text) / len(by_text)


def _always_said(meaning: Meaning) -> frozenset[Group]:
    """What every caption of a task of retrieval says of an item."""
    return frozenset(group._replace(manner=UNSAID) for group in meaning.groups)
