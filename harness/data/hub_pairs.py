"""A dataset of the hub as a corpus of pairs: its column of images or sounds, and that of captions or classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.data.files import table_of
from harness.data.hub_access import one_line, without_progress_bars
from harness.data.hub_corpus import HubDataset, hub_dataset
from harness.data.item_layouts import named, row_a_caption
from harness.data.item_pairs import pairs_in, refuse_without_items
from harness.data.pair_corpus import Pair, PairCorpus

if TYPE_CHECKING:
    from datasets import Dataset

AT_ONCE = 500
"""Rows whose items are in memory together."""


def hub_pairs(wanted: str, modality: str) -> PairCorpus:
    """The split `train` of a dataset of the hub. `datasets` decodes none of its items.

    Raises:
        HarnessError: no such dataset, or the hub cannot be reached.
    """
    dataset = hub_dataset(wanted)
    pin = ["hub", modality, dataset.name, dataset.config, dataset.commit] if dataset.is_pinned else None
    return PairCorpus("hub", dataset.location, modality, partial(_read, dataset, modality), pin)


def _read(dataset: HubDataset, modality: str) -> Iterator[Pair]:
    rows = _loaded(dataset)
    for start in range(0, len(rows), AT_ONCE):
        part = rows.select(range(start, min(start + AT_ONCE, len(rows))))
        place = dataset.location if start == 0 else f"{dataset.location} (after {start})"
        table = row_a_caption(named(table_of(part, place), modality))
        refuse_without_items(table, modality)
        yield from pairs_in(table, modality)


def _loaded(dataset: HubDataset) -> Dataset:
    import datasets

    try:
        # The prefix keeps a folder of that name in the working directory from being loaded instead.
        path = f"hf://datasets/{dataset.name}"
        with without_progress_bars():
            return datasets.load_dataset(path, dataset.config, split="train", revision=dataset.commit)
    except Exception as error:
        raise HarnessError(f"{dataset.location} cannot be read: {one_line(error)}") from None
