"""Energy of the models of a measurement: that of the CPU's package, counted while they are timed, and of a GPU, by
calls of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.measurement.processes import ProcessRunner
from harness.measurement.request import Request
from harness.measurement.series import SECOND, Series

ENERGY_ABSENT = "no energy counter that may be read in /sys/class/powercap"
ENERGY_LASTS = 2.0
"""Seconds that reading the energy of a GPU takes, a model and cell."""
GPU_ENERGY_ABSENT = "no energy counter of the GPU that may be read (pip install 'nlp-harness[nvml]')"


def joules_of(request: Request, runner: ProcessRunner, series: Series) -> dict[str, float]:
    """Of the whole CPU package while calls of the model are timed, an example, by model."""
    by_model = {}
    for variant, model in request.variants().items():
        bursts = [burst for burst in series.bursts[variant] if burst.joules is not None]
        if variant != SECOND and bursts:
            examples = next(iter(runner.amounts[variant, series.cell].values()))["examples"]
            calls = sum(len(burst.calls(series.stages()[0])) for burst in bursts)
            by_model[model.name] = sum(burst.joules or 0.0 for burst in bursts) / (calls * examples)
    return by_model


def gpu_joules_of(
    request: Request, runner: ProcessRunner, chosen: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Of the whole GPU while a model is called again and again, an example, by cell and model; and why not."""
    if request.device != "cuda":
        return {}, {}
    by_cell: dict[str, dict[str, Any]] = {}
    for cell in chosen:
        for variant, model in request.variants().items():
            if variant == SECOND:
                continue
            joules = runner.gpu_energy(variant, cell)
            if joules is None:
                return {}, {"energy of the GPU": GPU_ENERGY_ABSENT}
            examples = next(iter(runner.amounts[variant, cell].values()))["examples"]
            by_cell.setdefault(cell, {})[model.name] = joules / examples
    return {cell: {"gpu_joules_per_example": by_model} for cell, by_model in by_cell.items()}, {}
