"""A corpus against the evaluation examples of tasks: which of them stand in it, and where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.corpora.contamination.facts import Contamination, FoundExample, Method, Needed, TaskContamination
from harness.corpora.contamination.index import LOOSE, NGRAM, SHORTEST, STRICT, ContaminationIndex, Example, Match
from harness.corpora.streams.parallel import Piece, pieces, through
from harness.data.document import Document
from harness.stats.bootstrap import wilson

EVERYWHERE = 5
"""Documents: an example of fewer than 13 words that stands in so many is taken for a common phrase."""
SENTENCE = 13
SHOWN = 10
"""Examples of each task that are shown."""
SNIPPET = 200


@dataclass(frozen=True)
class Hit:
    """An example that stands in the corpus: the best of its matches."""

    example: int
    documents: int
    place: str
    snippet: str
    match: Match


class Scanner:
    """Looks for examples in pieces; made once in each process."""

    def __init__(self, index: ContaminationIndex) -> None:
        self.index = index

    def __call__(self, piece: Piece) -> list[tuple[str, str, Match]]:
        return [
            (document.place, " ".join(document.text.split()[max(0, match.start - 5) : match.end + 5])[:SNIPPET], match)
            for document in piece
            for match in self.index.matches(document.text)
        ]


def scan(
    documents: Iterable[Document],
    index: ContaminationIndex,
    workers: int = 1,
    tell: Callable[[int, int], None] = lambda documents, size: None,
) -> list[Hit]:
    """The examples that stand in a corpus.

    Args:
        documents: The corpus.
        index: The evaluation examples.
        workers: Processes that look.
        tell: Called now and then with the documents and characters so far.

    Returns:
        Of each example that was found the best match and how many documents hold it, in the order of the examples.
    """
    best: dict[int, tuple[str, str, Match]] = {}
    counts: dict[int, int] = defaultdict(int)
    done = size = 0
    for piece, matches in through(Scanner, (index,), pieces(documents), workers):
        for place, snippet, match in matches:
            counts[match.example] += 1
            known = best.get(match.example)
            if known is None or _rank(match) > _rank(known[2]):
                best[match.example] = place, snippet, match
        done, size = done + len(piece), size + sum(len(document.text) for document in piece)
        tell(done, size)
    return [Hit(number, counts[number], *best[number]) for number in sorted(best)]


def _rank(match: Match) -> tuple[bool, float, bool]:
    return match.exact, match.overlap, match.answered


def contamination(index: ContaminationIndex, hits: Sequence[Hit], data: str, absent: dict[str, str]) -> Contamination:
    """What a report says: of each task and split how many examples are dirty, with Wilson's interval, and which."""
    examples = index.examples
    words = [len(example.text.split()) for example in examples]
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        groups[example.task, example.split].append(number)
    by_number = {hit.example: hit for hit in hits}
    rows = []
    for (task, split), numbers in groups.items():
        held = [by_number[number] for number in numbers if number in by_number]
        dirty = [hit for hit in held if not is_common(hit, words[hit.example])]
        n = len(numbers)
        low, high = wilson(len(dirty), n)
        shown = sorted(dirty, key=lambda hit: (-hit.match.exact, -hit.match.overlap))[:SHOWN]
        rows.append(
            TaskContamination(
                task=task, split=split, n=n,
                not_judged=sum(not index.is_judged(number) for number in numbers),
                dirty=len(dirty), fraction=round(len(dirty) / n, 5), interval=(round(low, 5), round(high, 5)),
                exact=sum(hit.match.exact for hit in dirty),
                thirteen_grams=sum(hit.match.long for hit in dirty),
                with_answer=sum(hit.match.answered for hit in dirty),
                common_phrases=len(held) - len(dirty),
                ids=[examples[hit.example].id for hit in dirty],
                examples=[_shown(examples[hit.example], hit) for hit in shown],
            )
        )  # fmt: skip
    needed = Needed(words=(STRICT[0], LOOSE[0]), overlap=(STRICT[1], LOOSE[1]))
    method = Method(ngram=NGRAM, shortest_words=SHORTEST, needed=needed)
    return Contamination(data=data, tasks=rows, absent=absent, method=method)


def is_common(hit: Hit, words: int) -> bool:
    """Whether what was found is a phrase that stands in many documents, not an example that leaked."""
    return words < SENTENCE and hit.documents >= EVERYWHERE


def _shown(example: Example, hit: Hit) -> FoundExample:
    return FoundExample(
        id=example.id, text=example.text[:SNIPPET], place=hit.place, found=hit.snippet,
        overlap=round(hit.match.overlap, 3), documents=hit.documents, with_answer=hit.match.answered,
    )  # fmt: skip
