"""Items of a corpus as their processor keeps them, in a folder, memory-mapped."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.data.augment.documents import DocumentAugmenter
from harness.data.corpus import is_held_out
from harness.data.modalities import MODALITIES, Decoded, Decoder
from harness.data.pair_corpus import PairCorpus
from harness.modeling.processors import Processor
from harness.training.objectives.items import KeptItems

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

META, COPIES = "meta.json", "augmented"
CAPTIONS_AT_ONCE = 1000
"""Captions that are augmented together."""


def write_items(
    corpus: PairCorpus,
    processor: Processor,
    tokenizer: PreTrainedTokenizerBase | None,
    longest: int,
    folder: Path,
    augmenter: DocumentAugmenter | None = None,
    frames: int | None = None,
) -> None:
    """Each item of a corpus once, the tokens of its captions, and which items are held out; of an item to train on
    also those of the copies of its captions that `augmenter` makes, each of which is then one of its captions.

    Args:
        corpus: Items with captions; several captions of an item may stand anywhere.
        processor: Of the model.
        tokenizer: None where captions are not read.
        longest: Tokens of a caption, which is padded to it.
        folder: An empty folder.
        augmenter: Makes copies of captions.
        frames: How many frames are kept of each item, a video; None of items that have none.

    Raises:
        HarnessError: an item cannot be read, or has no caption where captions are read; none is left to train on.
    """
    numbers: dict[str, int] = {}
    texts: list[str] = []
    owners: list[int] = []
    held_out: list[bool] = []
    decode = Decoder(MODALITIES.get(corpus.modality))
    shape: tuple[int, ...] = ()
    kind = ""
    with ExitStack() as stack:
        file = stack.enter_context((folder / "items.bin").open("wb"))
        for pair in corpus.read():
            if pair.item not in numbers:
                decoded = decode(pair.item)
                if decoded is None:
                    numbers[str(pair.item)] = len(numbers)
                    continue
                row = processor.prepared(decoded if frames is None else _spread(decoded, frames))
                if shape and row.shape != shape:
                    raise HarnessError(f"{pair.item.place}: its shape is {row.shape}, and that of others {shape}")
                shape, kind = row.shape, row.dtype.name
                file.write(row.tobytes())
                numbers[str(pair.item)] = len(numbers)
                held_out.append(is_held_out(pair.item))
            if tokenizer is not None:
                if not pair.caption.strip():
                    raise HarnessError(f"{pair.item.place}: it has no caption; leave it out, or give it one")
                texts.append(pair.caption)
                owners.append(numbers[str(pair.item)])
        decode.finish()
        file.flush()
        os.fsync(file.fileno())
    if not numbers or all(held_out):
        raise HarnessError(f"corpus {corpus.location}: no {corpus.modality} to train on")
    copies = 0
    if augmenter is not None:
        texts, owners, copies = _augmented(texts, owners, held_out, augmenter)
    order = np.argsort(np.asarray(owners, dtype=np.int64), kind="stable")
    ids, masks = _tokens(tokenizer, [texts[at] for at in order], longest)
    first = np.concatenate([[0], np.cumsum(np.bincount(np.asarray(owners, dtype=np.int64), minlength=len(numbers)))])
    np.savez(folder / "captions.npz", ids=ids, masks=masks, first=first, held_out=np.asarray(held_out))
    meta = {
        "shape": [len(numbers), *shape],
        "dtype": kind,
        "captions": len(texts),
        "tokens": int(masks.sum()),
        COPIES: copies,
    }
    (folder / META).write_text(json.dumps(meta))


def _spread(video: Decoded, frames: int) -> Decoded:
    """So many frames of a video, the middle ones of equal parts of it."""
    count = len(video.values)
    chosen = ((np.arange(frames) + 0.5) * count / frames).astype(np.int64)
    return Decoded(video.values[chosen], video.rate)


def _augmented(
    texts: list[str], owners: list[int], held_out: list[bool], augmenter: DocumentAugmenter
) -> tuple[list[str], list[int], int]:
    """Captions and the items they are of, with their copies, and how many copies there are."""
    captions: list[str] = []
    items: list[int] = []
    copies = 0
    for start in range(0, len(texts), CAPTIONS_AT_ONCE):
        chunk = slice(start, start + CAPTIONS_AT_ONCE)
        made = augmenter.copies(texts[chunk], start)
        for text, item, of_text in zip(texts[chunk], owners[chunk], made, strict=True):
            further = [] if held_out[item] else of_text
            kept = [text] if augmenter.spec.keep_original or not further else []
            captions += [*kept, *further]
            items += [item] * (len(kept) + len(further))
            copies += len(further)
    return captions, items, copies


def _tokens(tokenizer: PreTrainedTokenizerBase | None, texts: list[str], longest: int) -> tuple[np.ndarray, np.ndarray]:
    if tokenizer is None or not texts:
        return np.zeros((0, longest), dtype=np.int32), np.zeros((0, longest), dtype=np.int8)
    encoded: Any = tokenizer(texts, truncation=True, max_length=longest, padding="max_length", return_tensors="np")
    return encoded["input_ids"].astype(np.int32), encoded["attention_mask"].astype(np.int8)


def kept_items(folder: Path) -> tuple[KeptItems, dict[str, np.ndarray]]:
    """What `write_items` wrote, and the numbers (n, 1) of the items of each split."""
    meta = json.loads((folder / META).read_text())
    captions = np.load(folder / "captions.npz", allow_pickle=False)
    items = np.memmap(folder / "items.bin", dtype=meta["dtype"], mode="r", shape=tuple(meta["shape"]))
    held_out = captions["held_out"]
    splits = {"train": np.flatnonzero(~held_out)[:, None], "held_out": np.flatnonzero(held_out)[:, None]}
    ids, masks = (captions[name].astype(np.int64) for name in ("ids", "masks"))
    return KeptItems(items, ids, masks, captions["first"]), splits


def caption_copies(folder: Path) -> int:
    """How many captions augmentation has added."""
    count: int = json.loads((folder / META).read_text()).get(COPIES, 0)
    return count


def caption_tokens(folder: Path) -> int:
    """Tokens of all captions, without padding."""
    count: int = json.loads((folder / META).read_text())["tokens"]
    return count
