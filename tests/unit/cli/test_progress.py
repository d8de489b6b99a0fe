"""What a run says of its progress."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli.progress import Progress
from harness.pipeline.cells import Cell, Event


def job(kind: str) -> Any:
    """Progress looks at the kind of a job alone."""
    return SimpleNamespace(kind=kind)


@pytest.fixture
def progress(monkeypatch):
    """Of a fine-tuning, and of a measuring that takes at most 100 s, fifty seconds after the start."""
    now = [1000.0]
    monkeypatch.setattr("harness.cli.progress.time.monotonic", lambda: now[0])
    fit = Cell("fit", {}, job("finetune"), (), "sst2", "tiny", 0, flops=1e9)
    timed = Cell("timed", {}, job("measure"), ("fit",), "sst2", "tiny", 0, flops=0.0, seconds=(10.0, 100.0))
    one = Progress([fit, timed])
    now[0] += 50
    return one, fit, timed


def test_what_is_measured_after_the_rest_is_reckoned_by_its_seconds(progress, capsys):
    one, fit, timed = progress
    one(Event("progress", fit, fraction=0.5))
    assert "eta 2:30" in capsys.readouterr().err
    one(Event("done", fit, summary={"seconds": 50.0}))
    assert "eta 1:40" in capsys.readouterr().err
    one(Event("progress", timed, fraction=0.25, detail="launch 4"))
    assert "25 %, launch 4 (eta 1:15)" in capsys.readouterr().err


def test_a_verdict_stands_in_the_line_of_its_cell(progress, capsys):
    one, fit, timed = progress
    one(Event("done", fit, summary={"seconds": 50.0}))
    one(Event("done", timed, summary={"seconds": 80.0, "verdict": "IMPRECISE"}))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "[2/2] measure sst2 tiny seed 0: IMPRECISE 80.0 s"
