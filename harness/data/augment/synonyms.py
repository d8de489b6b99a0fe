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

WORDNET = "wordnet"
LARGEST_FILE = 2**26
"""Bytes of a file of synonyms."""


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
    """Of a word in its base form, the words of its most frequent senses; an inflected one has none, since what is
    put in its place would be in another form.
    """
    corpus, fingerprint = _installed()

    @cache
    def of(word: str) -> tuple[str, ...]:
        plain = word.lower()
        if not plain.isalpha() or (word.isupper() and len(word) > 1):
            return ()
        ranked = _ranked(corpus, plain, senses)
        names = [lemma.name() for synset in ranked for lemma in synset.lemmas()]
        single = [name for name in dict.fromkeys(names) if name.isalpha() and name.islower() and name != plain]
        return tuple(name for name in single if not is_negation(name))

    return Thesaurus(of, fingerprint)


def _ranked(corpus: Any, word: str, senses: int) -> list[Any]:
    """The most frequent synsets that hold a word in this form, ties as WordNet orders them; none where the word is used
    for others more often than for these, or where it has more and nobody has counted.
    """
    held = [(synset, lemma) for synset in corpus.synsets(word) for lemma in synset.lemmas() if lemma.name() == word]
    counted = sorted(enumerate(held), key=lambda pair: (-pair[1][1].count(), pair[0]))
    counts = [lemma.count() for _, (_, lemma) in counted]
    frequent = sum(counts[:senses])
    if len(counts) > senses and (not frequent or 2 * frequent < sum(counts)):
        return []
    return [synset for _, (synset, _) in counted[:senses]]


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
