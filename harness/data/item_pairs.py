"""Files and folders of items as a corpus of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.core.errors import HarnessError, did_you_mean
from harness.core.hashing import hash_json
from harness.core.reading import expanded, is_file, is_folder
from harness.data.item_columns import files_of, read_items
from harness.data.item_layouts import METADATA, read_items_at, row_a_caption, split_folders
from harness.data.modalities import MODALITIES
from harness.data.pair_corpus import Pair, PairCorpus
from harness.data.table import Table

TRAIN = "train"


def pairs_of_path(where: str, modality: str) -> PairCorpus:
    """The items of a file or folder with their captions; where they have classes and no captions, with the names of
    these, and else with none. Of a folder with splits those to train on.

    Raises:
        HarnessError: there is nothing of that modality.
    """
    path = expanded(where)
    if not where.strip() or not (is_folder(path) or is_file(path)):
        hint = did_you_mean(where, ["synthetic"])
        hint = hint if hint.startswith(" Did") else ""
        raise HarnessError(
            f"no such file or folder: {where or repr(where)}; "
            f"--corpus takes synthetic, sklearn-digits, hub:ID, a file or a folder.{hint}"
        )
    endings = MODALITIES.get(modality).endings
    if is_folder(path):
        path = split_folders(path, [TRAIN], endings).get(TRAIN, path)
    table = row_a_caption(read_items_at(path, modality, endings))
    refuse_without_items(table, modality)
    if "split" in table.names:
        table = _to_train_on(table)
    listing = [path] if path.is_file() else [path / name for name in METADATA if (path / name).is_file()]
    files = (*listing, *files_of(table, modality, modality))
    pin = ["files", modality, hash_json([*captions_in(table), *(str(file) for file in files)])]
    return PairCorpus("files", str(path), modality, partial(pairs_in, table, modality), pin, files)


def refuse_without_items(table: Table, modality: str) -> None:
    """Raises HarnessError, with the columns there are, where none is of items."""
    if modality not in table.names:
        raise HarnessError(
            f"{table.where}: no column of {modality} files; call it {modality} or file_name. Its columns: "
            f"{', '.join(table.names)}"
        )


def _to_train_on(table: Table) -> Table:
    splits = table.read_column("split")
    keep = [index for index, split in enumerate(splits) if split == TRAIN]
    return table.select(keep) if keep else table


def pairs_in(table: Table, modality: str) -> Iterator[Pair]:
    """The items of a table whose columns have their usual names, each with its caption."""
    captions = captions_in(table)
    for item, caption in zip(read_items(table, modality, modality), captions, strict=True):
        yield Pair(item, caption)


def captions_in(table: Table) -> list[str]:
    """The caption of each row; empty where there is none. Raises HarnessError where one is no text, with its row."""
    column = next((name for name in ("text", "label") if name in table.names), None)
    if column is None:
        return [""] * len(table)
    classes = table.classes.get(column)
    captions = []
    for index, value in enumerate(table.read_column(column)):
        if classes is not None and isinstance(value, int) and 0 <= value < len(classes):
            value = classes[value]
        if not isinstance(value, str):
            kind = "nothing" if value is None else type(value).__name__
            raise HarnessError(f"{table.place(index)}: column '{column}' should hold text, found {kind}")
        captions.append(_in_words(value) if column == "label" else value.strip())
    return captions


def _in_words(label: str) -> str:
    """The name of a class as words: `fire_truck` is a fire truck."""
    return " ".join(label.replace("_", " ").split())
