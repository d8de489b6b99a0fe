"""Killed at any moment, the next run goes on; two runs on one store share the work."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.command_line import starting, workers_of
from tests.conftest import read_json

COMMAND = [
    "run",
    "--task",
    "cola",
    "--task",
    "sst2",
    "--task",
    "rte",
    "--model",
    "majority",
    "--model",
    "bert-tiny",
    "--limit",
    "150",
    "--epochs",
    "3",
]


@pytest.fixture
def start(machine_cache, tmp_path):
    """Start the command line and return at once."""
    with starting(tmp_path, {**os.environ, "HARNESS_CACHE": str(machine_cache)}) as begin:
        yield begin


def wait_for_cells(root: Path, number: int, timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while len(list(root.glob("cells/*/*/record.json"))) < number:
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.05)


def alive(pattern: str) -> list[int]:
    import psutil

    return [
        one.pid
        for one in psutil.process_iter(["cwd"])
        if one.info["cwd"] == pattern and one.status() != psutil.STATUS_ZOMBIE
    ]


def wait_until_none_alive(folder: Path, timeout: float = 15) -> None:
    deadline = time.monotonic() + timeout
    while alive(str(folder)):
        assert time.monotonic() < deadline, f"still alive: {alive(str(folder))}"
        time.sleep(0.1)


@pytest.mark.nightly
@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_like_an_unbroken_one(harness, start, tmp_path):
    unbroken = read_json(harness(*COMMAND, "--out", "unbroken", "--json").stdout)
    chance = random.Random(7)
    for kill in range(3):
        process = start(*COMMAND, "--out", "broken")
        wait_for_cells(tmp_path / "broken", 2 * kill + 1)
        time.sleep(chance.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until_none_alive(tmp_path)
    before = len(list((tmp_path / "broken").glob("cells/*/*/record.json")))
    assert before > 0
    resumed = read_json(harness(*COMMAND, "--out", "broken", "--json").stdout)
    assert sum(cell["status"] == "cached" for cell in resumed["cells"]) == before
    hashes = [[score["predictions"]["sha256"] for score in result["scores"]] for result in (unbroken, resumed)]
    assert hashes[0] == hashes[1]


@pytest.mark.nightly
@pytest.mark.slow
def test_workers_end_with_a_killed_parent(start, tmp_path):
    process = start(*COMMAND, "--epochs", "40")
    wait_for_cells(tmp_path / "results", 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until_none_alive(tmp_path, timeout=5)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_run_and_keeps_what_is_done(number, start, harness, tmp_path):
    process = start(*COMMAND, "--epochs", "40")
    wait_for_cells(tmp_path / "results", 1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1].startswith("interrupted; finished cells are kept")
    assert "Traceback" not in errors
    wait_until_none_alive(tmp_path, timeout=5)
    assert "interrupted" in harness("show").stdout


@pytest.mark.slow
def test_two_runs_on_one_store_at_once_share_the_work(start, tmp_path):
    runs = [start(*COMMAND, "--json", "--workers", "1") for _ in range(2)]
    results = []
    for process in runs:
        output, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        results.append(read_json(output))
    done = [{cell["cell"] for cell in result["cells"] if cell["status"] == "done"} for result in results]
    every = {cell["cell"] for cell in results[0]["cells"]}
    assert done[0] | done[1] == every
    assert not done[0] & done[1]


@pytest.mark.nightly
@pytest.mark.slow
def test_a_worker_killed_by_the_system_fails_its_cell_alone(start, tmp_path):
    process = start(*COMMAND, "--epochs", "60", "--workers", "1")
    wait_for_cells(tmp_path / "results", 1)
    time.sleep(0.5)
    (worker,) = workers_of(process.pid)
    worker.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    assert errors.count("FAILED: its worker process was killed by signal 9; the system may be out of memory") == 1
    assert "1 failed, 1 skipped" in errors
