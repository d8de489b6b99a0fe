"""pytest as an outlet of the gate: a test item a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.gate import baseline
from tests.conftest import ROOT
from tests.gate.synthetic import answers, classes, evidence


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


def test_without_the_option_nothing_is_added(folder):
    done = call_pytest(folder)
    assert done.returncode == 0
    assert "harness::" not in done.stdout


def test_a_missing_baseline_is_a_usage_error(folder):
    done = call_pytest(folder, "--harness-baseline", "man")
    assert done.returncode == 4
    assert "no baseline 'man'. Did you mean 'main'?" in done.stdout + done.stderr
