"""A text as an operation sees it: its words, what of it must stay, and new texts made of its pieces."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from harness.data.augment.vocabulary import NEGATIONS, NUMBER_WORDS

CONJUNCTION = re.compile(
    r"[.,;:!?()…—]|(?<!\w)(?:and|or|but|though|although|however|yet|because|while|whereas|if)(?!\w)", re.I
)
"""Where what a negation is of ends, at the latest."""

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
UNBROKEN = re.compile(r"\S+")
DIGIT = re.compile(r"\d")
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\uac00-\ud7af]")
"""Scripts without blanks between words, and Korean, whose words are phrases."""
SENTENCE = re.compile(r"\S.*?(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|$)", re.S)
ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|No)\.$")


class Span(NamedTuple):
    """Characters of a text, from `start` up to `end`."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        """Whether they have a character in common."""
        return self.start < other.end and other.start < self.end


Pieces = Sequence[Span | str]
"""A new text: pieces of the old one, and what is new, in order."""


def is_negation(word: str) -> bool:
    """Whether a word negates: `not`, `never`, `doesn't`."""
    plain = word.lower().replace("’", "'")
    return plain in NEGATIONS or plain.endswith("n't")


class Text:
    """A text to be changed.

    Attributes:
        text: The text.
        answers: Where the answers stand in it; nothing there is changed.
    """

    def __init__(self, text: str, answers: Sequence[Span] = (), protect: frozenset[str] = frozenset()) -> None:
        self.text = text
        self.answers = answers
        self._protect = protect

    def __getitem__(self, span: Span) -> str:
        return self.text[span.start : span.end]

    @cached_property
    def words(self) -> list[Span]:
        """Its words."""
        return [Span(*match.span()) for match in WORD.finditer(self.text)]

    @cached_property
    def kept(self) -> list[Span]:
        """What must stay, in order: negations, numbers, answers, words of `protect`, and what is written
        without blanks between words.
        """
        numbers = [Span(*match.span()) for match in UNBROKEN.finditer(self.text) if DIGIT.search(match[0])]
        words = [span for span in self.words if self._stays(self[span])]
        joined_spans: list[Span] = []
        for span in sorted([*numbers, *words, *self.answers]):
            if joined_spans and span.start < joined_spans[-1].end:
                joined_spans[-1] = Span(joined_spans[-1].start, max(joined_spans[-1].end, span.end))
            else:
                joined_spans.append(span)
        return joined_spans

    def _stays(self, word: str) -> bool:
        plain = word.lower()
        return is_negation(word) or plain in NUMBER_WORDS or plain in self._protect or UNSPACED.search(word) is not None

    @cached_property
    def free(self) -> list[Span]:
        """The words that may be changed."""
        return [span for span in self.words if not self.is_kept(span)]

    def is_kept(self, span: Span) -> bool:
        """Whether something in the span must stay."""
        place = bisect_left(self._kept_ends, span.start + 1)
        return place < len(self.kept) and self.kept[place].start < span.end

    @cached_property
    def _kept_ends(self) -> list[int]:
        return [kept.end for kept in self.kept]

    @cached_property
    def negated(self) -> frozenset[Span]:
        """The words right behind a negation."""
        return frozenset(span for before, span in pairwise(self.words) if is_negation(self[before]))

    @cached_property
    def gaps(self) -> list[int]:
        """Where a word may be put in: before a word behind a blank, but not right behind a negation, nor within what
        must stay.
        """
        places = [span.start for span in self.words if span not in self.negated]
        after_blank = [place for place in places if place == 0 or self.text[place - 1].isspace()]
        spaced = [place for place in after_blank if not UNSPACED.match(self.text, place)]
        starts = {kept.start for kept in self.kept}
        return [place for place in spaced if place in starts or not self.is_kept(Span(place, place + 1))]

    @cached_property
    def stretches(self) -> list[list[Span]]:
        """The words that may be changed, in runs between what must stay, and, where something is negated, between
        punctuation and conjunctions: what crosses such a bound says another thing.
        """
        runs: list[list[Span]] = [[]]
        clauses = {match.start() for match in CONJUNCTION.finditer(self.text)} if self.negated else set()
        bounds = sorted([*clauses, *(kept.start for kept in self.kept)])
        passed = 0
        for span in self.free:
            reached = bisect_right(bounds, span.start)
            if reached > passed:
                runs.append([])
            passed = reached
            if span.start not in clauses:
                runs[-1].append(span)
        return [run for run in runs if run]

    @cached_property
    def sentences(self) -> list[Span]:
        """Its sentences, without the blanks between them."""
        spans: list[Span] = []
        for match in SENTENCE.finditer(self.text):
            if spans and ABBREVIATION.search(self[spans[-1]]):
                spans[-1] = Span(spans[-1].start, match.end())
            else:
                spans.append(Span(*match.span()))
        return spans

    def edited(self, edits: Iterable[tuple[Span, str | Span]]) -> Pieces:
        """The text with spans of it, which do not overlap, replaced by others of it or by new text."""
        pieces: list[Span | str] = []
        reached = 0
        for span, new in sorted(edits, key=lambda edit: edit[0]):
            pieces += [Span(reached, span.start), new]
            reached = span.end
        return [*pieces, Span(reached, len(self.text))]

    def without(self, spans: Iterable[Span]) -> Pieces:
        """The text without these words, nor the blank before each; at the beginning that behind it."""
        edits: list[tuple[Span, str]] = []
        for span in sorted(spans):
            start, end = span
            reached = edits[-1][0].end if edits else 0
            if start > reached and self.text[start - 1].isspace():
                start -= 1
            elif self.text[end : end + 1].isspace():
                end += 1
            edits.append((Span(start, end), ""))
        return self.edited(edits)


def joined(text: str, pieces: Pieces) -> str:
    """The new text."""
    return "".join(piece if isinstance(piece, str) else text[piece.start : piece.end] for piece in pieces)


def moved(span: Span, pieces: Pieces) -> int | None:
    """Where a span of the old text begins in the new one; None where it is not there in one piece."""
    place = 0
    run: tuple[int, int, int] | None = None
    for piece in pieces:
        if isinstance(piece, str):
            place += len(piece)
            run = None if piece else run
            continue
        if piece.start == piece.end:
            continue
        follows = run is not None and run[1] == piece.start
        run = (run[0], piece.end, run[2]) if follows and run else (piece.start, piece.end, place)
        place += piece.end - piece.start
        if run[0] <= span.start and span.end <= run[1]:
            return run[2] + span.start - run[0]
    return None
