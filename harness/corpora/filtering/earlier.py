"""Which documents of a sample resemble an earlier document of the corpus, by a second pass over it.

A sample of documents shows few of its near duplicates, whose other halves are mostly outside of it. So each document of
the corpus is compared with those of the sample that come after it, in the way of the filter itself: where they share a
band, and both are left by the other rules. What resembles an earlier document only by way of a later one is not seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.corpora.filtering.filtering import Judge
from harness.corpora.streams.parallel import Piece, pieces
from harness.corpora.text.minhash import Banding, band_keys, signatures, similarity
from harness.data.document import Document


class EarlierLikes:
    """Looks for documents that come before those of a sample and resemble them.

    Args:
        sample: Of each document its number in the corpus, itself, and its text as the other rules leave it.
        judge: Applies the rules.
        banding: What documents are near duplicates.
    """

    def __init__(self, sample: Mapping[int, tuple[Document, str]], judge: Judge, banding: Banding) -> None:
        self.repeated: set[int] = set()
        self._numbers = sorted(sample)
        self._judge, self._banding = judge, banding
        texts = [sample[number] for number in self._numbers]
        self._signatures = signatures([document.text for document, _ in texts], banding)
        self._left = signatures([left for _, left in texts], banding)
        holders: dict[int, list[int]] = defaultdict(list)
        for at, keys in enumerate(band_keys(self._signatures, banding).tolist()):
            for key in keys:
                holders[key].append(at)
        self._holders = holders
        self._known = np.array(sorted(holders), dtype=np.uint64)

    def look(
        self, documents: Iterable[Document], tell: Callable[[int, int], None] = lambda documents, size: None
    ) -> set[int]:
        """Read the corpus; returns the numbers of the sampled documents that resemble an earlier one."""
        first = size = 0
        for piece in pieces(documents):
            if not self._numbers or first >= self._numbers[-1]:
                break
            self._compare(piece, first)
            first += len(piece)
            size += sum(len(document.text) for document in piece)
            tell(first, size)
        return self.repeated

    def _compare(self, piece: Piece, first: int) -> None:
        made = signatures([document.text for document in piece], self._banding)
        by_row: dict[int, set[int]] = defaultdict(set)
        keys = band_keys(made, self._banding)
        places = np.minimum(np.searchsorted(self._known, keys), len(self._known) - 1)
        for row, column in np.argwhere(self._known[places] == keys).tolist():
            later = (at for at in self._holders[int(keys[row, column])] if self._numbers[at] > first + row)
            by_row[row].update(at for at in later if self._is_open(at, made[row]))
        rows = [row for row, sampled in by_row.items() if sampled]
        outcomes = self._judge.outcomes([piece[row] for row in rows])
        kept = {row: outcome.text for row, outcome in zip(rows, outcomes, strict=True) if outcome.text is not None}
        for row, left in zip(kept, signatures(list(kept.values()), self._banding), strict=True):
            self.repeated |= {self._numbers[at] for at in by_row[row] if self._is_like(at, left)}

    def _is_open(self, at: int, made: NDArray[np.uint32]) -> bool:
        """Whether it is not found yet, and the texts are so alike that those which the rules leave may be."""
        is_found = self._numbers[at] in self.repeated
        return not is_found and bool(similarity(self._signatures[at], made) >= self._banding.similarity / 2)

    def _is_like(self, at: int, left: NDArray[np.uint32]) -> bool:
        same = self._left[at] == left
        in_a_band = same.reshape(self._banding.bands, self._banding.rows).all(axis=1).any()
        return bool(in_a_band and same.mean() >= self._banding.similarity)
