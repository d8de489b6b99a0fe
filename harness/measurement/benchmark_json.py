"""Speed cells as pytest-benchmark writes its runs, so that `pytest-benchmark compare` reads them.

Format: the JSON of `pytest --benchmark-json` (pytest-benchmark.readthedocs.io, "Storage"). A benchmark is a model in a
cell and stage; the models of one cell are a group. Its rounds are all timed calls of the model.
"""

from __future__ import annotations

import platform
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from harness.core.facts import Environment
from harness.core.measurement_records import MeasurementFacts, TimedModel
from harness.data.modalities import unit_of
from harness.measurement.series import BASE


def as_benchmarks(result: MeasurementFacts, version: str) -> dict[str, Any]:
    """The file's content, for the result of a measurement with its raw samples. Times are in seconds.

    `machine_info` is of this machine, on which the measurement must have been made.
    """
    return {
        "machine_info": machine_info(result.environment),
        "commit_info": {},
        "benchmarks": list(_benchmarks(result)),
        "datetime": result.created.replace("Z", "+00:00"),
        "version": f"harness {version}",
    }


def machine_info(environment: Environment) -> dict[str, Any]:
    """Under the names pytest-benchmark uses; no clock rates, which vary from one moment to the next."""
    return {
        "node": platform.node(),
        "processor": platform.processor(),
        "machine": platform.machine(),
        "python_compiler": platform.python_compiler(),
        "python_implementation": platform.python_implementation(),
        "python_implementation_version": platform.python_version(),
        "python_version": platform.python_version(),
        "python_build": list(platform.python_build()),
        "release": platform.release(),
        "system": platform.system(),
        "cpu": {"brand_raw": environment.cpu.model, "count": environment.cores, "flags": list(environment.cpu.isa)},
    }


def _benchmarks(result: MeasurementFacts) -> Iterator[dict[str, Any]]:
    for cell_name, cell in result.cells.items():
        for stage_name, stage in cell.stages.items():
            group = cell_name if stage_name == "forward" else f"{cell_name}, {stage_name}"
            for model, facts in stage.models.items():
                variant = BASE if model == result.original else model
                bursts = result.samples[cell_name][variant]
                calls = [seconds for burst in bursts for seconds in burst["seconds"][stage_name]]
                yield {
                    "group": group,
                    "name": f"{group}[{model}]",
                    "fullname": f"harness measure::{group}[{model}]",
                    "params": {"model": model},
                    "param": model,
                    "extra_info": {
                        "verdict": stage.verdict.verdict,
                        "time_ratio": facts.time_ratio.as_json() if facts.time_ratio else None,
                        "tokens_per_second": facts.tokens_per_second,
                        **_of_items(cell.items, facts),
                    },
                    "options": {"timer": "perf_counter", "disable_gc": False, "warmup": True},
                    "stats": stats(calls),
                }


def _of_items(items: str, facts: TimedModel) -> dict[str, Any]:
    return {"amount_per_second": facts.amount_per_second, "unit": unit_of(items)} if items else {}


def stats(seconds: Sequence[float]) -> dict[str, Any]:
    """The statistics of pytest-benchmark, quartiles interpolated linearly, with the data."""
    import numpy as np

    data = np.sort(np.asarray(seconds, dtype=np.float64))
    q1, median, q3 = (float(quantile) for quantile in np.quantile(data, [0.25, 0.5, 0.75]))
    iqr = q3 - q1
    mean, spread = float(data.mean()), float(data.std(ddof=1)) if len(data) > 1 else 0.0
    fences = q1 - 1.5 * iqr, q3 + 1.5 * iqr
    inside = bisect_left(data, fences[0]), bisect_right(data, fences[1])
    far = int((np.abs(data - mean) > spread).sum())
    outliers = len(data) - (inside[1] - inside[0])
    return {
        "min": float(data[0]),
        "max": float(data[-1]),
        "mean": mean,
        "stddev": spread,
        "rounds": len(data),
        "median": median,
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outliers,
        "stddev_outliers": far,
        "outliers": f"{far};{outliers}",
        "ld15iqr": float(data[inside[0]]),
        "hd15iqr": float(data[inside[1] - 1]),
        "ops": 1 / mean,
        "total": float(data.sum()),
        "data": list(seconds),
        "iterations": 1,
    }
