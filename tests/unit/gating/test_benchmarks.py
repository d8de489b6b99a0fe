"""pytest-benchmark's files, written and judged: its own `compare` reads ours, and the gate reads its."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.gating.benchmarks import judge_benchmarks
from harness.gating.settings import GateSpec
from harness.measurement.benchmark_json import as_benchmarks, stats
from tests.unit.gating.measurements import measurement

TEST = """
import time

def test_work(benchmark):
    benchmark.pedantic(time.sleep, ({seconds},), rounds=5, iterations=1)
"""


def written(path: Path, factor: float = 1.0, **machine) -> Path:
    content = as_benchmarks(measurement(factor).content, "0")
    content["machine_info"] |= machine
    path.write_text(json.dumps(content))
    return path


def test_pytest_benchmark_compares_what_was_measured(tmp_path):
    pytest.importorskip("pytest_benchmark")
    written(tmp_path / "measured.json", 1.5)
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "measured.json", "--columns=median,rounds", "--sort=name"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    big, small = (line for line in done.stdout.splitlines() if "8 × 128[" in line)
    assert "[big]" in big and "(1.0)" in big
    assert "[small]" in small
    relative = float(small.split("(")[1].split(")")[0])
    assert relative == pytest.approx(1.5, abs=0.05)


def test_its_statistics_are_those_of_pytest_benchmark():
    theirs = pytest.importorskip("pytest_benchmark.stats").Stats()
    seconds = [0.5, 0.1, 0.2, 0.3, 0.25, 0.22, 0.21, 0.9]
    for one in seconds:
        theirs.update(one)
    ours = stats(seconds)
    for name in ("min", "max", "mean", "stddev", "rounds", "median", "ops", "total", "stddev_outliers"):
        assert ours[name] == pytest.approx(getattr(theirs, name))
    assert ours["iqr"] == pytest.approx(theirs.iqr, rel=0.5)  # another rule of interpolation
    assert ours["iqr_outliers"] == theirs.iqr_outliers


@pytest.mark.slow
def test_the_gate_judges_a_run_of_pytest_benchmark(tmp_path):
    pytest.importorskip("pytest_benchmark")
    # pytest-benchmark times nothing where it takes itself for a worker of xdist, as this test's own process may be
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    for name, seconds in (("base", 0.01), ("slow", 0.2)):
        (tmp_path / "test_it.py").write_text(TEST.format(seconds=seconds))
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--benchmark-json={name}.json"],
            cwd=tmp_path, check=True, capture_output=True, timeout=120, env=alone,
        )  # fmt: skip
    report = judge_benchmarks(tmp_path / "base.json", tmp_path / "slow.json", GateSpec())
    assert [(row.model, row.verdict) for row in report.measured] == [("test_it.py::test_work", "INCONCLUSIVE")]
    assert report.measured[0].ratio > 1.05
    assert "in separate runs" in report.measured[0].reason
    assert report.exit_code == 0
    assert judge_benchmarks(tmp_path / "base.json", tmp_path / "base.json", GateSpec()).measured[0].verdict == "OK"


def test_slower_in_another_run_is_advisory_and_fails_a_strict_gate_alone(tmp_path):
    files = written(tmp_path / "a.json"), written(tmp_path / "b.json", 1.3)
    report = judge_benchmarks(*files, GateSpec())
    by_model = {row.model.split("[")[1]: row.verdict for row in report.measured}
    assert by_model == {"big]": "OK", "small]": "INCONCLUSIVE"}
    assert report.exit_code == 0
    assert judge_benchmarks(*files, GateSpec(strict=True)).exit_code == 3


def test_another_machine_is_refused_with_what_differs(tmp_path):
    report = judge_benchmarks(written(tmp_path / "a.json"), written(tmp_path / "b.json", node="elsewhere"), GateSpec())
    assert report.exit_code == 4 and not report.measured
    assert report.reasons[0].startswith("times of different machines: names differ")
    cpu = {"brand_raw": "simulated", "count": 2, "flags": ["avx2"], "hz_actual": [1, 0]}
    report = judge_benchmarks(written(tmp_path / "a.json"), written(tmp_path / "b.json", cpu=cpu), GateSpec())
    assert report.exit_code == 0  # a clock that varies is no other machine


def test_a_benchmark_that_is_gone_is_exit_4(tmp_path):
    files = written(tmp_path / "a.json"), written(tmp_path / "b.json")
    content = json.loads(files[1].read_text())
    content["benchmarks"] = content["benchmarks"][:1]
    files[1].write_text(json.dumps(content))
    report = judge_benchmarks(*files, GateSpec())
    assert report.exit_code == 4 and "[small] of" in report.reasons[0]


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"benchmarks": [{"fullname": "x", "stats": {}}]}'])
def test_a_file_of_something_else_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(HarnessError, match=r"--benchmark-json .*a\.json"):
        judge_benchmarks(tmp_path / "a.json", tmp_path / "a.json", GateSpec())


@pytest.mark.parametrize(
    ("stats", "reason"),
    [
        ({"median": 0.0}, "its median is 0 seconds, which no time can be"),
        ({"min": 0}, "its min is 0 seconds"),
        ({"min": -1.0}, "its min is -1 seconds"),
        ({"min": float("inf"), "median": float("inf")}, "its median is inf seconds"),
        ({"median": float("nan")}, "its median is nan seconds"),
        ({"median": None}, "its median is missing"),
        ({"min": "0.1"}, "its min is no number"),
        ({"min": True}, "its min is no number"),
        ({"min": 9.0}, "its minimum is above its median"),
    ],
)
def test_a_time_that_cannot_be_is_never_a_pass(tmp_path, stats, reason):
    sound, broken = written(tmp_path / "sound.json"), written(tmp_path / "broken.json")
    content = json.loads(broken.read_text())
    name = content["benchmarks"][0]["fullname"]
    content["benchmarks"][0]["stats"] |= stats
    broken.write_text(json.dumps(content))
    for files in ((sound, broken), (broken, sound), (broken, broken)):
        for strict in (False, True):
            report = judge_benchmarks(*files, GateSpec(strict=strict))
            assert report.exit_code == 4 and not report.measured
            assert f"benchmark {name} of {broken}: {reason}" in report.reasons[0]


def test_a_name_that_stands_for_two_benchmarks_and_a_file_without_any_are_never_a_pass(tmp_path):
    sound, twice = written(tmp_path / "sound.json"), written(tmp_path / "twice.json")
    content = json.loads(twice.read_text())
    content["benchmarks"].append(content["benchmarks"][0])
    twice.write_text(json.dumps(content))
    assert "stands 2 times in" in judge_benchmarks(sound, twice, GateSpec()).reasons[0]
    twice.write_text(json.dumps({**content, "benchmarks": []}))
    report = judge_benchmarks(twice, sound, GateSpec())
    assert report.exit_code == 4 and report.reasons[0] == f"no benchmark in {twice}"
