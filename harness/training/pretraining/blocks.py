"""Tokenized text on disk, memory-mapped, and the order in which its blocks are read."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import HarnessError
from harness.data.augment.documents import DocumentAugmenter
from harness.data.corpus import Corpus, is_held_out

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

DOCUMENTS_AT_ONCE = 1000
SPLITS = ("train", "held_out")
COPIES = "copies"
"""Under which the number of documents is kept that augmentation has added."""


def mapped(folder: Path) -> dict[str, np.ndarray]:
    """The tokens of each split that `write_tokens` wrote, memory-mapped."""
    meta = json.loads((folder / "meta.json").read_text())
    return {
        split: np.memmap(folder / f"{split}.bin", dtype=meta["dtype"], mode="r")
        if meta[split]
        else np.empty(0, np.int64)
        for split in SPLITS
    }


def copies_in(folder: Path) -> int:
    """How many documents augmentation has added to those that `write_tokens` wrote."""
    count: int = json.loads((folder / "meta.json").read_text()).get(COPIES, 0)
    return count


def write_tokens(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerFast,
    end: int,
    folder: Path,
    augmenter: DocumentAugmenter | None = None,
) -> None:
    """The tokens of each split into a folder, in constant memory: all documents one after the other, `end` after each;
    of those to train on also the copies that `augmenter` makes.

    Raises:
        HarnessError: the corpus cannot be read, or no document is left to train on.
    """
    kind = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    written = dict.fromkeys((*SPLITS, COPIES), 0)
    documents = corpus.documents()
    read = 0
    with contextlib.ExitStack() as stack:
        files = {split: stack.enter_context((folder / f"{split}.bin").open("wb")) for split in SPLITS}
        while some := list(islice(documents, DOCUMENTS_AT_ONCE)):
            rows, copies = _rows(some, read, augmenter)
            encoded = tokenizer.backend_tokenizer.encode_batch([text for _, text in rows], add_special_tokens=False)
            for (split, _), encoding in zip(rows, encoded, strict=True):
                files[split].write(np.asarray([*encoding.ids, end], dtype=kind).tobytes())
                written[split] += len(encoding.ids) + 1
            read += len(some)
            written[COPIES] += copies
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    if written["train"] == 0:
        raise HarnessError(f"corpus {corpus.location}: no text to train on")
    (folder / "meta.json").write_text(json.dumps({"dtype": np.dtype(kind).name, **written}))


def _rows(
    documents: Sequence[str], first: int, augmenter: DocumentAugmenter | None
) -> tuple[list[tuple[str, str]], int]:
    """The texts of documents with their splits, copies behind their originals, and the number of copies."""
    splits = ["held_out" if is_held_out(document) else "train" for document in documents]
    if augmenter is None:
        return list(zip(splits, documents, strict=True)), 0
    rows, count = [], 0
    for split, document, made in zip(splits, documents, augmenter.copies(documents, first), strict=True):
        copies = made if split == "train" else []
        if augmenter.spec.keep_original or not copies:
            rows.append((split, document))
        rows += [(split, copy) for copy in copies]
        count += len(copies)
    return rows, count


def cut(tokens: np.ndarray, size: int, where: str) -> np.ndarray:
    """As `whole_blocks`. Raises HarnessError where not one is full."""
    blocks = whole_blocks(tokens, size)
    if len(blocks) == 0:
        raise HarnessError(f"{where}: {len(tokens)} tokens are less than one block of {size}; give more text")
    return blocks


def whole_blocks(tokens: np.ndarray, size: int) -> np.ndarray:
    """Blocks (n, size), a view; the rest is left over."""
    return tokens[: len(tokens) // size * size].reshape(-1, size)


class BlockOrder:
    """Which blocks a step reads: each epoch all of them in a new order, step after step without a gap between epochs.

    A pure function of (seed, step), so that resuming needs no more than the step.
    """

    def __init__(self, blocks: int, batch_size: int, seed: int) -> None:
        self.blocks, self.batch_size, self.seed = blocks, batch_size, seed
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def at(self, step: int) -> np.ndarray:
        """Indices (batch_size,) of the blocks of a step."""
        return np.fromiter(self._from(step * self.batch_size), dtype=np.int64, count=self.batch_size)

    def _from(self, position: int) -> Iterator[int]:
        while True:
            epoch, place = divmod(position, self.blocks)
            if epoch != self._epoch:
                self._epoch, self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.blocks)
            yield int(self._order[place])
            position += 1
