"""Items with captions for pretraining, by the source that they are asked of, and what a plan must know of them."""

from __future__ import annotations

from harness.core.errors import HarnessError
from harness.data import corpus as corpora
from harness.data.document import TextsHash
from harness.data.pair_corpus import PairCorpus
from harness.data.source import asked_source


def open_pairs(where: str, modality: str, size: int) -> PairCorpus:
    """The items with captions that `where` names, as `--corpus` does.

    Args:
        where: `synthetic`, `hub:ID`, `NAME[:REST]` of another source, or a path.
        modality: What the items are to be.
        size: How many pairs of a corpus that is generated.

    Raises:
        HarnessError: there is nothing of that name, or nothing of that modality in it.
    """
    asked = asked_source(where)
    return asked.source.pairs(asked.rest, modality, size)


def state(corpus: PairCorpus) -> str:
    """A hash that changes whenever the pairs could, found without reading them; "" where nothing pins them."""
    return corpora.state(corpus, "harness.data.item_pairs")


def facts(corpus: PairCorpus) -> dict[str, object]:
    """One pass: `source`, `location`, `documents` (pairs), `bytes` of the captions, `held_out`, `fingerprint`, which is
    over each pair's item and caption. Raises HarnessError where there is no pair.
    """
    hashed, pairs, size, held_out = TextsHash(), 0, 0, 0
    for pair in corpus.read():
        pairs += 1
        hashed.add(pair.item)
        size += hashed.add(pair.caption)
        held_out += corpora.is_held_out(pair.item)
    if not pairs:
        raise HarnessError(f"{corpus.location}: there is no {corpus.modality} in it")
    return {
        "source": corpus.source,
        "location": corpus.location,
        "documents": pairs,
        "bytes": size,
        "held_out": held_out,
        "fingerprint": hashed.hexdigest(),
    }
