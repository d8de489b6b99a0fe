"""Files of captions: COCO's JSON, the JSON of Karpathy's splits, and Flickr30k's lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import states_of
from harness.core.reading import JsonError, parse_json
from harness.core.text import clipped
from harness.data.readers import MALFORMED_FRACTION
from harness.data.table import Table, table_of
from harness.data.text_files import lines_of, read_text

TOKEN_LINE = re.compile(r"([^\t#]+)#(\d+)\t(.*)")
"""Flickr30k's `results_20130124.token`: a file, the number of the caption, the caption."""

BAR_HEADER = re.compile(r"image_name\s*\|\s*comment_number\s*\|\s*comment\s*")
"""The first line of Flickr30k's `results.csv`."""

TRAINED_ON = {"restval": "train"}
"""Further names of splits in Karpathy's files: images of COCO's validation set that are trained on."""


def is_captions_json(path: Path) -> bool:
    """Whether a JSON file is one of images with captions."""
    content = _content(path)
    return isinstance(content, dict) and isinstance(content.get("images"), list)


def read_captions_json(path: Path, modality: str) -> Table:
    """COCO's captions (`images`, and `annotations` with an `image_id` and a `caption`), or Karpathy's (`images` with
    `sentences` and a `split`). A row a caption: `id`, `text`, the file, and `split` where it is said.

    Raises:
        HarnessError: a part is missing or of another kind, with its place, or there is no caption.
    """
    content = _content(path)
    images = content["images"]
    if not all(isinstance(image, dict) for image in images):
        raise HarnessError(f"{path}: 'images' should be a list of objects")
    if "annotations" in content:
        return _coco(path, images, content["annotations"], modality)
    return _karpathy(path, images, modality)


def _content(path: Path) -> Any:
    return _parsed(path, *states_of([path])[0])


@lru_cache(maxsize=1)
def _parsed(path: Path, *state: object) -> Any:
    try:
        return parse_json(read_text(path), finite=False)
    except JsonError:
        return None  # one object a line, or damaged: other readers say which


def _coco(path: Path, images: Sequence[dict[str, Any]], annotations: Any, modality: str) -> Table:
    captions: dict[int | str, list[tuple[Any, str]]] = {}
    for number, image in enumerate(images):
        if not isinstance(image.get("id"), int | str) or image["id"] in captions:
            raise HarnessError(f"{path}, image {number}: it has no id of its own")
        captions[image["id"]] = []
    if not isinstance(annotations, list):
        raise HarnessError(f"{path}: 'annotations' should be a list")
    for number, annotation in enumerate(annotations):
        where = f"{path}, annotation {number}"
        caption = annotation.get("caption") if isinstance(annotation, dict) else None
        if not isinstance(caption, str):
            raise HarnessError(f"{where}: it has no caption; the files of captions are called captions_*.json")
        of = annotation.get("image_id")
        if not isinstance(of, int | str) or of not in captions:
            raise HarnessError(f"{where}: no image has the id {clipped(str(of))}")
        captions[of].append((annotation.get("id", number), caption.strip()))
    rows = [
        (f"{image['id']}-{number}", _file(path, image, modality), text)
        for image in images
        for number, text in captions[image["id"]]
    ]
    without = sum(not of_image for of_image in captions.values())
    return _table(path, rows, modality, without)


def _karpathy(path: Path, images: Sequence[dict[str, Any]], modality: str) -> Table:
    rows, splits, without = [], [], 0
    for number, image in enumerate(images):
        sentences = image.get("sentences")
        if not isinstance(sentences, list):
            raise HarnessError(f"{path}, image {number}: it has no list of sentences, nor are there annotations")
        without += not sentences
        for count, sentence in enumerate(sentences):
            text = sentence.get("raw") if isinstance(sentence, dict) else sentence
            if not isinstance(text, str):
                raise HarnessError(f"{path}, image {number}: its sentence {count} has no text under 'raw'")
            rows.append((f"{number}-{count}", _file(path, image, modality), text.strip()))
            splits.append(TRAINED_ON.get(str(image.get("split")), str(image.get("split"))))
    table = _table(path, rows, modality, without)
    read = table.read_column
    return replace(
        table, names=(*table.names, "split"), read_column=lambda name: splits if name == "split" else read(name)
    )


def _file(path: Path, image: dict[str, Any], modality: str) -> str:
    name = image.get("file_name") or image.get("filename")
    if not isinstance(name, str):
        called = clipped(str(image.get("id", image.get("imgid"))))
        raise HarnessError(f"{path}: the {modality} {called} has no file_name")
    folder = image.get("filepath")
    return f"{folder}/{name}" if isinstance(folder, str) and folder else name


def _table(path: Path, rows: Sequence[tuple[str, str, str]], modality: str, without: int) -> Table:
    if not rows:
        raise HarnessError(f"{path}: there is no caption in it")
    ids, names, texts = (list(column) for column in zip(*rows, strict=True))
    notes = (f"{without} of its {modality} files have no caption",) if without else ()
    table = table_of({"id": ids, modality: names, "text": texts}, str(path))
    return replace(table, places=[f"caption {name}" for name in ids], notes=notes)


def read_lines_of_captions(path: Path, modality: str) -> Table | None:
    """Flickr30k's lines, `1.jpg#0<tab>A man` or, under a header, `1.jpg| 0| A man`; None where a file has others. A
    line without all its parts, as one of the published ones, is left out and counted.

    Raises:
        HarnessError: more than half of the lines are so.
    """
    if path.suffix.lower() not in (".token", ".txt", ".csv"):
        return None
    lines = lines_of(read_text(path))
    bars = BAR_HEADER.fullmatch(lines[0]) is not None
    if not bars and TOKEN_LINE.fullmatch(lines[0]) is None:
        if path.suffix.lower() == ".csv":
            return None
        raise HarnessError(f"{path}: its first line is not of captions, as in '1.jpg#0<tab>A man'")
    rows, places, malformed = [], [], []
    for number, line in enumerate(lines, start=1):
        parts: Sequence[str] = line.split("|", 2) if bars else getattr(TOKEN_LINE.fullmatch(line), "groups", tuple)()
        if (bars and number == 1) or not line.strip():
            continue
        if len(parts) == 3 and parts[2].strip():
            rows.append((f"{parts[0].strip()}#{parts[1].strip()}", parts[0].strip(), parts[2].strip()))
            places.append(number)
        else:
            malformed.append(number)
    if not rows or len(malformed) > MALFORMED_FRACTION * (len(rows) + len(malformed)):
        at = f":{malformed[0]}" if malformed else ""
        raise HarnessError(f"{path}{at}: {len(malformed)} lines have no file, number and caption")
    ids, names, texts = (list(column) for column in zip(*rows, strict=True))
    table = table_of({"id": ids, modality: names, "text": texts}, str(path))
    return replace(table, lines=places, dropped=len(malformed))
