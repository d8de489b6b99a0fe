"""Layouts of images and sounds with captions or classes, as tables and as pairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.data.item_columns import read_items
from harness.data.item_layouts import read_items_at, row_a_caption
from harness.data.pair_corpus import PairCorpus
from harness.data.pairs import facts, open_pairs
from harness.data.table import Table

from .item_files import png, put, wav

IMAGES, SOUNDS = (".png", ".jpg"), (".wav", ".flac")


def read(path: Path, modality: str = "image") -> Table:
    return row_a_caption(read_items_at(path, modality, IMAGES if modality == "image" else SOUNDS))


def rows(path: Path, *columns: str, modality: str = "image") -> list[tuple[str, ...]]:
    """The rows of a layout: the files' names, and other columns."""
    table = read(path, modality)
    names = [item.label for item in read_items(table, modality, modality)]
    return list(zip(names, *(table.read_column(column) for column in columns), strict=True))


def pairs(corpus: PairCorpus) -> list[tuple[str, str]]:
    return [(pair.item.label, pair.caption) for pair in corpus.read()]


def test_a_folder_a_class(tmp_path: Path):
    put(tmp_path, "fire_truck/a.png", png(1))
    put(tmp_path, "fire_truck/deep/b.png", png(2))
    put(tmp_path, "cat/c.png", png(3))
    put(tmp_path, "cat/.hidden.png", png(3))
    (tmp_path / "dog").mkdir()
    assert sorted(rows(tmp_path, "label")) == [("a.png", "fire_truck"), ("b.png", "fire_truck"), ("c.png", "cat")]
    assert read(tmp_path).notes == ("1 folders without a file that is read, such as dog",)
    assert ("a.png", "fire truck") in pairs(open_pairs(str(tmp_path), "image", 0))
    put(tmp_path, "stray.png", png(4))
    with pytest.raises(HarnessError, match=r"stray\.png lies beside the folder cat"):
        read(tmp_path)


def test_a_folder_of_files_with_captions_beside_them_or_without(tmp_path: Path):
    put(tmp_path, "a.png", png(1))
    put(tmp_path, "b.png", png(2))
    assert sorted(pairs(open_pairs(str(tmp_path), "image", 0))) == [("a.png", ""), ("b.png", "")]
    put(tmp_path, "a.txt", "a dark\nsquare\n")
    with pytest.raises(HarnessError, match=r"1 of 2 files have no \.txt .* such as b\.png"):
        read(tmp_path)
    put(tmp_path, "b.txt", "another")
    assert sorted(rows(tmp_path, "text")) == [("a.png", "a dark square"), ("b.png", "another")]


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_a_folder_with_metadata(tmp_path: Path, name: str):
    put(tmp_path, "x/a.png", png(1))
    line = {"file_name": "x/a.png", "text": "dark"}
    put(tmp_path, name, "file_name,text\nx/a.png,dark\n" if name.endswith("csv") else json.dumps(line) + "\n")
    assert rows(tmp_path, "text") == [("a.png", "dark")]


def test_a_file_with_several_captions_an_item(tmp_path: Path):
    put(tmp_path, "a.png", png(1))
    put(tmp_path, "b.png", png(2))
    lines = [{"image": "a.png", "captions": ["one", "two"]}, {"image": "b.png", "captions": ["three"]}]
    path = put(tmp_path, "list.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert rows(path, "text") == [("a.png", "one"), ("a.png", "two"), ("b.png", "three")]
    corpus = open_pairs(str(path), "image", 0)
    assert facts(corpus)["documents"] == 3
    assert [file.name for file in corpus.files] == ["list.jsonl", "a.png", "a.png", "b.png"]


def coco(folder: Path, **changes: object) -> Path:
    put(folder, "val2017/7.jpg", png(1))
    put(folder, "val2017/9.jpg", png(2))
    put(folder, "train2017/1.jpg", png(3))
    content = {
        "images": [{"id": 7, "file_name": "7.jpg"}, {"id": 9, "file_name": "9.jpg"}],
        "annotations": [
            {"id": 3, "image_id": 9, "caption": "A cat. "},
            {"id": 4, "image_id": 7, "caption": "A dog."},
            {"id": 5, "image_id": 9, "caption": "It sleeps."},
        ],
        **changes,
    }
    return put(folder, "annotations/captions_val2017.json", json.dumps(content))


def test_coco_captions(tmp_path: Path):
    path = coco(tmp_path)
    expected = [("7.jpg", "A dog.", "7-4"), ("9.jpg", "A cat.", "9-3"), ("9.jpg", "It sleeps.", "9-5")]
    assert rows(path, "text", "id") == expected
    assert pairs(open_pairs(str(path), "image", 0)) == [row[:2] for row in expected]


def test_damaged_coco_captions_are_told_with_their_place(tmp_path: Path):
    for annotation, reason in (
        ({"image_id": 8, "caption": "A"}, "annotation 0: no image has the id 8"),
        ({"image_id": 7, "bbox": [1]}, "annotation 0: it has no caption"),
    ):
        with pytest.raises(HarnessError, match=reason):
            read(coco(tmp_path, annotations=[annotation]))
    with pytest.raises(HarnessError, match="there is no caption in it"):
        read(coco(tmp_path, annotations=[]))


def test_the_splits_of_karpathy(tmp_path: Path):
    put(tmp_path, "val2014/1.jpg", png(1))
    put(tmp_path, "val2014/2.jpg", png(2))
    images = [
        {"filepath": "val2014", "filename": "1.jpg", "split": "restval", "sentences": [{"raw": "A"}, {"raw": "B"}]},
        {"filepath": "val2014", "filename": "2.jpg", "split": "test", "sentences": [{"raw": "C"}]},
    ]
    path = put(tmp_path, "dataset_coco.json", json.dumps({"images": images, "dataset": "coco"}))
    assert rows(path, "text", "split") == [("1.jpg", "A", "train"), ("1.jpg", "B", "train"), ("2.jpg", "C", "test")]
    assert pairs(open_pairs(str(path), "image", 0)) == [("1.jpg", "A"), ("1.jpg", "B")]  # what is held out is not read


def test_flickr30k_in_both_its_forms(tmp_path: Path):
    put(tmp_path, "flickr30k_images/1.jpg", png(1))
    put(tmp_path, "flickr30k_images/2.jpg", png(2))
    bars = put(
        tmp_path,
        "results.csv",
        'image_name| comment_number| comment\n1.jpg| 0| A man, "old"| x .\n1.jpg| 1   A dog\n2.jpg| 0| Two .\n',
    )
    table = read(bars)
    assert rows(bars, "text") == [("1.jpg", 'A man, "old"| x .'), ("2.jpg", "Two .")]
    assert table.dropped == 1 and table.place(1).endswith("results.csv:4")
    token = put(tmp_path, "results.token", "1.jpg#0\tA man .\n2.jpg#0\tTwo .\n")
    assert rows(token, "text", "id") == [("1.jpg", "A man .", "1.jpg#0"), ("2.jpg", "Two .", "2.jpg#0")]


def test_librispeech(tmp_path: Path):
    put(tmp_path, "84/12/84-12-0000.flac", wav(1))
    put(tmp_path, "84/12/84-12-0001.wav", wav(2))
    put(tmp_path, "84/12/84-12.trans.txt", "84-12-0000 GO ON\n84-12-0001 STOP\n")
    assert rows(tmp_path, "text", "id", modality="audio") == [
        ("84-12-0000.flac", "GO ON", "84-12-0000"),
        ("84-12-0001.wav", "STOP", "84-12-0001"),
    ]
    put(tmp_path, "84/12/84-12.trans.txt", "84-12-0000 GO ON\n84-12-0002 STOP\n")
    with pytest.raises(HarnessError, match=r"84-12\.trans\.txt:2: there is no audio of the name 84-12-0002"):
        read(tmp_path, "audio")


def test_a_manifest_of_sounds(tmp_path: Path):
    put(tmp_path, "a.wav", wav(1))
    path = put(tmp_path, "m.json", json.dumps({"audio_filepath": "a.wav", "duration": 1.0, "text": "hello"}) + "\n")
    assert rows(path.rename(tmp_path / "m.jsonl"), "text", modality="audio") == [("a.wav", "hello")]


def test_pairs_to_train_on_leave_the_other_splits_of_a_folder_alone(tmp_path: Path):
    put(tmp_path, "train/cat/a.png", png(1))
    put(tmp_path, "test/cat/b.png", png(2))
    assert pairs(open_pairs(str(tmp_path), "image", 0)) == [("a.png", "cat")]


def test_what_is_no_corpus_of_pairs_is_refused_in_a_line(tmp_path: Path):
    for where, modality, reason in (
        ("nowhere", "image", "no such file or folder: nowhere"),
        (str(tmp_path), "image", r"there is no image in it; it takes files in \.png"),
        (str(put(tmp_path, "t.csv", "a,b\n1,2\n")), "audio", "no column of audio files; .* Its columns: a, b"),
        ("sklearn-digits", "audio", "has images, and no audio"),
    ):
        with pytest.raises(HarnessError, match=reason):
            open_pairs(where, modality, 0)
