"""Words and sentences of a text, at the speed of a split at white space.

Every piece between white space is cut into words once and remembered: punctuation, contractions and abbreviations as
spaCy's English tokenizer takes them (Honnibal et al. 2020), by far fewer rules; each ideograph is a word. With
`splitter="spacy"` the pieces are cut by spaCy itself, so that counts are those of tools that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Literal
from unicodedata import category

import regex

from harness.core.errors import HarnessError
from harness.corpora.text.cached import CachedValues

Splitter = Literal["rules", "spacy"]
CACHED_AT_MOST = 1 << 18
"""Pieces whose words are remembered; then all are forgotten, so that memory stays bounded."""

URL = regex.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
ABBREVIATIONS = regex.compile(
    r"(?i)(?:mrs?|ms|dr|prof|st|[js]r|co|corp|inc|ltd|bros|v\.?s|etc|e\.g|i\.e|[ap]\.m|gen|gov|rep|sen|rev|adm|mt|messrs|ph\.d"
    r"|d\.c|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\."
)
INITIALS = regex.compile(r"(?:\p{L}\.)+")
CONTRACTION = regex.compile(r"(?i)(?<=\p{L})(?:n['’]t|['’](?:s|re|ve|ll|d|m))$")
IDEOGRAPH = r"\p{Han}\p{Hiragana}\p{Katakana}"
JOINED = regex.compile(
    rf"[{IDEOGRAPH}]|\.{{2,}}|…|(?<=\p{{L}})(?:[-–—~]|--)(?=\p{{L}})|(?<=[\p{{L}}\p{{N}}])[:<>=/](?=\p{{L}})"
    r"|(?<=\p{L}),(?=\p{L})|(?<=\p{N})[+\-*^](?=[\p{N}-])|(?<=\p{Ll})\.(?=\p{Lu})"
)
"""What parts words inside a piece."""
FIRST = regex.compile(r"\.{2,}|…|--+|\p{Sc}|[\p{P}\p{So}=+~|<>`^--@](?!\p{N}*$)|[\p{Ps}\p{Pi}\"'“‘#&*]", regex.V1)
LAST = regex.compile(r"(?:\.{2,}|…|--+|['’]s|(?<=\p{N})%|[\p{P}\p{Sc}\p{So}=+~|<>`^--@])$", regex.IGNORECASE | regex.V1)
WHOLE = regex.compile(r"(?i)['’](?:s|re|ve|ll|d|m|em|til|cause)|n['’]t|[:;=8][-o^']?[()\[\]dp/|*]|<3|@\S*@")
ENDS = regex.compile(r"\p{Sentence_Terminal}")


END, PUNCTUATION, WORD = ".", ",", "w"


def is_punctuation(word: str) -> bool:
    """Whether a word is nothing but punctuation (Unicode's categories P), as spaCy has it."""
    return all(category(letter).startswith("P") for letter in word)


def kind_of(word: str) -> str:
    """`END` for one sign that ends sentences, `PUNCTUATION` for other punctuation, else `WORD`."""
    if len(word) == 1 and ENDS.match(word):
        return END
    return PUNCTUATION if is_punctuation(word) else WORD


class Words(CachedValues[tuple[str, ...]]):
    """The words of each piece between white space, made when first asked for."""

    def __init__(self, splitter: Splitter = "rules") -> None:
        super().__init__(words_of_piece if splitter == "rules" else _spacy(), CACHED_AT_MOST)
        self._kinds = CachedValues(self._kinds_of, CACHED_AT_MOST)

    def of(self, text: str) -> list[str]:
        """The words of a text, in order; white space is none."""
        return list(chain.from_iterable(map(self.__getitem__, text.split())))

    def sentences(self, text: str) -> int:
        """How many sentences a text has: a new one begins with the first word after its end that is no punctuation."""
        return self.sentences_of(text.split())

    def sentences_of(self, pieces: Sequence[str]) -> int:
        """How many sentences the pieces between the white space of a text make."""
        kinds = "".join(map(self._kinds.__getitem__, pieces))
        return bool(kinds) + kinds.replace(PUNCTUATION, "").count(END + WORD)

    def _kinds_of(self, piece: str) -> str:
        return "".join(map(kind_of, self[piece]))


@cache
def words_by(splitter: Splitter) -> Words:
    """The one cutter of its kind in this process."""
    return Words(splitter)


def words_of_piece(piece: str) -> tuple[str, ...]:
    """The words of what stands between white space."""
    if piece.isalnum() and not regex.search(f"[{IDEOGRAPH}]", piece):
        return (piece[:3], piece[3:]) if piece.lower() == "cannot" else (piece,)
    before: list[str] = []
    after: list[str] = []
    while piece and not _is_whole(piece):
        if first := FIRST.match(piece):
            before.append(first[0])
            piece = piece[first.end() :]
        elif last := CONTRACTION.search(piece) or LAST.search(piece):
            after.append(last[0])
            piece = piece[: last.start()]
        else:
            break
    inside = [piece] if not piece or _is_whole(piece) else _parted(piece)
    return tuple(word for word in (*before, *inside, *reversed(after)) if word)


def _is_whole(piece: str) -> bool:
    return (
        ABBREVIATIONS.fullmatch(piece) is not None
        or WHOLE.fullmatch(piece) is not None
        or INITIALS.fullmatch(piece) is not None
        or (len(piece) > 4 and URL.fullmatch(piece) is not None and not LAST.search(piece))
    )


def _parted(piece: str) -> list[str]:
    words, start = [], 0
    for match in JOINED.finditer(piece):
        words += [piece[start : match.start()], match[0]]
        start = match.end()
    return [*words, piece[start:]]


def _spacy() -> Callable[[str], tuple[str, ...]]:
    try:
        import spacy
    except ImportError:
        raise HarnessError("splitter: spacy needs the package spacy; pip install spacy") from None
    tokenizer = spacy.blank("en").tokenizer
    return lambda piece: tuple(word.text for word in tokenizer(piece))
