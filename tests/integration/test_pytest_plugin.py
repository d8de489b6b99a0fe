"""pytest as an reporter of the gate: a test item a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.gating import baseline
from tests.conftest import ROOT
from tests.unit.gating.measurements import measurement
from tests.unit.gating.synthetic import answers, classes, evidence


def call_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    installed = subprocess.run(
        [sys.executable, "-c", "from importlib.metadata import entry_points as e; print('harness' in e(group='pytest11').names)"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    plugin = [] if "True" in installed else ["-p", "harness.pytest_plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, "-v", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    references = classes(400)
    for name, wrong in (("main", 0), ("worse", 80)):
        right = np.arange(400) >= wrong
        tasks = {
            "cola": (["accuracy"], references, [answers(references, right)]),
            "rte": (["accuracy"], references, [references]),
        }
        baseline.accept(evidence(tasks, name=name), name, tmp_path / "baselines" / "accepted")
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    return tmp_path


def test_each_verdict_is_an_item_beside_the_projects_own_tests(folder):
    done = call_pytest(folder, "--harness-baseline", "main", "--harness-candidate", "worse")
    assert done.returncode == 1
    assert "harness::cola[encoder] FAILED" in done.stdout
    assert "harness::rte[encoder] PASSED" in done.stdout
    assert "test_own.py::test_own PASSED" in done.stdout
    assert "REGRESSED: a significant drop of at least 1.0 points" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_what_was_measured_is_an_item_a_number(folder):
    references = classes(400)
    for name, files in (("main", "base files"), ("other", "candidate files")):
        found = evidence({"cola": (["accuracy"], references, [references])}, name=name)
        scored = {key: replace(one, files=files) for key, one in found.scored.items()}
        baseline.accept(replace(found, scored=scored), name, folder / "baselines" / "accepted")
    for seed in (0, 1):
        made = measurement(1.1, seed=seed, memory=(40_000_000, 20_000_000))
        (folder / f"{seed}.json").write_text(json.dumps(made.content.as_json()))
    both = ("--harness-baseline", "main", "--harness-candidate", "other", "--harness-measured", "0.json")
    once = call_pytest(folder, *both)
    assert once.returncode == 0 and "harness::speed, 8 × 128[encoder on cola] SKIPPED" in once.stdout
    twice = call_pytest(folder, *both, "--harness-measured", "1.json")
    assert twice.returncode == 1
    assert "harness::speed, 8 × 128[encoder on cola] FAILED" in twice.stdout
    assert "harness::memory, 8 × 128[encoder on cola] PASSED" in twice.stdout
    assert "REGRESSED: slower by 9.9 %" in twice.stdout


def test_without_the_option_nothing_is_added(folder):
    done = call_pytest(folder)
    assert done.returncode == 0
    assert "harness::" not in done.stdout


def test_a_missing_baseline_is_a_usage_error(folder):
    done = call_pytest(folder, "--harness-baseline", "man")
    assert done.returncode == 4
    assert "no baseline 'man'. Did you mean 'main'?" in done.stdout + done.stderr
