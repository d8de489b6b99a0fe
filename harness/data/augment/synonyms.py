"""Synonyms, from a WordNet that the user has installed or from a plain file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import states_of
from harness.core.reading import expanded, is_file, read_text
from harness.core.strict_yaml import load_mapping
from harness.data.augment.text import is_negation
from harness.data.augment.vocabulary import STOP_WORDS

WORDNET = "wordnet"
LARGEST_FILE = 2**26
"""Bytes of a file of synonyms."""
FEWEST = 5
"""Places in WordNet's texts that a sense is meant in, of a word that has several."""


@dataclass(frozen=True)
class Thesaurus:
    """The synonyms of words, and the hash of what they are from."""

    of: Callable[[str], tuple[str, ...]]
    fingerprint: str


def thesaurus(source: str, senses: int) -> Thesaurus:
    """The synonyms of `wordnet` or of a file.

    Raises:
        HarnessError: WordNet is not installed, the file is not there, or it is none of synonyms.
    """
    if source == WORDNET:
        return _wordnet(senses)
    path = expanded(source)
    if not is_file(path):
        raise HarnessError(f"synonyms '{source}': no such file; give wordnet, or a .yaml or .tsv of word and synonyms")
    (state,) = states_of([path])
    return _of_file(path, tuple(state))


@lru_cache(maxsize=4)
def _of_file(path: Path, state: tuple[int, ...]) -> Thesaurus:
    table = _of_yaml(path) if path.suffix in (".yaml", ".yml") else _of_tsv(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Thesaurus(lambda word: table.get(word.lower(), ()), digest)


def _of_yaml(path: Path) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for word, synonyms in load_mapping(path).items():
        values: Any = [synonyms] if isinstance(synonyms, str) else synonyms
        if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
            raise HarnessError(f"{path}: {word}: a list of synonyms is expected, such as {word}: [a, b]")
        table[str(word).lower()] = tuple(values)
    return _not_empty(table, path)


def _of_tsv(path: Path) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_text(path, LARGEST_FILE).splitlines(), 1):
        word, *synonyms = (part.strip() for part in line.split("\t"))
        if not word and not synonyms:
            continue
        if not word or not all(synonyms) or not synonyms:
            raise HarnessError(f"{path}, line {number}: a word and its synonyms are expected, with tabs between them")
        if word.lower() in table:
            raise HarnessError(f"{path}, line {number}: '{word}' is given twice")
        table[word.lower()] = tuple(synonyms)
    return _not_empty(table, path)


def _not_empty(table: dict[str, tuple[str, ...]], path: Path) -> dict[str, tuple[str, ...]]:
    if not table:
        raise HarnessError(f"{path}: no synonyms in it")
    return table


@cache
def _wordnet(senses: int) -> Thesaurus:
    """Of a word in its base form, other words of its most frequent senses; of one sense alone only where that is meant
    most of the time, and only words that WordNet's texts have in it. An inflected word has none, since what is put in
    its place would be in another form.
    """
    corpus, fingerprint = _installed()

    @cache
    def of(word: str) -> tuple[str, ...]:
        plain = word.lower()
        if not plain.isalpha() or (word.isupper() and len(word) > 1) or corpus.morphy(plain, "v") not in (None, plain):
            return ()
        counted = _senses(corpus, plain)
        sure = senses > 1 or len(counted) == 1 or _is_usual([count for count, _ in counted])
        lemmas = [lemma for _, synset in counted[:senses] for lemma in synset.lemmas()] if sure else []
        common = [lemma.name() for lemma in lemmas if senses > 1 or lemma.count()]
        single = [name for name in dict.fromkeys(common) if name.isalpha() and name.islower() and name != plain]
        return tuple(name for name in single if not is_negation(name) and name not in STOP_WORDS)

    return Thesaurus(of, fingerprint)


def _is_usual(counts: list[int]) -> bool:
    """Whether the first sense is that of more than half of the places, and of enough of them."""
    return bool(counts) and counts[0] >= FEWEST and 2 * counts[0] > sum(counts)


def _senses(corpus: Any, word: str) -> list[tuple[int, Any]]:
    """The synsets that hold a word in this form, with how often WordNet's texts mean it so, the most frequent first; of
    equally frequent ones in WordNet's order.
    """
    held = [
        (lemma.count(), synset) for synset in corpus.synsets(word) for lemma in synset.lemmas() if lemma.name() == word
    ]
    return sorted(held, key=lambda pair: -pair[0])


@cache
def _installed() -> tuple[Any, str]:
    """NLTK's WordNet, and the hash of its files. Raises HarnessError where it is not there."""
    try:
        from nltk.corpus import wordnet
    except ImportError:
        raise HarnessError(f"synonyms of WordNet need NLTK: pip install nltk, then {DOWNLOAD}") from None
    try:
        wordnet.ensure_loaded()
        digest = hashlib.sha256()
        for name in sorted(wordnet.fileids()):
            if name.startswith(("data.", "index.", "cntlist")):
                with closing(wordnet.root.join(name).open()) as file:
                    digest.update(name.encode() + file.read())
    except (LookupError, OSError):
        raise HarnessError(
            f"synonyms of WordNet need its files: {DOWNLOAD}; or give a file, synonyms: FILE.tsv"
        ) from None
    return wordnet, digest.hexdigest()


DOWNLOAD = "python -c \"import nltk; nltk.download('wordnet')\""
