"""pytest as an reporter of the gate: a test item a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.gating import baseline
from tests.conftest import ROOT, call_harness
from tests.unit.gating.measurements import measurement
from tests.unit.gating.synthetic import answers, classes, evidence


def call_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    installed = subprocess.run(
        [sys.executable, "-c", "from importlib.metadata import entry_points as e; print('harness' in e(group='pytest11').names)"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    plugin = [] if "True" in installed else ["-p", "harness.pytest_plugin"]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # of no worker
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, "-v", *arguments],
        cwd=folder,
        env={**outside, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
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


SCORED = """
import pytest


@pytest.mark.harness(limit=300)
def test_the_same_model_is_not_worse(harness):
    harness.score("sst2", "tfidf").assert_not_worse_than("main", margin=0.01)


@pytest.mark.harness(limit=300)
def test_a_worse_model_is(harness):
    scored = harness.score("sst2", "majority")
    assert 0.3 < scored.value < 0.7
    scored.assert_not_worse_than("main", models=["tfidf=majority"])


@pytest.mark.harness(limit=300, margin=0.9, ok_margin=0.95)
def test_margins_of_the_marker_are_those_of_the_verdict(harness):
    harness.score("sst2", "majority").assert_not_worse_than("main", models=["tfidf=majority"])


@pytest.mark.harness(limit=300)
def test_what_cannot_be_told_is_skipped(harness):
    harness.score("sst2", "near").assert_not_worse_than("main", models=["tfidf=near"])


@pytest.mark.harness(limit=100)
def test_other_examples_are_not_compared(harness):
    harness.score("sst2", "tfidf").assert_not_worse_than("main")
"""


@pytest.fixture
def scored(tmp_path: Path, machine_cache: Path) -> Path:
    """A baseline of a model on two tasks, a model that is nearly the same, and tests of its own."""
    harness = partial(call_harness, tmp_path, machine_cache)
    (tmp_path / "near.yaml").write_text("name: near\nlearner: tfidf\noptions: {C: 0.3}\n")
    harness("run", "--task", "sst2", "--task", "qqp", "--model", "tfidf", "--limit", "300", "-q")
    harness("baseline", "accept", "--name", "main")
    tests = SCORED.replace(
        "limit=300)\ndef test_what_cannot", "limit=300, include=['near.yaml'])\ndef test_what_cannot"
    )
    (tmp_path / "test_models.py").write_text(tests)
    return tmp_path


@pytest.mark.slow
def test_a_fixture_scores_models_and_asserts_that_they_are_not_worse(scored):
    done = call_pytest(scored, "-rs")
    assert "5 " not in done.stdout.splitlines()[-1] and done.returncode == 1, done.stdout
    assert "test_the_same_model_is_not_worse PASSED" in done.stdout
    assert "test_a_worse_model_is FAILED" in done.stdout
    assert "REGRESSED: a significant drop of at least 1.0 points; drop" in done.stdout
    assert "test_margins_of_the_marker_are_those_of_the_verdict PASSED" in done.stdout
    assert "test_what_cannot_be_told_is_skipped SKIPPED" in done.stdout
    assert "sst2: INCONCLUSIVE: no significant drop" in done.stdout
    assert "test_other_examples_are_not_compared FAILED" in done.stdout and "not comparable: task sst2" in done.stdout
    strict = call_pytest(scored, "--harness-strict", "-k", "cannot_be_told or same_model")
    assert "test_what_cannot_be_told_is_skipped FAILED" in strict.stdout and "1 failed, 1 passed" in strict.stdout


@pytest.mark.slow
def test_workers_of_xdist_score_the_same(scored):
    done = call_pytest(scored, "-n", "2")
    assert "2 failed, 2 passed, 1 skipped" in done.stdout, done.stdout


def test_a_marker_without_names_is_a_usage_error_and_marks_are_known(tmp_path):
    (tmp_path / "test_marks.py").write_text(
        "import pytest\n\n@pytest.mark.harness(3)\ndef test_it(harness):\n    pass\n"
    )
    done = call_pytest(tmp_path, "--strict-markers")
    assert done.returncode == 1 and "the marker harness takes names and values" in done.stdout
    assert "harness(seeds=1, limit=None" in call_pytest(tmp_path, "--markers").stdout


TIMED = """
class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def taking(self, seconds):
        def call():
            self.now += seconds
        return call


def test_as_fast(paired_benchmark):
    clock = Clock()
    paired_benchmark(clock.taking(0.01), clock.taking(0.01), timer=clock).assert_not_slower()


def test_slower(paired_benchmark):
    clock = Clock()
    paired_benchmark(clock.taking(0.01), clock.taking(0.02), timer=clock).assert_not_slower(margin=0.05)


def test_too_short(paired_benchmark):
    clock = Clock()
    paired_benchmark(clock.taking(0.01), clock.taking(0.02), timer=clock, budget=0.1).assert_not_slower(margin=0.05)
"""


@pytest.mark.slow
def test_two_callables_are_timed_in_turns_and_are_a_benchmark(tmp_path):
    (tmp_path / "test_times.py").write_text(TIMED)
    done = call_pytest(tmp_path, "--benchmark-json", "times.json")
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout
    assert "SLOWER: it takes 2.000 times as long [2.000, 2.000], a margin of 0.05 is allowed" in done.stdout
    content = json.loads((tmp_path / "times.json").read_text())
    facts = {entry["name"]: entry["extra_info"]["harness"] for entry in content["benchmarks"]}
    assert facts["test_as_fast"]["ratio"] == pytest.approx(1) and facts["test_slower"]["pairs"] >= 20
    assert "2 failed, 1 passed" in call_pytest(tmp_path, "--harness-strict").stdout


@pytest.mark.slow
def test_under_xdist_or_with_benchmarks_disabled_nothing_is_timed(tmp_path):
    (tmp_path / "test_times.py").write_text(TIMED)
    done = call_pytest(tmp_path, "--benchmark-disable", "-rs")
    assert "3 skipped" in done.stdout and "not timed: benchmarks are disabled" in done.stdout
    assert "3 skipped" in call_pytest(tmp_path, "-n", "2").stdout
    assert "1 failed, 1 passed, 1 skipped" in call_pytest(tmp_path, "-p", "no:benchmark").stdout
