"""What a run says of its progress."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli.progress import Progress, SecondsLeft
from harness.pipeline.cells import Cell, Event
from harness.pipeline.cost import Forecast
from harness.training.costs import Work


def job(kind: str) -> Any:
    """Progress looks at the kind of a job alone."""
    return SimpleNamespace(kind=kind)


FIT = Cell("fit", {}, job("finetune"), (), "sst2", "tiny", 0, work=Work(seconds=100.0))
SCORE = Cell("score", {}, job("score"), ("fit",), "sst2", "tiny", 0, split="dev", work=Work(seconds=20.0))
TIMED = Cell("timed", {}, job("measure"), ("fit",), "sst2", "tiny", 0, work=Work(), seconds=(10.0, 100.0))


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("harness.cli.progress.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def progress(clock):
    """Of a fine-tuning, and of a measuring that takes at most 100 s, fifty seconds after the start."""
    shown = Progress([FIT, TIMED], forecast=Forecast({"fit": 100.0, "timed": 100.0}, frozenset({"timed"}), 0.0, 1))
    shown(Event("started", FIT))
    clock[0] += 50
    return shown


def test_what_is_measured_after_the_rest_is_reckoned_by_its_seconds(progress, capsys):
    progress(Event("progress", FIT, fraction=0.5))
    assert "eta 2:30" in capsys.readouterr().err
    progress(Event("done", FIT, summary={"seconds": 50.0}))
    assert "eta 1:40" in capsys.readouterr().err
    progress(Event("progress", TIMED, fraction=0.25, detail="launch 4"))
    assert "25 %, launch 4 (eta 1:15)" in capsys.readouterr().err


def test_a_verdict_stands_in_the_line_of_its_cell(progress, capsys):
    progress(Event("done", FIT, summary={"seconds": 50.0}))
    progress(Event("done", TIMED, summary={"seconds": 80.0, "verdict": "IMPRECISE"}))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "[2/2] measure sst2 tiny seed 0: IMPRECISE 80.0 s"


def test_the_time_left_is_the_forecast_until_cells_show_another_pace(clock):
    shown = Progress([FIT, SCORE], forecast=Forecast({"fit": 100.0, "score": 20.0}, frozenset(), 10.0, 1))
    assert shown._eta() == "2:10", "the forecast, imports included, before anything is done"
    shown(Event("started", FIT))
    clock[0] += 40
    shown(Event("progress", FIT, fraction=0.1))
    four_times_as_slow = shown._eta()
    assert "3:" in four_times_as_slow or "4:" in four_times_as_slow, (
        "110 s of forecast are left, at twice the pace or more"
    )
    clock[0] += 360
    shown(Event("done", FIT, summary={"seconds": 400.0}))
    minutes, seconds = map(int, shown._eta().split(":"))
    assert 60 <= 60 * minutes + seconds <= 80, "20 s of forecast, at nearly four times"


@pytest.mark.parametrize(("workers", "eta"), [(1, "4:00"), (2, "2:00"), (8, "1:00")])
def test_cells_side_by_side_share_the_workers(clock, workers, eta):
    cells = [Cell(str(number), {}, job("finetune"), (), "sst2", "tiny", number) for number in range(4)]
    ahead = Forecast({cell.key: 60.0 for cell in cells}, frozenset(), 0.0, workers)
    assert Progress(cells, forecast=ahead)._eta() == eta


def test_what_is_left_is_summed_step_by_step_as_it_is_at_once():
    chance = random.Random(3)
    seconds = {str(number): chance.choice([0.0, chance.uniform(0.1, 50.0)]) for number in range(60)}
    timed = frozenset(key for key in seconds if chance.random() < 0.2)
    left, fractions = SecondsLeft(Forecast(seconds, timed, 0.0, 2)), dict.fromkeys(seconds, 0.0)
    keys = [*seconds] * 4
    chance.shuffle(keys)
    for key in [*keys, *seconds]:
        fractions[key] = chance.choice([0.0, chance.random(), 1.0])
        left.reach(key, fractions[key])
        rest = {name: seconds[name] * (1 - fractions[name]) for name in seconds}
        beside = [rest[name] for name in seconds if name not in timed]
        assert left.beside == pytest.approx(sum(beside), abs=1e-9) and left.longest == max(beside)
        assert left.alone == pytest.approx(sum(rest[name] for name in timed), abs=1e-9)
    for key in seconds:
        left.reach(key, 1.0)
    assert (left.alone, left.beside, left.longest, left.done_fraction) == (0.0, 0.0, 0.0, 1.0), "and not nearly"
