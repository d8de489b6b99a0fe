"""Cells that stand for images and sounds, and what becomes of them in a task's splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core import known_items
from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.core.specs import TaskSpec
from harness.data import load, state
from harness.data.item_columns import read_items
from harness.data.table import Table, table_of

from .item_files import png, put


@pytest.fixture
def pictures(task: Callable[..., TaskSpec]) -> Callable[..., TaskSpec]:
    """A task of images with classes."""

    def make(**values: Any) -> TaskSpec:
        fields = {"image": ["image", "file_name"], "label": "label"}
        labels = {"labels": ["cat", "dog"]} if "labels" not in values else {}
        return task(**{"name": "pets", "family": "image-classification", "fields": fields, **labels, **values})

    return make


def table(cells: list[Any], folder: Path) -> Table:
    return table_of({"image": cells}, str(folder / "rows.csv"))


def test_a_cell_is_a_path_bytes_a_mapping_or_an_item(tmp_path: Path):
    path = put(tmp_path, "a.png", png(1))
    cells = ["a.png", str(path), path, png(1), {"bytes": png(1), "path": "z/q.png"}, {"bytes": None, "path": "a.png"}]
    items = read_items(table(cells, tmp_path), "image", "image")
    assert len(set(items)) == 1 and all(item.content() == png(1) for item in items)
    assert [item.label for item in items] == ["a.png", "a.png", "a.png", "row 3", "q.png", "a.png"]
    assert items[0].place == f"{tmp_path / 'rows.csv'}, row 0: {path}"
    made = Item("scene:v1:x", "made", "there", bytes)
    assert read_items(table([made], tmp_path), "image", "image")[0] is made


def test_files_in_a_folder_beside_their_table_are_found(tmp_path: Path):
    put(tmp_path, "images/a.png", png(1))
    put(tmp_path, "images/b.png", png(2))
    assert len(read_items(table(["a.png", "b.png"], tmp_path), "image", "image")) == 2
    put(tmp_path, "more/a.png", png(3))
    with pytest.raises(HarnessError, match=r"a\.png is in .*images and in .*more"):
        read_items(table(["a.png"], tmp_path), "image", "image")
    put(tmp_path, "rows/a.png", png(4))  # called as the table is
    assert read_items(table(["a.png"], tmp_path), "image", "image")[0].content() == png(4)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "should hold image files, found nothing"),
        ("", "found nothing"),
        (b"", "found nothing"),
        ({"bytes": None, "path": None}, "found nothing"),
        (3, "found int"),
        ({"x": 1}, "found dict"),
        ("https://example.org/a.png", "is an address; download it"),
        ("gone.png", "no such file: .*gone.png"),
        ("folder", "a folder, not a file"),
    ],
)
def test_a_cell_that_names_no_file_is_told_with_its_row(tmp_path: Path, cell: Any, reason: str):
    put(tmp_path, "a.png", png(1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(HarnessError, match=rf"rows\.csv, row 1: column 'image'.*{reason}"):
        read_items(table(["a.png", cell], tmp_path), "image", "image")


def rows(folder: Path, names: list[str]) -> None:
    lines = [f"{name},{'cat' if number % 2 else 'dog'}\n" for number, name in enumerate(names)]
    put(folder, "train.csv", "file_name,label\n" + "".join(lines))


def test_the_fingerprint_is_of_contents_whatever_files_are_called(tmp_path: Path, pictures: Callable[..., TaskSpec]):
    for number in range(4):
        put(tmp_path, f"one/train/{number}.png", png(number))
        put(tmp_path, f"two/train/x{number}.png", png(number))
    rows(tmp_path / "one", [f"train/{number}.png" for number in range(4)])
    rows(tmp_path / "two", [f"train/x{number}.png" for number in range(4)])
    one, two = (load(pictures(), str(tmp_path / name), splits=["train"]).split("train") for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    before = state(pictures(), str(tmp_path / "two"))
    put(tmp_path, "two/train/x3.png", png(99))
    changed = load(pictures(), str(tmp_path / "two"), splits=["train"]).split("train")
    assert changed.fingerprint != one.fingerprint
    assert state(pictures(), str(tmp_path / "two")) not in ("", before)


def test_the_rows_of_a_folder_are_in_an_order_that_names_do_not_change(
    tmp_path: Path, pictures: Callable[..., TaskSpec]
):
    for number in range(40):
        put(tmp_path, f"one/train/{'cat' if number < 20 else 'dog'}/{number}.png", png(number))
        put(tmp_path, f"two/train/{'cat' if number < 20 else 'dog'}/{40 - number}.png", png(number))
    one, two = (load(pictures(), str(tmp_path / name), splits=["train"]).split("train") for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    assert set(one.labels[:10]) == {0, 1}  # type: ignore[index]  # the first rows are not of one class


def test_a_folder_a_split_and_a_class_is_a_task(tmp_path: Path, pictures: Callable[..., TaskSpec]):
    for split, shade in (("train", 0), ("val", 10)):
        put(tmp_path, f"pets/{split}/cat/a.png", png(shade))
        put(tmp_path, f"pets/{split}/dog/b.png", png(shade + 1))
    spec = pictures(labels=None)
    for where in (tmp_path, tmp_path / "pets"):
        loaded = load(spec, str(where))
        assert loaded.labels == ("cat", "dog") and set(loaded.splits) == {"train", "dev"}
        assert {item.label for item in loaded.split("dev").fields["image"]} == {"a.png", "b.png"}  # type: ignore[attr-defined]
    before = state(spec, str(tmp_path))
    put(tmp_path, "pets/val/dog/c.png", png(77))
    assert state(spec, str(tmp_path)) != before


def test_a_folder_of_classes_alone_is_trained_on_and_a_part_of_it_scored(
    tmp_path: Path, pictures: Callable[..., TaskSpec]
):
    for number in range(20):
        put(tmp_path, f"{'cat' if number % 2 else 'dog'}/{number}.png", png(number))
    loaded = load(pictures(), str(tmp_path))
    assert (len(loaded.split("train")), len(loaded.split("dev"))) == (18, 2)


def test_the_captions_of_an_item_are_cut_off_together(tmp_path: Path, task: Callable[..., TaskSpec]):
    lines = []
    for number in range(30):
        put(tmp_path, f"images/{number}.png", png(number))
        lines += [f"{number}.png,caption {number} {count}\n" for count in range(5)]
    put(tmp_path, "train.csv", "image,caption\n" + "".join(lines))
    spec = task(
        name="said", family="image-text-retrieval", fields={"image": "image", "text": "text"}, labels=None,
        metrics=["pair_accuracy"],
    )  # fmt: skip
    loaded = load(spec, str(tmp_path), splits=["train", "dev"])
    train, dev = (set(loaded.split(name).fields["image"]) for name in ("train", "dev"))
    assert len(train) == 27 and len(dev) == 3 and not train & dev


def test_rows_whose_file_is_missing_are_refused_unless_the_task_drops_them(
    tmp_path: Path, pictures: Callable[..., TaskSpec]
):
    for number in range(6):
        put(tmp_path, f"{number}.png", png(number))
    rows(tmp_path, [*(f"{number}.png" for number in range(6)), "6.png", "7.png"])
    with pytest.raises(HarnessError, match=r"train\.csv:8: .*no such file: .*6\.png; so it is for 2 of 8 rows"):
        load(pictures(), str(tmp_path), splits=["train"])
    loaded = load(pictures(reading={"missing_files": "drop"}), str(tmp_path))
    assert loaded.dropped == {"train": (2, 8)} and sum(map(len, loaded.splits.values())) == 6
    assert loaded.notes[0] == "train: 2 rows whose file is missing dropped"


def test_large_folders_are_hashed_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(known_items, "KEPT_FROM", 2)
    names = [put(tmp_path, f"{number}.png", png(number)).name for number in range(3)]
    first = read_items(table(names, tmp_path), "image", "image")
    read = []
    monkeypatch.setattr(known_items, "hash_file", lambda path: read.append(path.name) or "0" * 64)
    assert read_items(table(names, tmp_path), "image", "image") == first and read == []
    put(tmp_path, "1.png", png(9))
    assert read_items(table(names, tmp_path), "image", "image")[1] != first[1] and read == ["1.png"]


def test_a_file_that_changes_between_its_hash_and_its_use_is_refused(tmp_path: Path):
    put(tmp_path, "a.png", png(1))
    [item] = read_items(table(["a.png"], tmp_path), "image", "image")
    put(tmp_path, "a.png", png(2))
    with pytest.raises(HarnessError, match="was changed while it was read"):
        item.content()
