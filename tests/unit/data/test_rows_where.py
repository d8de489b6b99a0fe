"""Files with the rows of several tasks, packed ones too."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data import load, state

Write = Callable[[str, str | bytes], Path]


def rows(*uids: str) -> bytes:
    lines = [
        json.dumps({"UID": uid, "sentence_good": f"good {number}", "sentence_bad": f"bad {number}"})
        for number, uid in enumerate(uids)
    ]
    return "\n".join([*lines, ""]).encode()


def blimp(name: str, folder: Path) -> Any:
    task = load_registry().task(f"blimp-{name}")
    return load(task, str(folder)).splits["test"]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_the_rows_of_a_paradigm_are_read_from_the_file_of_all(ending: str, write: Write, tmp_path: Path) -> None:
    content = rows("passive_1", "passive_2", "passive_1")
    write(f"blimp/blimp.{ending}", gzip.compress(content) if ending.endswith("gz") else content)
    split = blimp("passive_1", tmp_path)
    assert split.fields == {"good": ("good 0", "good 2"), "bad": ("bad 0", "bad 2")}
    assert split.ids == ("test-0", "test-2")
    assert split.labels == (("good 0",), ("good 2",))
    assert blimp("passive_2", tmp_path).fields["good"] == ("good 1",)
    with pytest.raises(HarnessError, match="no row has causative in its column UID"):
        blimp("causative", tmp_path)


def test_a_file_of_its_own_goes_first_and_a_changed_one_is_read_again(write: Write, tmp_path: Path) -> None:
    write("data/passive_1.jsonl", rows("passive_1"))
    write("data/blimp.jsonl", rows("passive_1", "passive_1"))
    task = load_registry().task("blimp-passive_1")
    assert len(blimp("passive_1", tmp_path)) == 1
    before = state(task, str(tmp_path))
    write("data/passive_1.jsonl", rows("passive_1", "passive_1", "passive_1"))
    assert len(blimp("passive_1", tmp_path)) == 3
    assert state(task, str(tmp_path)) != before


def test_a_packed_split_of_ones_own_is_read(write: Write, tmp_path: Path, task: Callable[..., Any]) -> None:
    line = json.dumps({"text": "a", "label": "good"})
    write("train.jsonl.gz", gzip.compress(f"{line}\n".encode()) + gzip.compress(f"{line}\n".encode()))
    write("dev.csv.gz", gzip.compress(b"text,label\nb,bad\n"))
    data = load(task(), str(tmp_path))
    assert data.splits["train"].fields["text"] == ("a", "a")
    assert data.splits["dev"].labels == (0,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no gzip", "no gzip file"),
        (gzip.compress(b'{"text": "a", "label": "good"}' * 9, mtime=0)[:-12], "cut off"),
    ],
)
def test_a_damaged_packed_file_is_one_line(
    content: bytes, reason: str, write: Write, tmp_path: Path, task: Callable[..., Any]
) -> None:
    write("train.jsonl.gz", content)
    with pytest.raises(HarnessError) as caught:
        load(task(), str(tmp_path), splits=["train"])
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_unpacks_to_too_much_is_not_read(tmp_path: Path) -> None:
    from harness.core.reading import ReadingError, read_text

    file = tmp_path / "zeros.txt.gz"
    file.write_bytes(gzip.compress(b"0" * 10**6))
    size = file.stat().st_size
    with pytest.raises(ReadingError, match=f"more than {size:,} bytes when unpacked"):
        read_text(file, size)
