"""The layouts in which images and sounds come with captions or classes, as tables.

Whatever the layout, the items stand in a column of their modality's name, their captions in `text`, their
classes in `label`. Columns of a file keep their own names as well, and cells with several captions are left to
`row_a_caption`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.known_items import in_order_of_contents
from harness.core.text import clipped
from harness.data import files
from harness.data.caption_files import is_captions_json, read_captions_json, read_lines_of_captions
from harness.data.table import Table, table_of
from harness.data.text_files import lines_of, read_text

ITEM_COLUMNS = (
    "file_name", "filename", "file", "path", "filepath", "file_path", "image_path", "image_name", "img", "img_path",
    "audio_filepath", "audio_path", "audio_file", "wav", "video_path",
)  # fmt: skip
"""What columns of items are called, beside their modality, in the order they are looked for."""

CAPTION_COLUMNS = (
    "caption", "captions", "sentence", "sentences", "transcript", "transcription", "normalized_text", "raw", "comment",
    "description",
)  # fmt: skip
"""What columns of captions are called, beside `text`."""

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""The file that names a folder's items, as in `datasets`' imagefolder."""

TRANSCRIPTS = "*.trans.txt"

CAPTION_OF_ITEM = ".txt"
"""The ending of a file beside an item with its caption."""


def read_items_at(path: Path, modality: str, endings: Sequence[str], delimiter: str | None = None) -> Table:
    """The items of a file or folder, of whatever layout it is.

    Args:
        path: A file with columns, captions in COCO's JSON or Flickr30k's lines; or a folder: with a `metadata` file,
            with transcripts beside the sounds (LibriSpeech), with a folder a class, or of files alone, beside which
            text files may hold their captions.
        modality: What the items are.
        endings: Those of the files of the modality.
        delimiter: That of a file with columns; found where it is None.

    Raises:
        HarnessError: there is no item in it, or a file is damaged.
    """
    return named(_read(path, modality, endings, delimiter), modality)


def holds_items(folder: Path, endings: Sequence[str]) -> bool:
    """Whether there are items below a folder, or a file that names some."""
    return any((folder / name).is_file() for name in METADATA) or any(
        path.suffix.lower() in endings and path.is_file() for path in folder.rglob("*")
    )


def split_folders(folder: Path, splits: Sequence[str], endings: Sequence[str]) -> dict[str, Path]:
    """The folders that hold a split's items each, by their names; the folder itself as the first of the splits where
    none of them does.

    Raises:
        HarnessError: two could be one split.
    """
    below = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    names = {split: files.match_split(split, below, str(folder)) for split in splits}
    named = {split: below[name] for split, name in names.items() if name is not None}
    named = {split: path for split, path in named.items() if holds_items(path, endings)}
    if named or not holds_items(folder, endings):
        return named
    return {splits[0]: folder}


def _read(path: Path, modality: str, endings: Sequence[str], delimiter: str | None) -> Table:
    if path.is_file():
        if path.suffix.lower() == ".json" and is_captions_json(path):
            return read_captions_json(path, modality)
        if (table := read_lines_of_captions(path, modality)) is not None:
            return table
        return files.read_file(path, delimiter=delimiter)
    metadata = [path / name for name in METADATA if (path / name).is_file()]
    if len(metadata) > 1:
        raise HarnessError(f"{path}: both {metadata[0].name} and {metadata[1].name} are there; keep one")
    if metadata:
        return files.read_file(metadata[0], delimiter=delimiter)
    transcripts = sorted(path.rglob(TRANSCRIPTS))
    if transcripts:
        return _read_transcripts(path, transcripts, modality, endings)
    return _read_folder(path, modality, endings)


def _read_transcripts(folder: Path, transcripts: Sequence[Path], modality: str, endings: Sequence[str]) -> Table:
    """LibriSpeech: lines of a name and what is said, beside the sounds of these names."""
    paths, texts, ids, places = [], [], [], []
    for transcript in transcripts:
        there = {path.stem: path for path in sorted(transcript.parent.iterdir()) if path.suffix.lower() in endings}
        for number, line in enumerate(lines_of(read_text(transcript)), start=1):
            if not line.strip():
                continue
            name, _, text = line.partition(" ")
            place = f"{transcript.relative_to(folder).as_posix()}:{number}"
            if name not in there:
                raise HarnessError(f"{folder}, {place}: there is no {modality} of the name {clipped(name)} beside it")
            if not text.strip():
                raise HarnessError(f"{folder}, {place}: {clipped(name)} has no transcript")
            paths.append(there[name].relative_to(folder).as_posix())
            texts.append(text.strip())
            ids.append(name)
            places.append(place)
    return replace(table_of({modality: paths, "text": texts, "id": ids}, str(folder)), places=places)


def _read_folder(folder: Path, modality: str, endings: Sequence[str]) -> Table:
    """The items below a folder in the order of their hashes: the same whatever they are called, and the first of them
    are of all classes.
    """
    items = sorted(
        (path for path in folder.rglob("*") if _is_item(path.relative_to(folder), endings) and path.is_file()),
        key=lambda path: path.relative_to(folder).as_posix(),
    )
    if not items:
        raise HarnessError(f"{folder}: there is no {modality} in it; it takes files in {', '.join(endings)}")
    items = in_order_of_contents(items, folder)
    names = [path.relative_to(folder).as_posix() for path in items]
    classes = ["" if "/" not in name else name.partition("/")[0] for name in names]
    if "" in classes and any(classes):
        named = next(filter(None, classes))
        raise HarnessError(
            f"{folder}: {names[classes.index('')]} lies beside the folder {named}: either all files lie in folders, "
            "which are their classes, or none does"
        )
    columns: dict[str, Sequence[Any]] = {modality: names}
    if any(classes):
        columns["label"] = classes
    captions = {path.relative_to(folder).as_posix(): path for path in folder.rglob(f"*{CAPTION_OF_ITEM}")}
    beside = [captions.get(str(Path(name).with_suffix(CAPTION_OF_ITEM).as_posix())) for name in names]
    if any(beside):
        columns["text"] = _captions(folder, names, beside)
    return replace(table_of(columns, str(folder)), places=names, notes=_notes(folder, items, classes))


def _is_item(path: Path, endings: Sequence[str]) -> bool:
    return path.suffix.lower() in endings and not any(part.startswith(".") for part in path.parts)


def _captions(folder: Path, names: Sequence[str], beside: Sequence[Path | None]) -> list[str]:
    without = [name for name, path in zip(names, beside, strict=True) if path is None]
    if without:
        raise HarnessError(
            f"{folder}: {len(without)} of {len(names)} files have no {CAPTION_OF_ITEM} with their caption beside "
            f"them, such as {without[0]}"
        )
    return [" ".join(read_text(path).split()) for path in beside if path is not None]


def _notes(folder: Path, items: Sequence[Path], classes: Sequence[str]) -> tuple[str, ...]:
    """What else lies there: folders without an item would have been classes."""
    if not any(classes):
        return ()
    empty = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    empty = [name for name in empty if name not in set(classes)]
    if not empty:
        return ()
    return (f"{len(empty)} folders without a file that is read, such as {empty[0]}",)


def named(table: Table, modality: str) -> Table:
    """The table with its items and captions under the names that every layout has."""
    renamed = {}
    for name, others in ((modality, ITEM_COLUMNS), ("text", CAPTION_COLUMNS)):
        candidate = next((other for other in others if other in table.names), None)
        if name not in table.names and candidate is not None:
            renamed[name] = candidate
    read = table.read_column
    return replace(
        table, names=(*table.names, *renamed), read_column=lambda name: read(renamed.get(name, name))
    )  # fmt: skip


def row_a_caption(table: Table, column: str = "text") -> Table:
    """A row for each caption where cells of their column hold several."""
    cells = table.read_column(column) if column in table.names else []
    if not any(isinstance(cell, list | tuple) for cell in cells):
        return table
    rows, texts = [], []
    for index, cell in enumerate(cells):
        several = cell if isinstance(cell, list | tuple) else [cell]
        if not several:
            raise HarnessError(f"{table.place(index)}: there is no caption")
        for text in several:
            rows.append(index)
            texts.append(text.get("raw") if isinstance(text, dict) else text)
    repeated = replace(table.select(rows), numbers=range(len(rows)), places=[_short_place(table, row) for row in rows])
    repeated = replace(repeated, lines=None)
    read = repeated.read_column
    return replace(repeated, read_column=lambda name: texts if name == column else read(name))


def _short_place(table: Table, row: int) -> str:
    return re.sub(f"^{re.escape(table.where)}(, |:)", "", table.place(row))
