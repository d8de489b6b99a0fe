"""Compression cards from records, predictions and measurements written by hand."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from harness.report.tables import compression, measured
from harness.report.tables.judging import judged
from tests.unit.report.measures import measure, verdict
from tests.unit.report.records import all_typed, record, typed

LABELS = np.array([0, 1] * 40)
SIZES = {"parameters": 1_000_000, "nonzero": 1_000_000, "bytes": 4_000_000}


def logits_of(hits: int, sure: float) -> np.ndarray:
    """Logits (80, 2) that are right on the first examples, with one and the same confidence."""
    right = np.arange(80) < hits
    predicted = np.where(right, LABELS, 1 - LABELS)
    return np.where(np.eye(2)[predicted] == 1, np.log(sure), np.log(1 - sure))


SIDES = {"base": logits_of(64, 0.8), "small": logits_of(60, 0.95)}


def cards(measures=(), after=None, notes=(), logits=True):
    made = {
        "c": {
            "kind": "compress", "task": {"name": "a"}, "data": {"source": "folder"}, "fit": {},
            "compression": {
                "method": "small", "runtime": "onnxruntime", "before": SIZES, "after": SIZES | {"nonzero": 400_000} | (after or {}), "notes": list(notes), "steps": [],
            }
        }
    }  # fmt: skip
    records = [
        record("a", "base", 0.8, runtime="torch", lineage={"finetune": "f"}),
        record("a", "small", 0.75, runtime="onnxruntime", lineage={"finetune": "f", "compress": "c"}),
    ]
    records[1]["model"] |= {"original": "base", "method": "small"}

    def load(one):
        return SIDES[one.model.name].argmax(axis=1), LABELS

    def load_logits(one):
        return ([str(n) for n in range(80)], LABELS, SIDES[one.model.name]) if logits else None

    judge = partial(judged, load=load, load_logits=load_logits)
    (found,) = compression.build(
        all_typed(records),
        {key: typed(one) for key, one in made.items()},
        ["a"],
        judge,
        measured.read(all_typed(measures)),
    )
    (card,) = found.cards
    return card, compression.to_markdown(found), json.loads(compression.to_json([found]))["tables"][0]["cards"][0]


PEAKS = {"f": 40_000_000, "c": 20_000_000}


def test_a_card_has_calibration_speed_memory_and_sparsity():
    card, text, said = cards([measure("f", {"c": 2.5}, peaks=PEAKS)])
    assert card.calibration is not None and card.calibration.n == 80
    assert card.calibration.before == pytest.approx(0.0, abs=1e-9)
    assert card.calibration.after == pytest.approx(0.2)
    assert card.calibration.change.value == pytest.approx(0.2)
    assert card.sparsity == (0.0, 0.6)
    (cost,) = card.costs
    assert cost.speed is not None and cost.speed.value == 2.5 and cost.verdict == "VALID"
    assert cost.examples_per_second == (1000, 2500)
    assert not card.absent
    assert "2.50× [2.48, 2.52]" in text and "20.0 MB of 40.0 MB" in text and "60.0 %" in text
    assert "0.0 → 20.0, **+20.0 [" in text
    assert said["costs"][0]["memory"][1]["peak"] == 20_000_000 and said["costs"][0]["setting"]["threads"] == 1


def test_what_a_card_lacks_is_said_to_be_absent_and_is_no_zero():
    card, text, said = cards(logits=False, after={"parameters": None, "nonzero": None})
    assert card.costs == () and card.calibration is None and card.sparsity is None
    assert set(said["absent"]) == {"speed", "memory", "calibration", "nonzero"}
    assert "Of small: no speed: not measured; `harness run --measure` does it." in text.replace("\\", "")
    assert "Of small: no calibration: no logits of classes with labels." in text
    row = next(line for line in text.splitlines() if line.startswith("| a "))
    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["–", "–"]


def test_a_ratio_that_does_not_count_stands_with_its_verdict_and_claims_nothing():
    said = {"c": verdict("IMPRECISE", "its interval is ±7.0 % wide, wider than ±2 %")}
    card, text, _ = cards([measure("f", {"c": 0.9}, said=said)])
    assert card.costs[0].verdict == "IMPRECISE"
    assert "Of small: IMPRECISE at 8 × 64: its interval is ±7.0 % wide" in text
    assert not any("slower" in note for note in card.notes)
    assert "memory was not read" in card.absent["memory"]


@pytest.mark.parametrize(
    ("factor", "half", "peak", "told"),
    [
        (2.5, 0.01, 20, []),
        (1.0, 0.01, 20, ["It saves no time: 0.99 to 1.01× as fast at 8 × 64."]),
        (0.9, 0.01, 20, ["It is slower: 0.89 to 0.91× as fast at 8 × 64."]),
        (2.5, 0.01, 40, ["It saves no memory: its peak is 1.00× the original's at 8 × 64."]),
    ],
)
def test_what_was_not_saved_is_said_in_a_sentence(factor, half, peak, told):
    peaks = PEAKS | {"c": peak * 1_000_000}
    card, text, _ = cards([measure("f", {"c": factor}, half=half, peaks=peaks)], notes=["It saves nothing on disk."])
    assert list(card.notes) == ["It saves nothing on disk.", *told]
    assert all(note in text.replace("\\", "") for note in card.notes)


def test_the_newest_measurement_that_counts_is_the_cards():
    measures = [
        measure("f", {"c": 2.0}, created="2026-11-24T10:00:00Z"),
        measure("f", {"c": 2.1}, created="2026-11-24T11:00:00Z"),
        measure("f", {"c": 9.9}, said={"c": verdict("INVALID", "unquiet")}, created="2026-11-24T12:00:00Z"),
        measure("another", {"c": 5.0}, created="2026-11-24T13:00:00Z"),
    ]
    (cost,) = cards(measures)[0].costs
    assert cost.speed is not None and cost.speed.value == 2.1


def test_machines_have_tables_of_their_own():
    other = {"cpu": {"model": "Another CPU", "isa": []}, "threads": 4}
    _, text, _ = cards([measure("f", {"c": 2.0}), measure("f", {"c": 3.0}, workload="task a", **other)])
    assert "### speed and memory, 1 thread, Some CPU" in text
    assert "### speed and memory, 4 threads, Another CPU" in text
    assert "the task's own lengths" in text


def test_a_model_measured_against_itself_is_no_original_of_another():
    record = measure("f", {"c": 2.0})
    record["models"]["again"] = {**record["models"]["model f"], "role": "candidate"}
    record["cells"]["8 × 64"]["stages"]["forward"]["models"]["again"] = {
        "seconds": 1.0, "examples_per_second": 1.0, "tokens_per_second": 1.0, "verdict": verdict(),
        "speed_ratio": {"value": 1.0, "low": 0.99, "high": 1.01, "pairs": 20},
    }  # fmt: skip
    (cost,) = cards([record])[0].costs
    assert cost.examples_per_second == (1000, 2000)
