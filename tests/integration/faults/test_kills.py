"""Killed at random points, by any signal, whole or a worker alone: nothing is lost, nothing is left."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness.core.store import Store
from harness.core.verifying import verify
from tests.command_line import workers_of
from tests.integration.faults.conftest import CORPUS, ROUNDS, RUN, TINY, ended, predictions, wait_until_alone

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None)
"""None: SIGKILL to a worker alone."""


def test_runs_killed_at_random_points_end_like_an_unbroken_one(start, tmp_path, temporary, figure):
    begun = time.monotonic()
    ended(start(*RUN, "--out", "unbroken"))
    whole = time.monotonic() - begun
    chance, struck, workers = random.Random(1), 0, 0
    store = Store(tmp_path / "broken")
    for number in range(6 * ROUNDS):
        if number % 2 == 0:
            shutil.rmtree(store.root, ignore_errors=True)
        chosen = SIGNALS[number % len(SIGNALS)]
        process = start(*RUN, "--out", "broken")
        time.sleep(chance.uniform(0.1, 0.8) * whole)
        victims = workers_of(process.pid) if chosen is None else []
        if chosen is not None and process.poll() is None:
            process.send_signal(chosen)
            struck += 1
        elif victims:
            victims[0].kill()
            workers += 1
        _, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        wait_until_alone(tmp_path)
        if store.root.exists():
            assert verify(store).faults == [], f"after {chosen} a file is not whole"
    ended(start(*RUN, "--out", "broken"))
    assert predictions(store.root) == predictions(tmp_path / "unbroken")
    assert verify(store).faults == [] and list((store.root / "building").iterdir()) == []
    assert list(temporary.iterdir()) == []
    assert [path.name for path in (store.root / "locks").glob("run-*")] == []
    figure("kills of a run", signals=struck, workers=workers, lost=0, damaged=0)


def pretrained(output: str) -> bytes:
    return (Path(output.strip().splitlines()[-1]) / "model.safetensors").read_bytes()


def test_a_pretraining_killed_at_random_points_goes_on_by_the_same_command(start, tmp_path, temporary, figure):
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "corpus.txt").write_text(CORPUS)
    command = ("pretrain", "tiny", "--include", "tiny.yaml", "--threads", "1")
    unbroken = pretrained(str(tmp_path / ended(start(*command, "--out", "unbroken")).strip()))
    chance, kills = random.Random(2), 0
    for number in range(2 * ROUNDS):
        process = start(*command, "--out", "broken")
        wait_for_checkpoint(tmp_path / "broken", process, after=number)
        time.sleep(chance.random() * 0.5)
        if process.poll() is None:
            process.send_signal((signal.SIGKILL, signal.SIGINT)[number % 2])
            kills += 1
        process.communicate(timeout=60)
        wait_until_alone(tmp_path)
        for checkpoint in (tmp_path / "broken").glob("partial/*/[0-9]*"):
            assert (checkpoint / "checksums.json").exists()
    assert verify(Store(tmp_path / "broken")).faults == []
    last = start(*command, "--out", "broken", "--json")
    done = json.loads(ended(last))
    assert done["fit"]["resumed_from"] > 0
    (model,) = (tmp_path / "broken").glob("cells/*/*/model/model.safetensors")
    assert model.read_bytes() == unbroken
    assert list((tmp_path / "broken" / "partial").iterdir()) == []
    assert list(temporary.iterdir()) == []
    figure("kills of a pretraining", kills=kills, resumed_from=done["fit"]["resumed_from"])


def wait_for_checkpoint(root: Path, process: subprocess.Popen[str], after: int) -> None:
    deadline = time.monotonic() + 120
    before = newest(root)
    while process.poll() is None and newest(root) <= before:
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.02)


def newest(root: Path) -> int:
    return max((int(path.name) for path in root.glob("partial/*/[0-9]*")), default=-1)


def test_a_second_pretraining_of_the_same_leaves_the_first_alone(start, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY.replace("steps: 600", "steps: 2000"))
    (tmp_path / "corpus.txt").write_text(CORPUS)
    command = ("pretrain", "tiny", "--include", "tiny.yaml", "--threads", "1", "--out", "both")
    first = start(*command, "--json")
    wait_for_checkpoint(tmp_path / "both", first, after=0)
    seconds = [start(*command), start(*command, "--restart")]
    refused = 0
    for second in seconds:
        _, errors = second.communicate(timeout=120)
        if first.poll() is None:
            assert second.returncode == 2 and "another process is pretraining this" in errors
            refused += 1
    assert refused > 0, "the first was done before the others looked"
    assert json.loads(ended(first))["fit"]["resumed_from"] == 0
