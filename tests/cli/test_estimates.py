"""What a plan says that a run will cost, and what it costs."""

from __future__ import annotations

import json

import pytest

from tests.conftest import read_json

RUN = ("run", "--task", "sst2", "--model", "bert-tiny", "--limit", "600", "--epochs", "4", "--workers", "1")
GENEROUS = 3.0
"""How far an estimate may be off on a machine where others are at work."""


@pytest.mark.slow
def test_a_plan_costs_what_it_says_and_the_next_seed_what_a_long_cell_before_it_did(harness_process, tmp_path):
    planned = read_json(harness_process(*RUN, "--dry-run", "--json").stdout)
    harness_process(*RUN)
    took: dict[str, float] = {}
    for path in (tmp_path / "results" / "cells").glob("*/*/record.json"):
        record = json.loads(path.read_text())
        took[record["kind"]] = record["timings"]["cpu_seconds"]
    cells = {cell["kind"]: cell["estimated_seconds"] for cell in planned["cells"]}
    assert cells["finetune"] / GENEROUS < took["finetune"] < GENEROUS * (cells["finetune"] + 5)
    # A record's seconds are those of its cell; the plan's have the start of the processes as well.
    assert sum(cells.values()) / GENEROUS < sum(took.values()) < GENEROUS * planned["estimated_cpu_seconds"]
    again = read_json(harness_process(*RUN, "--first-seed", "1", "--dry-run", "--json").stdout)
    learned = {cell["kind"]: cell["estimated_seconds"] for cell in again["cells"]}
    if took["finetune"] > 20:
        assert learned["finetune"] == pytest.approx(took["finetune"], rel=0.05)
    assert learned["score"] > 0


def test_a_plan_says_its_clock_and_its_cpu_time(harness):
    command = ("run", "--task", "sst2", "--model", "bert-tiny", "--model", "tfidf", "--limit", "60", "--dry-run")
    text = harness(*command, "--workers", "2").stdout
    assert "to compute: about " in text and " on 2 workers, " in text and " of CPU time" in text
    plan = read_json(harness(*command, "--json", "--workers", "2").stdout)
    assert plan["estimated_seconds"] < plan["estimated_cpu_seconds"]
    assert all(cell["estimated_seconds"] > 0 for cell in plan["cells"])
