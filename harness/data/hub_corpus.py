"""A dataset of the hub as a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from harness.core.errors import HarnessError
from harness.data.corpus_files import document_in
from harness.data.document import Corpus, Document
from harness.data.hub_access import COMMIT, hub_reachable, one_line, without_progress_bars


@dataclass(frozen=True)
class HubDataset:
    """A dataset of the hub as it is asked for, and the commit that this is."""

    name: str
    config: str | None
    commit: str | None
    is_pinned: bool
    location: str


def hub_dataset(wanted: str) -> HubDataset:
    """The dataset `ID`, `ID:CONFIG`, `ID@REVISION` or `ID:CONFIG@REVISION`.

    Raises:
        HarnessError: there is none, or the hub cannot be reached.
    """
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
    is_pinned = COMMIT.fullmatch(revision) is not None
    return HubDataset(dataset, config or None, commit, is_pinned, f"hub {rest}@{commit}")


def hub_corpus(wanted: str, field: str) -> Corpus:
    """The split `train` of a dataset of the hub, streamed. Raises HarnessError as `hub_dataset` does."""
    dataset = hub_dataset(wanted)
    read = partial(_read_hub, dataset.location, dataset.name, dataset.config, dataset.commit, field)
    rest, _, revision = wanted.partition("@")
    return Corpus("hub", dataset.location, read, ["hub", rest, revision, field] if dataset.is_pinned else None)


def _read_hub(
    location: str, dataset: str, config: str | None, commit: str | None, field: str, lenient: bool
) -> Iterator[Document]:
    import datasets

    try:
        # The prefix keeps a folder of that name in the working directory from being loaded instead.
        path = f"hf://datasets/{dataset}"
        with without_progress_bars():
            rows = datasets.load_dataset(path, config, split="train", revision=commit, streaming=True)
        for number, row in enumerate(rows, start=1):
            yield document_in(row, field, f"{location} (row {number})", f"row {number}", lenient)
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"{location} cannot be read: {one_line(error)}") from None
