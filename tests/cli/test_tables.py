"""What verbs print in a terminal: tables that fit it; whole ones with --plain, in a file and in a pipe."""

from __future__ import annotations

import io
import re

import pytest

from harness.report.tables.aligned import cell_width
from harness.report.text.fitting import RULE
from tests import command_line

WIDTH = 64


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def in_terminal(small_run, monkeypatch):
    """The command line in the folder of a finished run, in a terminal of so many columns, or in a pipe."""
    call, _, _ = small_run
    pipe = command_line._stream

    def asked(*arguments, columns: int | None = WIDTH, code: int | None = 0) -> str:
        stream = pipe if columns is None else lambda: Terminal(io.BytesIO(), encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(command_line, "_stream", stream)
            return call(*arguments, COLUMNS=str(columns or 200), code=code).stdout

    return asked


def tables(text: str) -> list[str]:
    """The lines of a text that are of tables."""
    blocks = [block.split("\n") for block in text.split("\n\n")]
    of_columns = [line for lines in blocks if any(map(RULE.fullmatch, lines[:3])) for line in lines]
    return [*of_columns, *(line for line in text.split("\n") if line.startswith("|"))]


VERBS = [
    ["show"],
    ["score"],
    ["leaderboard"],
    *(["list", kind] for kind in ("tasks", "suites", "models", "compressors", "objectives", "metrics", "learners")),
    ["baseline", "list"],
    ["baseline", "show", "main"],
    ["baseline", "diff", "main", "other"],
    ["compare", "latest", "latest"],
    ["gate", "--baseline", "main"],
    ["gate", "--baseline", "other", "--model", "tfidf=majority"],
    ["run", "--task", "cola", "--task", "sst2", "--model", "tfidf", "--dry-run"],
    ["leaderboard", "--calibration"],
]


@pytest.mark.parametrize("command", VERBS, ids=" ".join)
def test_the_tables_of_a_verb_fit_the_terminal_and_are_whole_elsewhere(command, in_terminal):
    in_terminal("baseline", "accept", "--name", "main")
    in_terminal("baseline", "accept", "--name", "other", "--model", "tfidf")
    whole = in_terminal(*command, columns=None, code=None)
    shown = in_terminal(*command, code=None)
    assert tables(whole)
    assert max(map(cell_width, tables(shown)), default=0) <= WIDTH, shown
    assert in_terminal(*command, "--plain", code=None) == whole
    assert in_terminal(*command, columns=100_000, code=None) == whole
    letters = [re.sub(r"[\s|*-]|\[[-+\d.]+, [-+\d.]+\]", "", text) for text in (whole, shown)]
    assert len(letters[1]) >= len(letters[0]), "all but intervals is there"


def test_json_is_the_same_in_a_terminal(in_terminal):
    for command in (["show", "--json"], ["list", "tasks", "--json"], ["score", "--json"]):
        assert in_terminal(*command) == in_terminal(*command, columns=None)
