"""A fresh measurement of what looked worse once, or did not count: the second of the two that a regression needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.hashing import fingerprint_of
from harness.core.measurement_records import MeasurementFacts, WorkloadFacts
from harness.core.registry import Registry
from harness.core.store import Store
from harness.gating.measured import Measurement, suspects
from harness.gating.settings import GateSpec
from harness.measurement.protocol import HALF_WIDTH
from harness.measurement.request import Model, Request
from harness.measurement.workloads import Workload
from harness.pipeline.commands.measure import measure


def measure_again(
    measurement: Measurement, spec: GateSpec, registry: Registry, store: Store, report: Callable[[str], None]
) -> Measurement | None:
    """The suspects of a measurement at the cells where they are, in new processes and with the same budget; None where
    there are none.

    Raises:
        HarnessError: a model that is no longer where it was measured, or is another one now.
    """
    candidates, cells = suspects(measurement, spec)
    if not cells:
        return None
    protocol = measurement.content.protocol
    request = Request(
        _model(measurement, measurement.original),
        [_model(measurement, name) for name in candidates],
        [_cell(name, measurement.content.cells[name], registry) for name in cells],
        threads=protocol.threads,
        device=measurement.content.models[measurement.original].device.partition(":")[0],
        margin=protocol.margin,
        budget=protocol.budget,
        precision=protocol.half_width or HALF_WIDTH,
        seed=protocol.seed + 1,
        memory=any(facts.memory for facts in measurement.content.models.values()),
    )
    report(f"measuring again: {', '.join(candidates)} at {', '.join(cells)}")
    result = measure(request, store, report)
    return Measurement(f"{measurement.name}, again", facts_from(MeasurementFacts, result, "the measurement"))


def _model(measurement: Measurement, name: str) -> Model:
    folder = Path(measurement.content.models[name].folder)
    if not folder.is_dir():
        raise HarnessError(f"--remeasure: {name} is no longer in {folder}; give a second measurement with --measured")
    if fingerprint_of(folder) != measurement.fingerprint(name):
        raise HarnessError(f"--remeasure: {folder} is no longer the {name} that was measured; measure both anew")
    return Model(name, folder, measurement.fingerprint(name))


def _cell(name: str, facts: WorkloadFacts, registry: Registry) -> Workload:
    if facts.task is None:
        return Workload(name, facts.batch or 1, facts.length or 1, items=facts.items)
    return Workload(name, task=registry.task(facts.task).model_dump(mode="json"), data=facts.data)
