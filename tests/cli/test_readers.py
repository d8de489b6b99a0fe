"""Results that cannot be written to, and those of a run that still works, are read all the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.locks import lock_file

READERS = (
    ("show",), ("show", "--json"), ("leaderboard",), ("leaderboard", "--calibration"), ("leaderboard", "--html", "page.html"),
    ("score",), ("compare", "latest", "latest"), ("export", "lm-eval", "--model", "majority", "-o", "exported"), ("verify",),
)  # fmt: skip


@pytest.fixture
def results(small_run, tmp_path):
    _, folder, _ = small_run
    shutil.copytree(folder / "results", tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "cache")
    (tmp_path / "results" / "cache").mkdir()
    return tmp_path / "results"


def in_read_only(folder: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where `results` is mounted read-only, for this process alone."""
    mount = 'mount --bind results results && mount -o remount,ro,bind results && exec "$@"'
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", sys.executable, "-m", "harness", *arguments],
        cwd=folder, env={**os.environ, "HARNESS_CACHE": str(cache)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def can_mount(folder: Path) -> bool:
    (folder / "results").mkdir(exist_ok=True)
    command = ["unshare", "--mount", "--map-root-user", "mount", "--bind", "results", "results"]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.process
def test_an_archive_that_is_mounted_read_only_is_read(results, tmp_path, machine_cache):
    if not can_mount(tmp_path):
        pytest.skip("needs the right to mount a folder")
    before = sorted(str(path) for path in results.rglob("*"))
    for command in READERS:
        done = in_read_only(tmp_path, machine_cache, *command)
        assert done.returncode == 0 and "Traceback" not in done.stderr, (command, done.stderr)
        assert done.stdout or command[0] in ("export", "leaderboard"), command
    assert sorted(str(path) for path in results.rglob("*")) == before
    done = in_read_only(tmp_path, machine_cache, "run", "--task", "cola", "--model", "majority", "--limit", "20")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: cannot use results as the results folder: Read-only file system; choose another with --results"
    ]


def test_what_a_run_has_so_far_is_shown_while_it_works(harness, results):
    (path,) = (results / "runs").glob("*.json")
    manifest = json.loads(path.read_text())
    name = manifest["run"]
    from harness.core.checked import write_checked

    write_checked(
        path, manifest | {"status": "running", "cells": [{**cell, "status": "missing"} for cell in manifest["cells"]]}
    )
    gone = next(cell["cell"] for cell in manifest["cells"] if cell["kind"] == "score" and cell["model"] == "tfidf")
    shutil.rmtree(results / "cells" / gone[:2] / gone)
    with lock_file(results / "locks" / f"run-{name}.lock"):
        shown = json.loads(harness("show", "--json").stdout)
        assert shown["status"] == "running"
        assert [cell["status"] for cell in shown["cells"]].count("missing") == 1
        table = harness("leaderboard")
        assert "majority" in table.stdout and f"run {name} still works: 7 of 8 cells are done" in table.stderr
        harness("score")
        assert "running" in harness("show").stdout
    assert json.loads(harness("show", "--json").stdout)["status"] == "interrupted"


def test_a_run_without_a_score_yet_says_that_it_works(harness, results):
    (path,) = (results / "runs").glob("*.json")
    manifest = json.loads(path.read_text())
    from harness.core.checked import write_checked

    write_checked(path, manifest | {"status": "running"})
    shutil.rmtree(results / "cells")
    with lock_file(results / "locks" / f"run-{manifest['run']}.lock"):
        assert f"no scores yet in results: run {manifest['run']} still works" in harness("leaderboard", code=2).stderr
        harness("show")
