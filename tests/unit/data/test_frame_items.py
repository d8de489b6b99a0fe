"""Tasks of data frames with images: paths, bytes and images of Pillow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data import load
from harness.data.frames import Task, write_tasks
from harness.data.modalities import MODALITIES

from .item_files import png, put
from .test_item_hub import dataset

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")


def made(rows: Any, folder: Path) -> Any:
    place = write_tasks([Task("pets", "image-classification", ["accuracy"], dev=rows, labels=["cat", "dog"])], folder)
    return load(load_registry([place]).task("pets"), "synthetic", splits=["dev"]).split("dev")


def test_cells_are_paths_from_the_working_folder_bytes_or_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put(tmp_path, "in/a.png", png(7))
    monkeypatch.chdir(tmp_path / "in")
    cells = ["a.png", Path("a.png"), png(7), Image.new("RGBA", (4, 4), (7, 7, 7, 255))]
    columns = {"image": cells, "label": ["cat", "dog", "cat", "dog"]}
    rows: list[Callable[[], Any]] = [
        lambda: pd.DataFrame(columns),
        lambda: [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
    ]
    for number, make in enumerate(rows):
        items = made(make(), tmp_path / f"cache-{number}").fields["image"]
        assert len(set(items[:3])) == 1 and items[3] not in items[:3]
        decode = MODALITIES.get("image").decode
        assert {tuple(decode(item).values[0, 0]) for item in items} == {(7, 7, 7)}


def test_a_dataset_with_images_is_written_as_it_is(tmp_path: Path):
    items = made(dataset().remove_columns(["audio", "caption"]), tmp_path).fields["image"]
    assert [item.content() for item in items] == [png(1), png(2)]


def test_a_cell_of_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(HarnessError, match=r"task pets, dev: float is no image that is read; give a path, bytes, or"):
        made(pd.DataFrame({"image": [0.5], "label": ["cat"]}), tmp_path)
