"""Unlabelled text for pretraining: the synthetic world, files or a hub dataset, as a stream of documents.

Whatever its size, a corpus takes the memory of its longest document: nothing here holds a file or a split. Two passes
give the same documents in the same order, and a document's own text decides whether it is held out for evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json, states_of
from harness.core.source_names import canonical
from harness.data import synthetic
from harness.data.corpus_files import corpus_files, read_files, text_in, unreadable
from harness.data.hub import COMMIT, hub_reachable, one_line, without_progress_bars

HELD_OUT_SHARE = 1 / 20
"""About this fraction of the documents is for evaluation."""


@dataclass(frozen=True)
class Corpus:
    """Unlabelled documents.

    `source` is synthetic, files or hub. `read` starts a pass over the texts. `files` and `pin` determine what they
    are; `pin` is None where nothing does.
    """

    source: str
    location: str
    read: Callable[[], Iterator[str]] = field(repr=False)
    pin: object = field(repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)

    def documents(self) -> Iterator[str]:
        """Every document, none of them blank, in an order that stays the same.

        Raises:
            HarnessError: a file is damaged or not what its name says, with the place in it; the hub fails.
        """
        return (text for text in self.read() if text and not text.isspace())


def open_corpus(where: str, sentences: int = 20_000, field: str = "text") -> Corpus:
    """The corpus that `where` names: `synthetic`, `hub:ID` or `hub:ID:CONFIG@REVISION`, a file, or a folder.

    A folder's files are read in the order of their relative paths; hidden ones, other kinds and links to folders are
    left out. Text files (.txt, .text, .md) hold documents between blank lines; .jsonl and .parquet, like the hub, one
    a record under `field`. `sentences` is the size of the synthetic corpus.

    Raises:
        HarnessError: there is nothing of that name, nothing readable in it, or the hub cannot be reached.
    """
    where = canonical(where)
    if where == "synthetic":
        return _synthetic(sentences)
    if where.startswith("hub:"):
        return _hub(where.removeprefix("hub:"), field)
    files = corpus_files(where)
    return Corpus("files", where, partial(read_files, files, field), ["files", field], files)


def state(corpus: Corpus) -> str:
    """A hash that changes whenever the documents could, found without reading them; "" where nothing pins them.

    It covers the code that makes or reads them, the files' paths and states, or the hub's commit if one was
    asked for.

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
            "code": code_identity.identity("harness.data.corpus_files"),
            "pin": corpus.pin,
            "files": stats,
        }
    )


def facts(corpus: Corpus) -> dict[str, Any]:
    """One pass over the documents: `source`, `location`, `documents`, `bytes` (UTF-8), `held_out`, `fingerprint`.

    The fingerprint is the SHA-256 (hex) of the documents in order, each after its length in 8 bytes.

    Raises:
        HarnessError: there is no document, or as `Corpus.documents`.
    """
    digest = sha256()
    documents = size = held_out = 0
    for document in corpus.documents():
        data = document.encode()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
        documents += 1
        size += len(data)
        held_out += is_held_out(document)
    if not documents:
        raise HarnessError(f"{corpus.location}: there is no document in it")
    return {
        "source": corpus.source,
        "location": corpus.location,
        "documents": documents,
        "bytes": size,
        "held_out": held_out,
        "fingerprint": digest.hexdigest(),
    }


def is_held_out(document: str) -> bool:
    """Whether a document is for evaluation. Its text alone decides, so that copies are on one side."""
    drawn = int.from_bytes(blake2b(document.encode(), digest_size=8).digest(), "big")
    return drawn < HELD_OUT_SHARE * 2**64


def _synthetic(sentences: int) -> Corpus:
    location = f"synthetic world v{synthetic.WORLD_VERSION}, {sentences} sentences"
    code = code_identity.identity("harness.data.synthetic")
    return Corpus("synthetic", location, partial(synthetic.corpus, sentences), ["synthetic", sentences, code])


def _hub(wanted: str, field: str) -> Corpus:
    rest, _, revision = wanted.partition("@")
    dataset, _, config = rest.partition(":")
    if not dataset:
        raise HarnessError("hub: needs the id of a dataset, as in hub:Salesforce/wikitext:wikitext-2-raw-v1")
    if (reason := hub_reachable()) is not None:
        raise HarnessError(
            f"the Hugging Face hub cannot be reached ({reason}); use --corpus synthetic or --corpus FILE|FOLDER"
        )
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(dataset, revision=revision or None, timeout=30).sha
    except Exception as error:
        raise HarnessError(f"hub dataset {wanted} cannot be found: {one_line(error)}") from None
    location = f"hub {rest}@{commit}"
    pinned = COMMIT.fullmatch(revision) is not None
    read = partial(_read_hub, location, dataset, config or None, commit, field)
    return Corpus("hub", location, read, ["hub", rest, revision, field] if pinned else None)


def _read_hub(location: str, dataset: str, config: str | None, commit: str | None, field: str) -> Iterator[str]:
    import datasets

    try:
        # The prefix keeps a folder of that name in the working directory from being loaded instead.
        path = f"hf://datasets/{dataset}"
        with without_progress_bars():
            rows = datasets.load_dataset(path, config, split="train", revision=commit, streaming=True)
        for number, row in enumerate(rows, start=1):
            yield text_in(row, field, f"{location} (row {number})")
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"{location} cannot be read: {one_line(error)}") from None


TOKENIZER_SENTENCES = 20_000
"""Sentences of the synthetic corpus a tokenizer is trained on."""


def synthetic_sentences() -> list[str]:
    """What a tokenizer is trained on that is not the task's own."""
    return list(synthetic.corpus(TOKENIZER_SENTENCES))
