"""What only a process of its own shows: that it does what the call in the tests' process does, exit codes, pipes, a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, SMALL

TIMES = re.compile(r"[\d.]+ s\b|\(eta [\d:?]+\)|run \S+|\d+ min")


def predictions(folder: Path) -> dict[str, bytes]:
    """The predictions of every scored cell, by its key."""
    return {path.parent.name: path.read_bytes() for path in folder.glob("results/cells/*/*/predictions.parquet")}


@pytest.mark.slow
def test_a_process_with_workers_says_and_leaves_what_a_call_in_this_process_does(
    small_run, harness_process, machine_cache, tmp_path
):
    _, folder, inline = small_run
    done = harness_process("run", *SMALL)
    assert done.stdout == inline.stdout
    said = [
        sorted(TIMES.sub("", line.partition("] ")[2] or line).rstrip() for line in one.stderr.splitlines())
        for one in (done, inline)
    ]
    assert said[0] == said[1]
    assert predictions(tmp_path) == predictions(folder) and len(predictions(folder)) == 4


def test_a_process_ends_with_the_exit_code_of_its_verb(harness_process):
    assert harness_process("--version").stdout.startswith("nlp-harness ")
    refused = harness_process("run", "--task", "colla", code=2)
    assert refused.stdout == "" and len(refused.stderr.splitlines()) == 1 and "Did you mean 'cola'" in refused.stderr
    assert "no baseline" in harness_process("gate", "--baseline", "main", code=4).stderr


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    shown = f'"{sys.executable}" -m harness'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("harness", shown, 1)], cwd=folder, text=True,
        capture_output=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("command", ["show --json | head -c 10", "leaderboard | head -c 10", "--help | head -c 10"])
def test_a_reader_that_has_seen_enough_is_no_error(small_run, command):
    _, folder, _ = small_run
    done = shell(f"harness {command}", folder)
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, "", 10)


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_narrow_encoding_is_no_error_and_changes_no_exit_code(small_run, encoding):
    _, folder, _ = small_run
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    for command, code in (
        (["leaderboard"], 0),
        (["--help"], 0),
        (["gate", "--baseline", "ü–"], 4),
        (["show", "北"], 2),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "harness", *command], cwd=folder, env=environment, capture_output=True, timeout=120
        )
        assert done.returncode == code and b"Traceback" not in done.stderr, done.stderr


@pytest.mark.process
def test_a_terminal_gets_a_bar_of_the_run_and_a_line_a_cell(machine_cache, tmp_path):
    """The bar is drawn below the lines, on stderr; stdout has the table alone."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HARNESS_CACHE": str(machine_cache),
        "TERM": "xterm",
        "COLUMNS": "120",
    }
    command = ("run", "--executor", "inline", "--task", "cola", "--model", "majority", "--limit", "30")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, text=True,
        env=environment,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    output, _ = process.communicate(timeout=120)
    os.close(ours)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "━" in text or "─" in text
    assert "[1/2] finetune cola majority seed 0" in text and "[2/2] score cola majority seed 0" in text
    assert output.startswith("### ") and "━" not in output


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
