"""Margins of suites, files and flags, and how many seeds a mode stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.specs import Margins, SuiteSpec
from harness.core.strict_spec import parse
from harness.gating import baseline
from harness.gating.engine import judge
from harness.gating.settings import GateSpec, settings
from tests.unit.gating.synthetic import answers, classes, evidence


def suite(text: str, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"name: mine\ntasks: [cola, sst2]\n{text}")
    return load_registry([tmp_path / "mine.yaml"]).suite("mine")


def test_a_suite_says_margins_of_its_tasks_and_metrics(tmp_path):
    found = suite("margins: {ok_margin: 0.05, tasks: {cola: 0.02}, metrics: {accuracy: 0.015}}\n", tmp_path).margins
    assert found == Margins(ok_margin=0.05, tasks={"cola": 0.02}, metrics={"accuracy": 0.015})


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ("{tasks: {rte: 0.02}}", "margins.tasks: not among tasks: rte"),
        ("{metrics: {acuracy: 0.02}}", "unknown metric 'acuracy'.*Did you mean 'accuracy'"),
        ("{tasks: {cola: 2}}", "margins.tasks.cola"),
        ("{margn: 0.02}", "unknown key 'margins.margn'"),
    ],
)
def test_margins_that_cannot_be_are_named(tmp_path, margins, said):
    with pytest.raises(HarnessError, match=said):
        suite(f"margins: {margins}\n", tmp_path)


def test_flags_go_before_the_file_and_the_file_before_the_suite(tmp_path):
    said = Margins(margin=0.2, ok_margin=0.3, tasks={"cola": 0.25, "sst2": 0.26}, metrics={"accuracy": 0.27})
    (tmp_path / "gate.yaml").write_text("ok_margin: 0.4\ntasks: {sst2: 0.1}\n")
    found = settings(tmp_path / "gate.yaml", {"margin": 0.05}).over([said])
    assert (found.margin, found.ok_margin) == (0.05, 0.4)
    assert found.tasks == {"cola": 0.25, "sst2": 0.1} and found.metrics == {"accuracy": 0.27}
    assert settings(None, {}).over([said]).margin == 0.2
    assert settings(None, {}).over([]).margin == 0.01


def test_of_several_suites_the_least_margin_counts():
    found = GateSpec().over([Margins(margin=0.3, tasks={"cola": 0.1}), Margins(margin=0.2, tasks={"cola": 0.4})])
    assert (found.margin, found.tasks) == (0.2, {"cola": 0.1})


def test_a_baseline_keeps_the_margins_of_its_suites_and_the_candidates_do_not_count(tmp_path):
    references = classes(1000)
    base, worse = (
        evidence({"cola": (["accuracy"], references, [answers(references, np.arange(1000) >= wrong)])})
        for wrong in (0, 60)
    )
    lenient = Margins(tasks={"cola": 0.1}, ok_margin=0.15)
    generous = replace(worse, margins={"demo": lenient})
    assert judge(base, generous, GateSpec())[0].exit_code == 1
    path = baseline.accept(replace(base, margins={"demo": lenient}), "demo", tmp_path)
    kept = baseline.load(path)
    assert kept.margins == {"demo": lenient}
    (row,) = judge(kept, worse, GateSpec())[0].rows
    assert (row.verdict, row.margin) == ("OK", 0.1)
    assert judge(kept, worse, GateSpec(tasks={"cola": 0.01}))[0].exit_code == 1


def seeds(n_base: int, n_candidate: int):
    references = classes(100)
    random = np.random.default_rng(0)

    def trained(fraction: float):
        return answers(references, random.random(100) < fraction)

    return (
        evidence({"cola": (["accuracy"], references, [trained(fraction) for _ in range(count)])})
        for count, fraction in ((n_base, 0.8), (n_candidate, 0.77))
    )


@pytest.mark.parametrize(("mode", "count"), [("pr", 3), ("nightly", 5), ("release", 10)])
def test_a_mode_stands_for_so_many_seeds(mode, count):
    base, candidate = seeds(10, 10)
    (row,) = judge(base, candidate, GateSpec(mode=mode))[0].rows
    assert row.seeds == count
    assert set(row.power_by_seeds) == {3, 5, 10}
    assert row.power_by_seeds[count] == pytest.approx(row.power)


def test_a_baseline_with_fewer_seeds_than_the_mode_says_so():
    base, candidate = seeds(3, 10)
    report = judge(base, candidate, GateSpec(mode="release"))[0]
    assert any("mode release asks for 10 seeds, but the baseline has 3" in note for note in report.notes)


def test_a_pull_request_is_told_what_few_seeds_cannot_tell_and_not_failed_for_it():
    base, candidate = seeds(3, 3)
    (row,) = judge(base, candidate, GateSpec(mode="pr", strict=True))[0].rows
    assert row.verdict == "INCONCLUSIVE" and row.advisory and row.power < 0.8
    assert judge(base, candidate, GateSpec(mode="pr", strict=True))[0].exit_code == 0
    assert judge(base, candidate, GateSpec(seeds=3, strict=True))[0].exit_code == 3


def test_a_pull_request_that_is_surely_worse_still_fails():
    references = classes(2000)
    good = [answers(references, np.arange(2000) >= seed) for seed in range(3)]
    bad = [answers(references, np.arange(2000) >= 400 + seed) for seed in range(3)]
    sides = [evidence({"cola": (["accuracy"], references, side)}) for side in (good, bad)]
    assert judge(*sides, GateSpec(mode="pr"))[0].exit_code == 1


def test_seeds_and_mode_are_one_thing(tmp_path):
    with pytest.raises(HarnessError, match="seeds and mode: give one or the other"):
        settings(None, {"seeds": 3, "mode": "pr"})
    (tmp_path / "gate.yaml").write_text("mode: pr\n")
    assert settings(tmp_path / "gate.yaml", {}).seeds_at_most == 3
    assert settings(tmp_path / "gate.yaml", {"seeds": 7}).seeds_at_most == 7


def test_suites_without_margins_stay_as_they_were():
    assert parse(SuiteSpec, {"name": "x", "tasks": ["cola"]}, "x").margins == Margins()
