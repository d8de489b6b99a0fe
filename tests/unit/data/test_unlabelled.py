"""Texts without labels, in files of the forms that tasks are in."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.data.unlabelled import read_unlabelled
from tests.unit.modeling.heads.given import task

ONE, PAIR = task("classification", fields={"text": "sentence", "label": "label"}), task("similarity")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "one text\n\nanother, with a comma\n"),
        ("a.csv", 'sentence,label\none text,1\n"another, with a comma",\n'),
        ("a.tsv", "sentence\none text\nanother, with a comma\n"),
        ("a.jsonl", '{"sentence": "one text"}\n{"sentence": "another, with a comma", "label": 0}\n'),
    ],
)
def test_texts_are_read_and_labels_are_not(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    split = read_unlabelled(ONE, str(tmp_path / name))
    assert split.fields == {"text": ("one text", "another, with a comma")}
    assert split.labels is None


def test_pairs_are_read_from_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("text\ttext_pair\na\tb\n")
    assert read_unlabelled(PAIR, str(tmp_path / "a.tsv")).fields == {"text": ("a",), "text_pair": ("b",)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\n \n", "holds no rows"),
        ("a.txt", b"fine\n\xff\xfe", "byte 5 is not UTF-8"),
        ("a.csv", b"other,label\nx,1\n", "sentence"),
        ("a.docx", b"x", "files of this kind are not read"),
        ("b.txt", b"", "no such file; give a csv"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / ("a.txt" if "no such" in message else name)).write_bytes(content)
    with pytest.raises(HarnessError, match=message):
        read_unlabelled(ONE, str(tmp_path / name))


def test_lines_are_no_pairs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    with pytest.raises(HarnessError, match="a line is one text, and made-up has text and text_pair"):
        read_unlabelled(PAIR, str(tmp_path / "a.txt"))
