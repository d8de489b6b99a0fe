"""Records of measure cells as a run writes them, in brief."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.report.records import digest

MACHINE = {
    "platform": "Linux", "cpu": {"model": "Some CPU", "isa": ["avx2"]}, "cores": 2, "threads": 1,
    "versions": {"python": "3.11.9", "torch": "2.13.0", "transformers": "5.23", "onnxruntime": "1.22", "numpy": "2.0"},
}  # fmt: skip


def verdict(name: str = "VALID", reason: str = "") -> dict[str, Any]:
    return {"verdict": name, "counts": name == "VALID", "reason": reason, "note": ""}


def measure(
    original: str,
    candidates: Mapping[str, float],
    *,
    said: Mapping[str, dict[str, Any]] | None = None,
    half: float = 0.01,
    workload: str = "8 × 64",
    rate: float = 1000.0,
    peaks: Mapping[str, int | None] | None = None,
    created: str = "2026-11-24T12:00:00Z",
    device: str = "cpu",
    gpu: Mapping[str, int] | None = None,
    items: str = "",
    each: float = 1.0,
    **environment: Any,
) -> dict[str, Any]:
    """`candidates` gives by cell how many times as fast it is; all have the peak of `peaks`, and of `gpu` on
    a GPU, or no memory read. `items` are of a modality, which counts so many of its units in `each`.
    """
    models: dict[str, Any] = {}
    timed: dict[str, Any] = {}
    for key, factor in {original: 1.0, **candidates}.items():
        models[f"model {key}"] = {"cell": key, "role": "original" if key == original else "candidate"}
        models[f"model {key}"] |= {"fingerprint": digest(key), "size": {"bytes": 1_000_000}}
        models[f"model {key}"]["device"] = device
        if peaks is not None:
            peak = peaks[key]
            known = {"peak": peak} if peak is not None else {}
            models[f"model {key}"]["memory"] = {
                workload: {
                    **known, "after": {"anonymous": 30_000_000, "file": 1}, "loaded": {"total": 20_000_000},
                    "absent": {} if known else {"peak": "clear_refs cannot be written"},
                    **({"device": {"peak": gpu[key]}} if gpu else {}),
                }
            }  # fmt: skip
        timed[f"model {key}"] = {
            "seconds": 8 / (rate * factor),
            "examples_per_second": rate * factor,
            "tokens_per_second": 0.0 if items else 64 * rate * factor,
            **({"amount_per_second": each * rate * factor} if items else {}),
        }
        if key != original:
            ratio = {"value": factor, "low": factor * (1 - half), "high": factor * (1 + half), "pairs": 20}
            timed[f"model {key}"] |= {"speed_ratio": ratio, "verdict": (said or {}).get(key, verdict())}
    stage = {"verdict": verdict(), "a_a": {"value": 1.001, "low": 0.99, "high": 1.01}, "models": timed}
    what = {"task": "a"} if workload.startswith("task") else {"batch": 8, "length": 1 if items else 64, "items": items}
    return {
        "kind": "measure", "verdict": "VALID", "created": created, "cell": digest(repr((original, candidates, workload, created))),
        "models": models, "cells": {workload: {**what, "stages": {"forward": stage}}}, "absent": {},
        "environment": MACHINE | environment,
    }  # fmt: skip
