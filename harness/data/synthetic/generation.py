"""Documents for language models: of the same sort as the corpus, but none that it holds.

What holds: the splits share no document, and `corpus(200_000)`, with seed 0, has none of theirs. The first is ensured
as they are drawn. For the second, the narrow patterns (what is a kind of what, what fits in what), whose documents
come up again in any large draw, are left out here; that none of the others is in that corpus was compared for this
version of the world, and a test compares it again. Of a larger corpus or another seed it is likely, but not ensured.
"""

from __future__ import annotations

from harness.data.synthetic.documents import PATTERNS, SHORTEST, document, kinds
from harness.data.synthetic.invent import Scope
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.texts import Piece

BROAD_PATTERNS = tuple(pattern for pattern in PATTERNS if pattern is not kinds)


def make(rng: Rng, scope: Scope) -> Piece | None:
    """A document; like the corpus, it may tell what is held out."""
    sentences = document(rng, rng.choice(BROAD_PATTERNS))
    if len(sentences) < SHORTEST:
        return None
    text = " ".join(sentences)
    return Piece(text, ({"text": text},), ())
