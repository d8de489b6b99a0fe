"""What a run calls its models stands in the run: records hold none of its names, those of measurements either."""

from __future__ import annotations

from typing import Any

from harness.core.measurement_records import MeasureRecord
from harness.core.run_records import RunManifest
from harness.core.runs import asked_for, content_name, measured_in

BASE, SMALL = "a" * 64, "b" * 64


def measurement(*names: str, cells: tuple[str, ...] = (BASE, SMALL)) -> MeasureRecord:
    verdict = {"verdict": "INVALID", "reason": f"{names[1]}: too few pairs"}
    timed = {name: {"seconds": 1.0, "calls": 8} for name in names}
    return MeasureRecord.model_validate(
        {
            "verdict": "INVALID",
            "models": {
                name: {
                    "fingerprint": "f", "cell": cell, "size": {"bytes": 1},
                    "role": "candidate" if place else "original",
                }
                for place, (name, cell) in enumerate(zip(names, cells, strict=True))
            },
            "cells": {
                "8 × 16": {
                    "batch": 8, "length": 16, "stages": {"forward": {"verdict": verdict, "models": timed}},
                    "joules_per_example": dict.fromkeys(names, 0.5),
                }
            },
        }
    )  # fmt: skip


def run(**names: str) -> RunManifest:
    cells = [
        {"cell": BASE if "base" in key else SMALL, "kind": "finetune", "model": name} for key, name in names.items()
    ]
    facts = {name: {"name": name, "id": key} for key, name in names.items()}
    return RunManifest.model_validate({"run": "r", "cells": cells, "model_facts": facts})


def names_in(record: MeasureRecord) -> list[Any]:
    (workload,) = record.cells.values()
    (stage,) = workload.stages.values()
    return [[*record.models], [*stage.models], [*workload.joules_per_example], stage.verdict.reason]


def test_a_measurement_is_shown_under_the_names_of_each_run():
    record = measurement(content_name(BASE), content_name(SMALL))
    for first, second in (("bert", "bert+int8"), ("teacher", "small")):
        shown = measured_in(record, asked_for([run(base=first, small=second)]))
        assert names_in(shown) == [[first, second]] * 3 + [f"{second}: too few pairs"]
        assert [model.cell for model in shown.models.values()] == [BASE, SMALL]


def test_one_cell_under_two_names_has_both():
    record = measurement(content_name(BASE), f"{content_name(BASE)} (2)", cells=(BASE, BASE))
    shown = measured_in(record, asked_for([run(base="here", base2="there")]))
    assert [*shown.models] == ["here", "there"]


def test_an_old_record_keeps_the_names_it_holds():
    record = measurement("cells", "models")
    assert measured_in(record, asked_for([run(base="bert", small="bert+int8")])) == record


def test_what_a_run_does_not_name_keeps_the_beginning_of_its_key():
    record = measurement(content_name(BASE), content_name(SMALL))
    assert [*measured_in(record, asked_for([run(base="bert")])).models] == ["bert", content_name(SMALL)]
