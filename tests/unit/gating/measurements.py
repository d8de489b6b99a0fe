"""Measurements as `harness measure` writes them, from the protocol on a simulated machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from harness.core.facts import facts_from
from harness.core.measurement_records import MeasurementFacts
from harness.gating.measured import Measurement
from harness.measurement import protocol
from harness.measurement.series import SECOND, Series
from harness.measurement.series import samples as samples_of
from harness.stats.speed import Ratio
from tests.benchmarks.simulated import Noise, SimulatedBench

CALM = Noise(drift=0.005, launch=0.002, call=0.005, spiked_visits=0, spiked_calls=0)


def measurement(
    factor: float = 1.0,
    *,
    noise: Noise = CALM,
    seed: int = 0,
    again: float = 1.0,
    fingerprints: tuple[str, str] = ("base files", "candidate files"),
    memory: tuple[int, int] = (40_000_000, 40_000_000),
    size: tuple[int, int] = (10_000_000, 10_000_000),
    device: str = "cpu",
    cells: Mapping[str, Mapping[str, Any]] | None = None,
    margin: float = 0.05,
) -> Measurement:
    """Of a candidate that takes `factor` times as long; `again` is what the original takes against itself."""
    cells = cells or {"8 × 128": {"batch": 8, "length": 128}}
    found: dict[str, Any] = {}
    samples: dict[str, Any] = {}
    for at, (name, facts) in enumerate(cells.items()):
        series, ratio, second = timed(factor, noise, seed, again, at)
        found_verdict = protocol.verdict(series, "forward", "small", margin, seed)
        verdict = {
            "verdict": found_verdict.standing.value,
            "counts": found_verdict.is_valid,
            "reason": found_verdict.reason,
            "note": found_verdict.note,
        }
        stage = {
            "verdict": verdict,
            "a_a": as_json(second),
            "models": {
                "big": {"seconds": 0.02, "tokens_per_second": 51_200.0},
                "small": {
                    "seconds": 0.02 * ratio.value,
                    "tokens_per_second": 51_200 / ratio.value,
                    "time_ratio": as_json(ratio),
                    "verdict": verdict,
                },
            },
        }
        found[name] = {**facts, "stages": {"forward": stage}}
        samples[name] = samples_of(series)
    models = {
        name: {
            "folder": f"/nowhere/{name}",
            "fingerprint": fingerprints[at],
            "role": "candidate" if at else "original",
            "device": device,
            "size": {"bytes": size[at]},
            "memory": {cell: {"peak": memory[at]} for cell in cells},
        }
        for at, name in enumerate(("big", "small"))
    }
    content = {
        "schema_version": 1,
        "verdict": "VALID",
        "created": f"2026-11-25T00:00:{seed % 60:02}Z",
        "models": models,
        "cells": found,
        "absent": {"energy": "no counter"},
        "protocol": {"threads": 1, "margin": margin, "budget": None, "seed": seed},
        "environment": {"cpu": {"model": "simulated", "isa": ["avx2"]}, "cores": 2},
        "samples": samples,
    }
    return Measurement(f"measured-{seed}.json", facts_from(MeasurementFacts, content, "a measurement"))


@cache
def timed(factor: float, noise: Noise, seed: int, again: float, at: int) -> tuple[Series, Ratio, Ratio]:
    runner = SimulatedBench({"small": factor, SECOND: again}, noise, 100 * seed + at)
    series = protocol.measure(runner, ["cell"], ["small"], seed)["cell"]
    ratio, second = series.ratio("small", "forward", seed), series.ratio(SECOND, "forward", seed)
    assert ratio is not None and second is not None
    return series, ratio, second


def as_json(one: Ratio) -> dict[str, Any]:
    return {**asdict(one), "half_width": one.half_width}
