"""The measuring protocol against what is known: simulated machines, and a real model slowed by a wrapper.

Simulated timings drift, are autocorrelated and have spikes (`simulated.Noise`). They go through the very estimator and
the very stopping of `harness measure`. `HARNESS_BENCHMARK=full` takes the numbers of repetitions that the README quotes
and times real processes; the figures land in pytest-benchmark's `extra_info`.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.hashing import fingerprint_of
from harness.measurement.job import perform
from harness.measurement.protocol import BASE, measure
from harness.measurement.request import Model, Request
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


SLOWED = """
import time
from harness import register
from harness.modeling.runtimes.torch_eager import TorchModel, load
from harness.modeling.runtimes.base import Runtime

class Slowed(TorchModel):
    def forward(self, inputs):
        start = time.perf_counter()
        outputs = super().forward(inputs)
        end = start + (time.perf_counter() - start) * {slowdown}
        while time.perf_counter() < end:
            pass
        return outputs

class SlowedRuntime(Runtime):
    def open(self, folder, settings, threads):
        import torch
        torch.set_num_threads(threads)
        model, tokenizer = load(folder, settings.model_copy(update={{"runtime": "torch"}}))
        return Slowed("slowed", folder, settings, tokenizer, model)

register("runtime", "slowed", SlowedRuntime())
"""


def slowed_by(factor: float, folder: Path, **settings: Any) -> Request:
    """A measurement of a real model against itself in a runtime that takes `factor` times as long."""
    from harness.measurement.workloads import Workload
    from tests.zoo import save

    original, slowed = save(folder / "original", "bert", hidden_size=128), folder / "slowed"
    shutil.copytree(original, slowed)
    written = json.loads((slowed / "harness.json").read_text())
    (slowed / "harness.json").write_text(json.dumps(written | {"runtime": "slowed"}))
    plugin = folder / "slowed.py"
    plugin.write_text(SLOWED.format(slowdown=factor))
    models = [Model(each.name, each, fingerprint_of(each)) for each in (original, slowed)]
    return Request(models[0], models[1:], [Workload("8 × 64", 8, 64)], memory=False, include=(str(plugin),), **settings)


@pytest.mark.slow
@pytest.mark.benchmark_full
@pytest.mark.skipif(not FULL, reason="times real processes for minutes: HARNESS_BENCHMARK=full")
def test_a_real_model_slowed_by_5_percent_is_found(benchmark, tmp_path):
    """Where the machine is too unquiet to measure (INVALID), it is tried once more, and then skipped with the reason."""
    request = slowed_by(SLOWDOWN, tmp_path)

    def attempts() -> dict:
        first = perform(request)
        return first if first["counts"] else perform(request)

    result = benchmark.pedantic(attempts, rounds=1)
    stage = result["cells"]["8 × 64"]["stages"]["forward"]
    ratio = stage["models"]["slowed"]["time_ratio"]
    benchmark.extra_info.update(ratio=ratio, a_a=stage["a_a"], verdict=result["verdict"])
    if os.environ.get("HARNESS_BENCHMARK_OUT"):
        Path(os.environ["HARNESS_BENCHMARK_OUT"]).with_suffix(".slowed.json").write_text(json.dumps(result))
    if result["verdict"] == "INVALID":
        pytest.skip(f"this machine is too unquiet: {result['reasons']}")
    assert ratio["low"] > 1
    assert ratio["low"] - 0.01 <= SLOWDOWN <= ratio["high"] + 0.01


@pytest.mark.slow
@pytest.mark.benchmark_full
@pytest.mark.skipif(not FULL, reason="times real processes for minutes: HARNESS_BENCHMARK=full")
def test_the_gate_finds_a_real_model_slowed_by_10_percent(benchmark, tmp_path):
    """Two fresh measurements, as the gate wants them; skipped where the machine is too unquiet for one of them."""
    from harness.gating.engine import judge
    from harness.gating.measured import Measurement
    from harness.gating.settings import GateSpec
    from tests.unit.gating.test_measured import sides

    requests = [slowed_by(1.1, tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    found = benchmark.pedantic(lambda: [perform(request) for request in requests], rounds=1)
    files = requests[0].base.fingerprint, requests[0].candidates[0].fingerprint
    measurements = [Measurement(f"measurement {at}", one) for at, one in enumerate(found)]
    report = judge(*sides(files=files), GateSpec(), measurements)[0]
    speed = next(row for row in report.measured if row.kind == "speed")
    benchmark.extra_info.update(ratio=speed.ratio, low=speed.low, high=speed.high, verdict=speed.verdict)
    if speed.verdict == "INVALID":
        pytest.skip(f"this machine is too unquiet: {speed.reason}")
    assert speed.verdict == "REGRESSED"
    assert report.exit_code == 1
