"""The measuring protocol against what is known: simulated machines, and a real model that does more.

Simulated timings drift, are autocorrelated and have spikes (`simulated.Noise`). They go through the very estimator and
the very stopping of `harness measure`. `HARNESS_BENCHMARK=full` takes the numbers of repetitions that the README quotes
and times real processes; the figures land in pytest-benchmark's `extra_info`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.facts import facts_from
from harness.core.hashing import fingerprint_of
from harness.core.measurement_records import MeasurementFacts
from harness.core.registry import load_registry
from harness.measurement.job import perform
from harness.measurement.protocol import measure
from harness.measurement.request import Model, Request
from harness.measurement.series import BASE, SECOND
from tests.benchmarks.simulated import Noise, SimulatedBench

FULL = os.environ.get("HARNESS_BENCHMARK") == "full"
REPETITIONS = 1000 if FULL else 40
SLOWDOWN = 1.05
MACHINES = {
    "drift and spikes": Noise(),
    "launches differ": Noise(launch=0.015),
    "fast drift": Noise(autocorrelation=0.9),
    "launches alike": Noise(launch=0.0),
    "a shared core": Noise(contended=0.4),
}
SHOWN = list(MACHINES) if FULL else ["drift and spikes"]
BUDGET = 600.0
"""Seconds of a measurement of real processes."""


def called(noise: Noise, factor: float) -> list[tuple[bool, bool]]:
    """For each repetition: whether the candidate is called slower, and whether it is called faster."""
    found = []
    for seed in range(REPETITIONS):
        series = measure(SimulatedBench({"candidate": factor}, noise, seed), ["cell"], ["candidate"], seed)["cell"]
        ratio = series.ratio("candidate", "forward", seed)
        assert ratio is not None
        found.append((ratio.low > 1, ratio.high < 1))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("machine", SHOWN)
def test_the_original_is_seldom_called_different_from_itself(benchmark, machine):
    found = benchmark.pedantic(called, (MACHINES[machine], 1.0), rounds=1)
    fraction = np.mean([slower or faster for slower, faster in found])
    benchmark.extra_info.update(repetitions=REPETITIONS, called_different=float(fraction))
    assert fraction <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("machine", SHOWN)
def test_a_slowdown_of_5_percent_is_found(benchmark, machine):
    found = benchmark.pedantic(called, (MACHINES[machine], SLOWDOWN), rounds=1)
    fraction = np.mean([slower for slower, _ in found])
    benchmark.extra_info.update(repetitions=REPETITIONS, found=float(fraction))
    assert fraction >= 0.95


@pytest.mark.slow
def test_many_arms_are_judged_as_one_is(benchmark):
    """Twelve candidates on a machine that drifts within a round: the original against itself stays within the margin,
    and a slowdown is found in each.
    """
    factors = {f"candidate {number}": SLOWDOWN if number % 2 else 1.0 for number in range(12)}

    def once(seed: int) -> list[tuple[float, bool, bool]]:
        series = measure(SimulatedBench(factors, MACHINES["fast drift"], seed), ["cell"], list(factors), seed)["cell"]
        again = series.ratio(SECOND, "forward", seed)
        assert again is not None
        found = []
        for name, factor in factors.items():
            ratio = series.ratio(name, "forward", seed)
            assert ratio is not None
            found.append((again.value, ratio.low > 1, factor > 1))
        return found

    repetitions = 50 if FULL else 3
    judged = benchmark.pedantic(lambda: [line for seed in range(repetitions) for line in once(seed)], rounds=1)
    apart = max(abs(again - 1) for again, _, _ in judged)
    found, called = (np.mean([slower for _, slower, is_slow in judged if is_slow is slow]) for slow in (True, False))
    benchmark.extra_info.update(repetitions=repetitions, apart=apart, found=float(found), called_slower=float(called))
    assert apart < 0.025
    assert found >= 0.95 and called <= 0.1


def test_the_simulated_machine_misleads_a_test_of_one_after_the_other():
    """Twenty bursts to one, then twenty to the other, and Welch's test: what the protocol is there to avoid."""
    from scipy.stats import ttest_ind

    misled = []
    for seed in range(100):
        runner = SimulatedBench({"candidate": 1.0}, MACHINES["drift and spikes"], seed, calls=5)
        runner.launch(0)
        first, second = (
            [np.median(runner.burst(variant, "cell")[0]["forward"]) for _ in range(20)]
            for variant in (BASE, "candidate")
        )
        misled.append(ttest_ind(first, second, equal_var=False).pvalue < 0.05)
    assert np.mean(misled) > 0.3


REPEATED = """
import time
from harness import register
from harness.modeling.runtimes.torch_eager import TorchModel, load
from harness.modeling.runtimes.base import Runtime

class Repeated(TorchModel):
    times, waits = 20, 1.0

    def forward(self, inputs):
        start = time.perf_counter()
        for _ in range(self.times):
            outputs = super().forward(inputs)
        end = start + (time.perf_counter() - start) * self.waits
        while time.perf_counter() < end:
            pass
        return outputs

class Repeating(Runtime):
    def __init__(self, times, waits):
        self.times, self.waits = times, waits

    def open(self, folder, settings, threads):
        import torch
        torch.set_num_threads(threads)
        model, tokenizer = load(folder, settings.model_copy(update={"runtime": "torch"}))
        opened = Repeated("repeated", folder, settings, tokenizer, model)
        opened.times, opened.waits = self.times, self.waits
        return opened

for times, waits in ((20, 1.0), (21, 1.0), (22, 1.0), (20, 1.05), (20, 1.1)):
    register("runtime", f"times-{times}-waits-{waits:g}", Repeating(times, waits))
"""
WORK = {"5 % more work": "times-21-waits-1", "10 % more work": "times-22-waits-1"}
"""The same forward 21 and 22 times where the original does it 20 times: work that is counted, not timed."""
WAITS = {"5 % more waiting": "times-20-waits-1.05", "10 % more waiting": "times-20-waits-1.1"}
"""The 20 forwards, then a loop that looks at the clock until 5 or 10 % more have gone by."""


def repeated(folder: Path, runtimes: Mapping[str, str], **settings: Any) -> Request:
    """A measurement of a real model that does everything 20 times against itself in other runtimes."""
    from harness.measurement.workloads import Workload
    from tests.zoo import save

    models = []
    original = save(folder / "model", "bert", hidden_size=128)
    for name, runtime in {"original": "times-20-waits-1", **runtimes}.items():
        shutil.copytree(original, folder / name)
        written = json.loads((folder / name / "harness.json").read_text())
        (folder / name / "harness.json").write_text(json.dumps(written | {"runtime": runtime}))
        models.append(Model(name, folder / name, fingerprint_of(folder / name)))
    plugin = folder / "repeated.py"
    plugin.write_text(REPEATED)
    load_registry([plugin])
    return Request(models[0], models[1:], [Workload("1 × 16", 1, 16)], memory=False, include=(str(plugin),), **settings)


@pytest.mark.slow
@pytest.mark.benchmark_full
@pytest.mark.skipif(not FULL, reason="times real processes for minutes: HARNESS_BENCHMARK=full")
def test_more_work_of_a_real_model_is_measured_as_what_it_is(benchmark, tmp_path):
    """What is counted (5 and 10 % more forwards) comes out as that; what waits by the clock beside it, is only told.

    Where the machine is too unquiet to measure (INVALID), it is tried once more, and then skipped with the reason.
    """
    request = repeated(tmp_path, WORK | WAITS, budget=BUDGET)

    def attempts() -> dict:
        first = perform(request)
        return first if first["counts"] else perform(request)

    result = benchmark.pedantic(attempts, rounds=1)
    stage = result["cells"]["1 × 16"]["stages"]["forward"]
    ratios = {name: stage["models"][name]["time_ratio"] for name in (WORK | WAITS)}
    benchmark.extra_info.update(ratios=ratios, a_a=stage["a_a"], verdict=result["verdict"])
    if os.environ.get("HARNESS_BENCHMARK_OUT"):
        Path(os.environ["HARNESS_BENCHMARK_OUT"]).with_suffix(".slowed.json").write_text(json.dumps(result))
    if result["verdict"] == "INVALID":
        pytest.skip(f"this machine is too unquiet: {result['reasons']}")
    for name, factor in zip(WORK, (1.05, 1.1), strict=True):
        assert ratios[name]["low"] > 1
        assert ratios[name]["low"] - 0.01 <= factor <= ratios[name]["high"] + 0.01


@pytest.mark.slow
@pytest.mark.benchmark_full
@pytest.mark.skipif(not FULL, reason="times real processes for minutes: HARNESS_BENCHMARK=full")
def test_the_gate_finds_a_real_model_slowed_by_10_percent(benchmark, tmp_path):
    """Two fresh measurements, as the gate wants them; skipped where the machine is too unquiet for one of them."""
    from harness.gating.engine import judge
    from harness.gating.measured import Measurement
    from harness.gating.settings import GateSpec
    from tests.unit.gating.test_measured import sides

    more = {"10 % more work": WORK["10 % more work"]}
    requests = [repeated(tmp_path / str(seed), more, seed=seed, budget=BUDGET) for seed in (0, 1)]
    found = benchmark.pedantic(lambda: [perform(request) for request in requests], rounds=1)
    files = requests[0].base.fingerprint, requests[0].candidates[0].fingerprint
    measurements = [
        Measurement(f"measurement {at}", facts_from(MeasurementFacts, one, "a measurement"))
        for at, one in enumerate(found)
    ]
    report = judge(*sides(files=files), GateSpec(), measurements)[0]
    speed = next(row for row in report.measured if row.kind == "speed")
    benchmark.extra_info.update(ratio=speed.ratio, low=speed.low, high=speed.high, verdict=speed.verdict)
    if speed.verdict == "INVALID":
        pytest.skip(f"this machine is too unquiet: {speed.reason}")
    assert speed.verdict == "REGRESSED"
    assert report.exit_code == 1
