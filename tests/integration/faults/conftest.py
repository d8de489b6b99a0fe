"""Runs that are killed, damaged, starved and crowded. `HARNESS_FAULT_ROUNDS=10` does all that is random ten times as
often; `HARNESS_FIGURES=FILE` keeps what was counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command_line import starting

ROUNDS = int(os.environ.get("HARNESS_FAULT_ROUNDS", "1"))
TINY = """
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}
tokenizer: {kind: wordpiece, vocab_size: 200, corpus: pretraining}
pretraining: {objective: mlm, corpus: corpus.txt, steps: 600, batch_size: 4, block_size: 16, checkpoint_every: 20}
training: {epochs: 1, batch_size: 16, max_length: 16}
"""
CORPUS = "\n\n".join(
    f"The {word} cat sat on the mat and the {word} dog ran." for word in ["red", "big", "old", "new", "wet"] * 20
)
RUN = (
    "run",
    "--task",
    "cola",
    "--task",
    "sst2",
    "--model",
    "tfidf",
    "--model",
    "majority",
    "--limit",
    "60",
    "--workers",
    "2",
)

Start = Callable[..., subprocess.Popen[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("slow")
            item.add_marker("process")
            item.add_marker("random")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files of the processes that are started."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(machine_cache: Path, temporary: Path) -> dict[str, str]:
    return {**os.environ, "HARNESS_CACHE": str(machine_cache), "TMPDIR": str(temporary), "COLUMNS": "200"}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Any:
    """Start the command line, and return at once."""
    with starting(tmp_path, environment) as begin:
        yield begin


@pytest.fixture
def figure() -> Callable[..., None]:
    """Keep what was counted: `figure("kills of a run", kills=6, lost=0)`."""

    def keep(name: str, **counts: int) -> None:
        print(name, counts)
        if file := os.environ.get("HARNESS_FIGURES"):
            path = Path(file)
            known = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps({**known, name: counts}, indent=1) + "\n")

    return keep


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What a process wrote to stdout; it must end with the code, and with no traceback."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == code, f"{process.returncode}: {errors}"
    assert "Traceback" not in errors, errors
    return output


def wait_until_alone(folder: Path) -> None:
    """Until no process works in a folder."""
    deadline = time.monotonic() + 20
    while any(one.info["cwd"] == str(folder) and _lives(one) for one in psutil.process_iter(["cwd"])):
        assert time.monotonic() < deadline, "a process of a killed run lives on"
        time.sleep(0.1)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def predictions(root: Path) -> dict[str, str]:
    """The hash of the predictions of each score cell of a store."""
    records = [json.loads(path.read_text()) for path in root.glob("cells/*/*/record.json")]
    return {one["cell"]: one["predictions"]["sha256"] for one in records if one["kind"] == "score"}
