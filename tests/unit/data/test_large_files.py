"""Splits whose columns stay in files: the same to the bit as those that are held in memory, and the same errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core import columns
from harness.core.columns import LazyCells, MappedTexts
from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.data import load, text_files
from harness.data.frame import Split, count_in, set_of_rows
from harness.data.readers import read_csv, read_jsonl

from .test_files import write_rows

Make = Callable[..., TaskSpec]
ROWS = [(f'she said "{number % 40}",\nmañana 🙂' if number % 3 else f"plain {number}", "good" if number % 2 else "bad")
        for number in range(90)]  # fmt: skip


@pytest.fixture
def nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def set_limits() -> None:
        monkeypatch.setattr(columns, "MANY", 1)
        monkeypatch.setattr(columns, "BATCH", 7)
        monkeypatch.setattr(text_files, "LARGE", 1)

    return set_limits


def facts(split: Split) -> dict[str, Any]:
    """All that cells make of a split."""
    parts = {
        "all": split, "sample": split.sample(0.4, 3), "draw": split.draw(11, 1), "few": split.few(2, 2),
        "head": split.head(17), "fold": split.without(split.folds(4)[1]), "part": split.select([5, 3, 8]),
    }  # fmt: skip
    known = set_of_rows(split.rows(), len(split))
    return {
        name: [list(part.ids), {field: list(texts) for field, texts in part.fields.items()}, part.labels,
               part.fingerprint, part.distinct, count_in(part.rows(), len(part), known)]
        for name, part in parts.items()
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_large_file_gives_what_a_small_one_gives(
    task: Make, tmp_path: Path, ending: str, nothing_is_held: Callable[[], None]
) -> None:
    rows = [(text.replace("\n", " "), label) for text, label in ROWS] if ending == "tsv" else ROWS
    if ending == "tsv":
        lines = ["text\tlabel", *("\t".join(row) for row in rows)]
        (tmp_path / "train.tsv").write_text("\r\n".join(lines), "utf-8")
    else:
        write_rows(tmp_path / f"train.{ending}", rows)
    held = load(task(), str(tmp_path), None, ("train", "dev"))
    nothing_is_held()
    mapped = load(task(), str(tmp_path), None, ("train", "dev"))
    assert isinstance(mapped.splits["train"].fields["text"], LazyCells)
    assert not isinstance(held.splits["train"].fields["text"], LazyCells)
    assert mapped.fingerprint == held.fingerprint and mapped.notes == held.notes
    assert {name: facts(split) for name, split in mapped.splits.items()} == {
        name: facts(split) for name, split in held.splits.items()
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.csv", b"text,label\na,good\nb\n"),
        ("train.csv", b'text,label\na,good\n"b,bad\n'),
        ("train.csv", b"text,label\na,good\n\xff,bad\n"),
        ("train.csv", b"\n \n"),
        ("train.tsv", b"text\tlabel\na\tgood\nb"),
        ("train.tsv", b"text\tlabel\na\tgood\nb\tbad\tc\n"),
        ("train.jsonl", b'{"text": "a", "label": "good"}\n{"text": 3, "label": "bad"}\n'),
        ("train.jsonl", b'{"text": "a", "label": "good"}\n[]\n'),
        ("train.jsonl", b'{"text": "a", "label": "good"}\n{"text": "b", "label": "no such"}\n'),
    ],
)
def test_what_is_wrong_with_a_large_file_is_said_alike(
    task: Make, tmp_path: Path, name: str, content: bytes, nothing_is_held: Callable[[], None]
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / f"dev{Path(name).suffix}").write_bytes(content)
    messages = []
    for prepare in (lambda: None, nothing_is_held):
        prepare()
        with pytest.raises(HarnessError) as error:
            load(task(labels=["bad", "good"]), str(tmp_path))
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_nested_and_missing_cells_of_large_json_lines(
    task: Make, tmp_path: Path, nothing_is_held: Callable[[], None]
) -> None:
    records = [{"of": {"text": f"text {row}"}, "label": row % 2} for row in range(8)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in [*records, {"label": 1}]), "utf-8")
    (tmp_path / "dev.jsonl").write_text(f"{json.dumps(records[0])}\n", "utf-8")
    nothing_is_held()
    asked = task(fields={"text": "of.text", "label": "label"})
    with pytest.raises(HarnessError, match=r"train\.jsonl:9: column 'of\.text' should hold text, found nothing"):
        load(asked, str(tmp_path), None, ("train",))
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    assert list(load(asked, str(tmp_path), None, ("train",)).splits["train"].fields["text"]) == [
        f"text {row}" for row in range(8)
    ]


def test_ids_of_many_rows_are_told_apart(task: Make, tmp_path: Path, nothing_is_held: Callable[[], None]) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,text,label\n1,a,good\n2,b,bad\n1,c,bad\n", "utf-8")
    nothing_is_held()
    asked = task(sources={"folder": {"folder": "x", "id": "id"}})
    with pytest.raises(HarnessError, match=r"train\.csv:4: id '1' is already that of .*train\.csv:2"):
        load(asked, str(tmp_path), None, ("train",))


def test_no_room_for_columns_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(columns.tempfile, "TemporaryFile", full)
    with pytest.raises(HarnessError, match="No space left on device; name a folder with more room in TMPDIR"):
        columns.mapped_texts(["a"])


def test_a_column_in_a_file_is_a_sequence() -> None:
    texts = [f"text {row}" for row in range(10_000)]
    column = columns.mapped_texts(texts)
    assert column == texts and column[-1] == texts[-1] and list(column[4090:4100]) == texts[4090:4100]
    assert isinstance(column[5:], MappedTexts) and list(column[::3000]) == texts[::3000]
    assert column != texts[:-1] and list(columns.mapped_texts([])) == []
    with pytest.raises(IndexError):
        column[10_000]


@pytest.mark.parametrize("read", [read_csv, read_jsonl])
def test_a_name_that_no_file_has_is_one_line(read: Callable[[Path], object]) -> None:
    with pytest.raises(HarnessError, match=r"cannot read .*: embedded null byte"):
        read(Path("a\x00b.csv"))
