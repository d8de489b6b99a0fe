"""Where a task says that its items lie: folders and files of a download, a file that is scored, one file of all splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harness.core.specs import TaskSpec
from harness.data import load, state

from .item_files import png, put, wav


def names(split) -> list[str]:
    return [item.label for item in next(iter(split.fields.values()))]


def test_the_splits_of_a_download_are_folders_and_files(tmp_path: Path, task: Callable[..., TaskSpec]):
    for part, text in (("train-clean-100", "ONE"), ("dev-clean", "TWO")):
        put(tmp_path, f"LibriSpeech/{part}/1/2/1-2-0.flac", wav(len(part)))
        put(tmp_path, f"LibriSpeech/{part}/1/2/1-2.trans.txt", f"1-2-0 {text}\n")
    put(tmp_path, "LibriSpeech/list.csv", "path,text\ntrain-clean-100/1/2/1-2-0.flac,said\n")
    files = {"train": ["train-clean-100"], "dev": ["dev-clean"], "test": ["list.csv"]}
    spec = task(
        name="spoken", family="audio-text-retrieval", fields={"audio": "audio", "text": "text"}, labels=None,
        sources={"folder": {"folder": "LibriSpeech", "format": "items", "files": files}}, metrics=["accuracy"],
    )  # fmt: skip
    data = load(spec, str(tmp_path), splits=["train", "dev", "test"])
    assert [split.fields["text"] for split in data.splits.values()] == [("ONE",), ("TWO",), ("said",)]
    assert data.split("test").fields["audio"] == data.split("train").fields["audio"]
    before = state(spec, str(tmp_path))
    put(tmp_path, "LibriSpeech/dev-clean/1/2/1-2.trans.txt", "1-2-0 THREE\n")
    assert state(spec, str(tmp_path)) not in ("", before)


def test_a_file_is_scored_and_its_items_pin_it(tmp_path: Path, task: Callable[..., TaskSpec]):
    put(tmp_path, "a.png", png(1))
    path = put(tmp_path, "scored.jsonl", json.dumps({"file_name": "a.png", "label": "cat"}) + "\n")
    spec = task(
        name="pets", family="image-classification", fields={"image": "image", "label": "label"},
        labels=["cat", "dog"], reading={"test": str(path)}, eval=["test"], train_on="others",
    )  # fmt: skip
    assert names(load(spec, str(tmp_path)).split("test")) == ["a.png"]
    before = state(spec, str(tmp_path))
    put(tmp_path, "a.png", png(2))
    assert state(spec, str(tmp_path)) != before


def test_one_file_may_say_which_split_a_row_is_of(tmp_path: Path, task: Callable[..., TaskSpec]):
    for number in range(3):
        put(tmp_path, f"{number}.png", png(number))
    rows = "image,label,split\n0.png,cat,train\n1.png,dog,val\n2.png,cat,test\n"
    path = put(tmp_path, "all.csv", rows)
    spec = task(
        name="pets", family="image-classification", fields={"image": "image", "label": "label"}, labels=["cat", "dog"]
    )
    data = load(spec, str(path), splits=["train", "dev", "test"])
    assert [names(split) for split in data.splits.values()] == [["0.png"], ["1.png"], ["2.png"]]
