"""What people get to see: control characters escaped, no command for GitHub's runner, whatever the encoding."""

from __future__ import annotations

import io
import json
import sys

import pytest

from harness.core import text

HOSTILE = "a\x1b[31mred\x07\x9b\x85 \u202egnp\u2028b\u2066\ufeff\rc"


def test_control_characters_are_shown_and_line_ends_stay() -> None:
    seen = text.visible(f"{HOSTILE}\n\tend")
    assert seen == "a\\u001b[31mred\\u0007\\u009b\\u0085 \\u202egnp\\u2028b\\u2066\\ufeff\\u000dc\n\tend"
    assert text.visible("été 北京 🙂 –") == "été 北京 🙂 –"


def test_json_stays_the_same_json() -> None:
    content = {HOSTILE: [HOSTILE, "\ud800 é"]}
    assert json.loads(text.visible(json.dumps(content, ensure_ascii=False))) == content


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_every_character_is_written_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    text.prepare_streams()
    content = ["–±×→↓ é 北京 🙂 \ud800", HOSTILE]
    text.emit(json.dumps(content, ensure_ascii=False))
    stream.flush()
    written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert json.loads(written) == content


def test_what_github_would_follow_is_escaped_and_our_own_commands_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    text.emit("name\n::error::x\n  ::set-output name=a::b\na::b", ["::error title=ours::y"])
    text.say("::warning::z")
    seen = capsys.readouterr()
    lines = seen.out.splitlines()
    assert [line for line in lines if line.lstrip().startswith("::")] == ["::error title=ours::y"]
    assert lines[1] == "\\u003a:error::x" and lines[3] == "a::b"
    assert seen.err == "\\u003a:warning::z\n"


def test_a_reader_that_has_gone_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    text.emit("text")
    text.emit("more")
