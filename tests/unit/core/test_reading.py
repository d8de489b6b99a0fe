"""Files that anybody may have written: what is no regular file, too large, too deep or no text is one clear error."""

from __future__ import annotations

import os

import pytest

from harness.core import reading
from harness.core.errors import HarnessError
from harness.core.reading import ReadingError, read_bytes, read_json, read_object, read_text


def test_a_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"a": [1, 2.5, "é", null, true]}', encoding="utf-8")
    assert read_object(path) == {"a": [1, 2.5, "é", None, True]}
    assert read_text(path).startswith("{")


def test_what_is_no_regular_file_is_said_to_be_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, reason in (
        ("pipe", "no regular file"),
        ("loop", "symbolic links"),
        ("missing", "No such file"),
        ("", "a folder"),
        ("a" * 5000, "name too long"),
    ):
        with pytest.raises(ReadingError, match=reason):
            read_bytes(tmp_path / name)
    with pytest.raises(ReadingError, match="no regular file"):
        read_bytes("/dev/zero")
    with pytest.raises(ReadingError, match="null"):
        read_bytes(tmp_path / "a\0b")


def test_sizes_are_bounded(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(reading.DOCUMENT + 1)
    with pytest.raises(ReadingError, match="too large: 67,108,865 bytes"):
        read_json(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        ("{", "line 1: not JSON: "),
        ('{\n"a": }', "line 2: not JSON: "),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ("9" * 6000, "too many digits"),
        (str(2**63), "64 bits|64 are read"),
        ("NaN", "nan is no finite number"),
        ("-Infinity", "-inf is no finite number"),
        ("1e999", "inf is no finite number"),
        (r'"\ud800"', "half of a surrogate pair"),
        (r'{"\ud800": 1}', "half of a surrogate pair"),
    ],
)
def test_json_that_is_none(tmp_path, text, reason):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReadingError, match=reason):
        read_json(path)


def test_an_object_is_expected(tmp_path):
    path = tmp_path / "a.json"
    for text, kind in (("[]", "a list"), ("3", "a number"), ("null", "null"), ('"x"', "a text"), ("true", "true or")):
        path.write_text(text)
        with pytest.raises(ReadingError, match=f"a JSON object is expected, found {kind}"):
            read_object(path)


def test_the_line_that_is_not_utf_8(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"fine\n\xff\n")
    with pytest.raises(HarnessError, match=r"a\.txt, line 2: not UTF-8 \(byte 0xff at offset 5\)"):
        read_text(path)


def test_a_home_that_nobody_has_is_a_name_like_another(tmp_path):
    assert str(reading.expanded("~nobody-of-that-name/x")) == "~nobody-of-that-name/x"
    assert not reading.is_file(tmp_path / ("a" * 5000))
    assert not reading.is_folder(tmp_path / ("a" * 5000))
