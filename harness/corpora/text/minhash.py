"""MinHash signatures (Broder 1997) and the banding that finds near duplicates (Leskovec et al. 2020, chapter 3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Annotated, Literal
from zlib import crc32

import numpy as np
import regex
from numpy.typing import NDArray
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.strict_spec import Strict
from harness.corpora.text.cached import CachedValues

WORD = regex.compile(r"[\p{L}\p{M}]+|\p{N}+|\p{Han}")
BLOCK = 256
"""N-grams that are hashed at once, so that they stay in the processor's cache."""
NUMBER = regex.compile(r"\p{N}+")
RENSA_SEED = 20240613
Signature = NDArray[np.uint32]
Codes = NDArray[np.uint64]


class Banding(Strict):
    """How near duplicates are found: FineWeb's 14 bands of 8 rows over 5-grams of words, by default.

    Two documents whose sets of n-grams have the Jaccard similarity s share a band with the probability
    1 - (1 - s^rows)^bands; those that do are duplicates where their signatures agree in `similarity` of their rows.
    """

    ngram: Annotated[int, Field(ge=1, le=50)] = 5
    bands: Annotated[int, Field(ge=1, le=512)] = 14
    rows: Annotated[int, Field(ge=1, le=64)] = 8
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.7
    signatures: Annotated[Literal["numpy", "rensa"], Field(description="What makes them.")] = "numpy"

    @property
    def size(self) -> int:
        """Rows of a signature."""
        return self.bands * self.rows

    def recall(self, similarity: float) -> float:
        """The probability that two documents of that similarity are compared."""
        return 1.0 - (1.0 - similarity**self.rows) ** self.bands


@cache
def _functions(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Of `size` functions h(x) = (a x + b mod 2^64) div 2^32, universal for 32 bits (Dietzfelbinger 1996), a and b; the
    same everywhere.
    """
    drawn = np.random.Generator(np.random.PCG64(20240613)).integers(0, 1 << 64, (2, size), dtype=np.uint64)
    return drawn[0] | np.uint64(1), drawn[1]


def _codes_of_piece(piece: str) -> bytes:
    """32 bits of each word of a piece between white space."""
    words = WORD.findall(NUMBER.sub("0", piece.lower()))
    return b"".join(crc32(word.encode()).to_bytes(4, "little") for word in words)


CODES = CachedValues(_codes_of_piece, 1 << 18)


def codes_of(text: str) -> Codes:
    """32 bits of each word of a text, in order; letters' case, punctuation and digits do not count."""
    return np.frombuffer(b"".join(map(CODES.__getitem__, text.split())), dtype="<u4").astype(np.uint64)


def shingles(codes: Codes, ngram: int) -> Codes:
    """The n-grams of a text's words, as 32 bits each. A text of fewer words is one n-gram."""
    width = min(ngram, max(1, len(codes)))
    count = len(codes) - width + 1
    mixed = np.zeros(max(count, 0), dtype=np.uint64)
    for offset in range(width):
        mixed = (mixed ^ codes[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed >> np.uint64(32) if count > 0 else np.zeros(1, dtype=np.uint64)


def signatures(texts: Sequence[str], banding: Banding, codes: Sequence[Codes] | None = None) -> NDArray[np.uint32]:
    """The signatures of texts, one a row. `codes` are those of their words, where they are known.

    Raises:
        HarnessError: rensa is to make them, and it is not installed.
    """
    codes = list(map(codes_of, texts)) if codes is None else codes
    values = [
        # signs alone: like nothing but itself
        shingles(held if len(held) else np.array([crc32(text.strip().encode())], dtype=np.uint64), banding.ngram)
        for text, held in zip(texts, codes, strict=True)
    ]
    if not values:
        return np.empty((0, banding.size), dtype=np.uint32)
    return _by_rensa(values, banding) if banding.signatures == "rensa" else _by_numpy(values, banding)


def _by_numpy(values: Sequence[Codes], banding: Banding) -> NDArray[np.uint32]:
    return np.stack([_signature(row, banding) for row in values])


def _by_rensa(values: Sequence[Codes], banding: Banding) -> NDArray[np.uint32]:
    ends = np.cumsum([0, *map(len, values)], dtype=np.uint64)
    sketch = require_rensa().RMinHash.digest_matrix_from_flat_token_hashes
    return np.array(sketch(np.concatenate(values), ends, banding.size, RENSA_SEED).to_rows(), dtype=np.uint32)


def require_rensa() -> ModuleType:
    """The package rensa. Raises HarnessError where it is not installed."""
    try:
        import rensa
    except ImportError:
        raise HarnessError("signatures: rensa needs the package rensa; pip install 'nlp-harness[rensa]'") from None
    return rensa


def _signature(values: Codes, banding: Banding) -> Signature:
    """Of each hash function the least value over a text's n-grams."""
    factors, offsets = _functions(banding.size)
    least = np.full(banding.size, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(values), BLOCK):
        hashed = factors[:, None] * values[start : start + BLOCK]
        hashed += offsets[:, None]
        np.minimum(least, hashed.min(axis=1), out=least)
    return (least >> np.uint64(32)).astype(np.uint32)


def band_keys(signatures: NDArray[np.uint32], banding: Banding) -> NDArray[np.uint64]:
    """A key a band of each signature, of shape documents × bands: equal where all rows of a band are."""
    parts = signatures.reshape(len(signatures), banding.bands, banding.rows).astype(np.uint64)
    keys = np.arange(1, banding.bands + 1, dtype=np.uint64)[None, :] * np.uint64(0x9E3779B97F4A7C15)
    keys = np.repeat(keys, len(signatures), axis=0)
    for row in range(banding.rows):
        keys = (keys ^ parts[:, :, row]) * np.uint64(0xD6E8FEB86659FD93)
        keys ^= keys >> np.uint64(32)
    return keys


def similarity(first: Signature, other: Signature) -> NDArray[np.float64]:
    """The estimate of two texts' Jaccard similarity, of each of several signatures to another one where `first` is a
    matrix; its standard error is at most 0.5 / sqrt(rows).
    """
    return np.asarray(np.mean(first == other, axis=-1))
