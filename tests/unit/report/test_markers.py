"""Tables that are kept up to date inside somebody's file."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.report.tables.markers import update_file

OPEN, CLOSE = "<!-- harness:leaderboard -->", "<!-- /harness:leaderboard -->"
GLUE, END_GLUE = "<!-- harness:leaderboard glue -->", "<!-- /harness:leaderboard glue -->"


def test_only_what_is_between_the_markers_changes_and_twice_is_as_once(tmp_path):
    file = tmp_path / "README.md"
    before, after = b"\xef\xbb\xbf# Title \t\r\n", b"tail without newline \xe2\x80\xa8"
    file.write_bytes(before + f"{OPEN}\nold\n\n\nold\n{CLOSE}\n".encode() + after)
    assert update_file(file, "| new |\n")
    assert file.read_bytes() == before + f"{OPEN}\n\n| new |\n\n{CLOSE}\n".encode() + after
    assert not update_file(file, "| new |")
    assert update_file(file, "| newer |")


def test_line_ends_are_those_of_the_file(tmp_path):
    file = tmp_path / "README.md"
    file.write_bytes(f"a\r\n{OPEN}\r\n{CLOSE}\r\nb".encode())
    update_file(file, "x\ny")
    assert file.read_bytes() == f"a\r\n{OPEN}\r\n\r\nx\r\ny\r\n\r\n{CLOSE}\r\nb".encode()


def test_tables_with_names_are_told_apart(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"{OPEN}\n{CLOSE}\n{GLUE}\n{END_GLUE}\n")
    update_file(file, "first")
    update_file(file, "second", "glue")
    assert file.read_text() == f"{OPEN}\n\nfirst\n\n{CLOSE}\n{GLUE}\n\nsecond\n\n{END_GLUE}\n"


def test_markers_in_fenced_code_are_examples(tmp_path):
    file = tmp_path / "README.md"
    fenced = f"```\n{OPEN}\n{CLOSE}\n```\n"
    file.write_text(f"{fenced}{OPEN}\n{CLOSE}\n")
    update_file(file, "x")
    assert file.read_text() == f"{fenced}{OPEN}\n\nx\n\n{CLOSE}\n"


def test_the_files_mode_and_a_link_to_it_stay(tmp_path):
    file, link = tmp_path / "real.md", tmp_path / "README.md"
    file.write_text(f"{OPEN}\n{CLOSE}\n")
    file.chmod(0o640)
    link.symlink_to(file)
    update_file(link, "x")
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert "x" in file.read_text()


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("nothing", None, "no line <!-- harness:leaderboard -->"),
        (OPEN, None, "no line <!-- /harness:leaderboard -->"),
        (f"in a line {OPEN}\n{CLOSE}", None, "no line"),
        (f"{OPEN}\n{CLOSE}\n{OPEN}\n{CLOSE}", None, "2 lines"),
        (f"{CLOSE}\n{OPEN}\n", None, "stands before"),
        (f"{OPEN}\n{CLOSE}", "glue", "harness:leaderboard glue"),
        (f"{OPEN}\n{CLOSE}", "a -->", "letters, digits"),
    ],
)
def test_a_file_without_its_markers_is_refused_and_left_alone(tmp_path, content, name, message):
    file = tmp_path / "README.md"
    file.write_text(content)
    with pytest.raises(HarnessError, match=message):
        update_file(file, "x", name)
    assert file.read_text() == content


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="No such file"):
        update_file(tmp_path / "README.md", "x")
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(HarnessError, match="not UTF-8"):
        update_file(tmp_path / "README.md", "x")
