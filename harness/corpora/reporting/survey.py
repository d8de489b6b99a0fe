"""One pass over a corpus that counts what a report says of all of it, and draws the sample for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import regex
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.corpora.reporting.facts import Cluster
from harness.corpora.rules.base import Removal, Text, make_rule
from harness.corpora.streams.counting import Distinct, Examples, Excerpt, Frequent
from harness.corpora.streams.duplicates import DuplicateFinder, Duplicates, digest
from harness.corpora.streams.parallel import Piece, pieces, through
from harness.corpora.streams.sampling import ContentSample
from harness.corpora.text.faults import SUSPECT, faults_of
from harness.corpora.text.minhash import Banding, codes_of, signatures
from harness.corpora.text.pii import find
from harness.data.document import Document, TextsHash

AROUND = 40
"""Characters of context on each side of an example."""
LINE = 400
"""Longer lines are no boilerplate."""
GROWTH_POINTS = 64
FIELDS = ("split", "label", "source", "domain", "url", "date", "timestamp", "created", "language", "lang", "author",
          "license", "dump", "category", "genre", "year")  # fmt: skip
"""Metadata that is counted."""
DATES = ("date", "timestamp", "created", "year")
YEAR = regex.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass
class PieceFacts:
    """What was counted of a piece."""

    words: NDArray[np.int64]
    characters: int
    lines: int
    codes: NDArray[np.uint64]
    digests: list[int]
    signatures: NDArray[np.uint32]
    faults: Counter[str] = field(default_factory=Counter)
    faulty: int = 0
    pii: Counter[str] = field(default_factory=Counter)
    with_pii: int = 0
    repetitive: Counter[str] = field(default_factory=Counter)
    repeated_lines: Counter[str] = field(default_factory=Counter)
    metadata: dict[str, Counter[str]] = field(default_factory=dict)
    examples: Examples = field(default_factory=Examples)


class PieceCounter:
    """Counts a piece; made once in each process."""

    def __init__(self, banding: Banding) -> None:
        self.banding = banding
        self.repetition = make_rule("gopher-repetition", {}, "report")

    def __call__(self, piece: Piece) -> PieceFacts:
        codes = [codes_of(item.text) for item in piece]
        facts = PieceFacts(
            words=np.array([len(item) for item in codes], dtype=np.int64),
            characters=sum(len(item.text) for item in piece),
            lines=sum(item.text.count("\n") + 1 for item in piece),
            codes=np.unique(np.concatenate(codes)) if codes else np.zeros(0, dtype=np.uint64),
            digests=[digest(item.text) for item in piece],
            signatures=signatures([item.text for item in piece], self.banding, codes),
        )
        for document in piece:
            self._count(document, facts)
        return facts

    def _count(self, document: Document, facts: PieceFacts) -> None:
        text, place = document.text, document.place
        if faults := faults_of(text):
            facts.faults.update(faults)
            facts.faulty += 1
            at = SUSPECT.search(text)
            facts.examples.add("faults", place, snippet(text, at.start() if at else 0, 1))
        if matches := find(text):
            facts.pii.update(match.kind for match in matches)
            facts.with_pii += 1
            for match in matches[:3]:
                facts.examples.add(match.kind, place, hidden(text, match.start, match.end))
        if len(text) >= 200 and isinstance(verdict := self.repetition.judge(Text(text)), Removal):
            facts.repetitive[verdict.reason] += 1
            facts.examples.add("repetition", place, text[: 4 * AROUND])
        if "\n" in text:
            facts.repeated_lines.update({line for line in map(str.strip, text.split("\n")) if 0 < len(line) <= LINE})
        for name in FIELDS:
            if name in document.metadata:
                value = _value(name, document.metadata[name])
                facts.metadata.setdefault(name, Counter())[value] += 1


def _value(name: str, value: Any) -> str:
    text = str(value)
    if name == "url":
        return urlsplit(text).hostname or text[:80]
    if name in DATES:
        year = YEAR.search(text)
        return year[0] if year else text[:10]
    return text[:80]


def snippet(text: str, start: int, length: int) -> str:
    """A piece of a text with what stands around it."""
    return text[max(0, start - AROUND) : start + length + AROUND].replace("\n", " ")


def hidden(text: str, start: int, end: int) -> str:
    """Personal data with what stands around it, all but its first letters hidden."""
    kept = min(3, (end - start) // 3)
    masked = text[start : start + kept] + "•" * (end - start - kept)
    return (text[max(0, start - AROUND) : start] + masked + text[end : end + AROUND]).replace("\n", " ")


@dataclass
class Survey:
    """What one pass counted.

    Attributes:
        sample: The sample for what is not counted of all.
        documents: Documents that are not blank.
        blank: Those that are.
        bytes: UTF-8 bytes of their texts.
        characters: Of their texts.
        lines: Of their texts.
        total_words: Words, letters' case and digits aside.
        fingerprint: SHA-256 of the texts, each after its length.
        lengths: Documents by their words, in powers of two.
        growth: Pairs of words so far and distinct words so far.
        faults: Faults of encoding by kind; `faulty` documents have some.
        pii: Pieces of personal data by kind; `with_pii` documents have some.
        repetitive: Documents that repeat themselves, by the reason.
        repeated_lines: Lines of documents of several lines, by the documents that they stand in.
        metadata: Values of the fields that say where a text is from.
        examples: A few of each of these.
        duplicates: Equal and similar documents.
        clusters: The largest groups of them, with texts.
    """

    sample: ContentSample
    documents: int = 0
    blank: int = 0
    bytes: int = 0
    characters: int = 0
    lines: int = 0
    total_words: int = 0
    fingerprint: str = ""
    lengths: NDArray[np.int64] = field(default_factory=lambda: np.zeros(48, dtype=np.int64))
    growth: list[tuple[int, float]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    faulty: int = 0
    pii: Counter[str] = field(default_factory=Counter)
    with_pii: int = 0
    repetitive: Counter[str] = field(default_factory=Counter)
    repeated_lines: Frequent = field(default_factory=Frequent)
    metadata: dict[str, Frequent] = field(default_factory=dict)
    examples: Examples = field(default_factory=Examples)
    duplicates: Duplicates | None = None
    clusters: list[Cluster] = field(default_factory=list)


def survey(
    documents: Iterable[Document],
    scratch: Path,
    *,
    banding: Banding,
    sample: int,
    seed: int,
    workers: int,
    where: str,
    tell: Callable[[int, int], None] = lambda documents, size: None,
) -> Survey:
    """Count a stream of documents.

    Args:
        documents: The documents; blank ones are counted and left out.
        scratch: A folder for keys and signatures.
        banding: How near duplicates are found.
        sample: Distinct documents of the sample.
        seed: Of the sample.
        workers: Processes that count.
        where: What the corpus is called in messages.
        tell: Called now and then with the documents and bytes so far.

    Raises:
        HarnessError: there is no document.
    """
    totals = Survey(ContentSample(sample, seed))
    hashed, distinct = TextsHash(), Distinct()
    finder = DuplicateFinder(scratch, True, banding)
    next_point = 1000
    for piece, facts in through(PieceCounter, (banding,), pieces(_sound(documents, totals, hashed)), workers):
        for document in piece:
            totals.sample.add(document)
        totals.documents += len(piece)
        totals.characters += facts.characters
        totals.lines += facts.lines
        totals.total_words += int(facts.words.sum())
        bins = np.floor(np.log2(np.maximum(facts.words, 1))).astype(np.int64)
        totals.lengths += np.bincount(bins, minlength=48)[:48]
        distinct.add(facts.codes)
        if totals.total_words >= next_point:
            totals.growth.append((totals.total_words, distinct.estimate()))
            next_point = int(totals.total_words * 1.25)
        for name in ("faults", "pii", "repetitive"):
            getattr(totals, name).update(getattr(facts, name))
        totals.faulty += facts.faulty
        totals.with_pii += facts.with_pii
        totals.repeated_lines.update(facts.repeated_lines)
        for name, counts in facts.metadata.items():
            totals.metadata.setdefault(name, Frequent(2_000)).update(counts)
        totals.examples.merge(facts.examples.by_kind)
        finder.add(facts.digests, facts.signatures)
        tell(totals.documents, totals.bytes)
    if not totals.documents:
        raise HarnessError(f"{where}: there is no document in it")
    if not totals.growth or totals.growth[-1][0] != totals.total_words:
        totals.growth.append((totals.total_words, distinct.estimate()))
    totals.fingerprint = hashed.hexdigest()
    totals.duplicates = finder.find()
    return totals


def _sound(documents: Iterable[Document], totals: Survey, hashed: TextsHash) -> Iterable[Document]:
    for document in documents:
        if document.is_blank:
            totals.blank += 1
            continue
        totals.bytes += hashed.add(document.text)
        yield document


def cluster_examples(
    documents: Iterable[Document], duplicates: Duplicates, most: int = 10, members: int = 4
) -> list[Cluster]:
    """The largest groups of duplicates with the texts of some members, by a second pass."""
    sizes = sorted(duplicates.clusters().items(), key=lambda item: (-item[1], item[0]))[:most]
    groups: dict[int, list[Excerpt]] = {kept: [] for kept, _ in sizes}
    for number, document in enumerate(document for document in documents if not document.is_blank):
        group = groups.get(int(duplicates.kept_for[number]))
        if group is not None and len(group) < members:
            group.append(Excerpt(place=document.place, text=document.text[:300]))
    return [Cluster(size=size, members=groups[kept]) for kept, size in sizes]
