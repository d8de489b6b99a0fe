"""Unlabelled text for pretraining: the synthetic world, files or a hub dataset, as a stream of documents.

Whatever its size, a corpus takes the memory of its longest document: nothing here holds a file or a split. Two passes
give the same documents in the same order, and a document's own text decides whether it is held out for evaluation.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from harness.core import code_identity
from harness.core.errors import DamagedFileError, HarnessError
from harness.core.hashing import hash_json, states_of
from harness.data import synthetic
from harness.data.corpus_files import unreadable
from harness.data.document import Corpus, CorpusOptions, TextsHash
from harness.data.pair_corpus import PairCorpus
from harness.data.source import asked_source

HELD_OUT_FRACTION = 1 / 20
"""About this fraction of the documents is for evaluation."""


def open_corpus(where: str, sentences: int = 20_000, field: str = "text") -> Corpus:
    """The corpus that `where` names: `synthetic`, `hub:ID` or `hub:ID:CONFIG@REVISION`, `NAME[:REST]` of another
    registered data source, a file, or a folder.

    A folder's files are read in the order of their relative paths; hidden ones, other kinds and links to folders are
    left out. Text files (.txt, .text, .md) hold documents between blank lines; .jsonl and .parquet, like the hub, one
    a record under `field`. `sentences` is the size of the synthetic corpus.

    Raises:
        HarnessError: there is nothing of that name, nothing readable in it, or the hub cannot be reached.
    """
    asked = asked_source(where)
    return asked.source.corpus(asked.rest, CorpusOptions(sentences, field))


def state(corpus: Corpus | PairCorpus, code: str = "harness.data.corpus_files") -> str:
    """A hash that changes whenever the documents could, found without reading them; "" where nothing pins them.

    It covers the code that makes or reads them, which is the module `code` with all that it imports, the files' paths
    and states, or the hub's commit if one was asked for.

    Raises:
        HarnessError: a file has gone.
    """
    if corpus.pin is None:
        return ""
    try:
        states = states_of(corpus.files)
    except OSError as error:
        raise unreadable(error.filename, error) from None
    stats = [[str(path.resolve()), *state] for path, state in zip(corpus.files, states, strict=True)]
    return hash_json(
        {
            "code": code_identity.identity(code),
            "pin": corpus.pin,
            "files": stats,
        }
    )


def facts(corpus: Corpus) -> dict[str, Any]:
    """One pass over the documents: `source`, `location`, `documents`, `bytes` (UTF-8), `held_out`, `fingerprint`.

    The fingerprint is that of `TextsHash`.

    Raises:
        HarnessError: there is no document, or as `Corpus.documents`.
    """
    hashed = TextsHash()
    documents = size = held_out = 0
    for document in corpus.documents():
        documents += 1
        size += hashed.add(document)
        held_out += is_held_out(document)
    if not documents:
        raise HarnessError(f"{corpus.location}: there is no document in it")
    fingerprint = hashed.hexdigest()
    if corpus.made is not None and corpus.made.fingerprint != fingerprint:
        raise DamagedFileError(f"{corpus.location}: the text is not what its manifest names; filter it again")
    return {
        **({"made": corpus.made.as_json()} if corpus.made is not None else {}),
        "source": corpus.source,
        "location": corpus.location,
        "documents": documents,
        "bytes": size,
        "held_out": held_out,
        "fingerprint": fingerprint,
    }


def is_held_out(document: str) -> bool:
    """Whether a document is for evaluation. Its text alone decides, so that copies are on one side."""
    drawn = int.from_bytes(blake2b(document.encode(), digest_size=8).digest(), "big")
    return drawn < HELD_OUT_FRACTION * 2**64


TOKENIZER_SENTENCES = 20_000
"""Sentences of the synthetic corpus a tokenizer is trained on."""


def synthetic_sentences() -> list[str]:
    """What a tokenizer is trained on that is not the task's own."""
    return list(synthetic.corpus(TOKENIZER_SENTENCES))
