"""Calibration is computed once of the same predictions, and anew of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.store import Store
from harness.report.text.diagnostics import calibration_text
from harness.stats import calibration
from tests.benchmarks.record_store import make_store, write_record


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    store = make_store(tmp_path_factory.mktemp("made"), 1)
    return store, calibration_text(store, [], "json")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many examples each computed report is of."""
    sizes: list[int] = []
    whole = calibration.report

    def counting(logits, labels, ids, seed=0):
        sizes.append(len(labels))
        return whole(logits, labels, ids, seed)

    monkeypatch.setattr(calibration, "report", counting)
    return sizes


def test_what_was_computed_is_kept_to_the_last_digit(made, computed):
    store, first = made
    assert json.loads(first)["tables"]
    assert calibration_text(store, [], "json") == first
    assert not computed


def test_predictions_made_again_are_computed_anew(made, computed):
    store, first = made
    path = next(file.with_name("record.json") for file in store.root.glob("cells/*/*/predictions.parquet"))
    record = json.loads(path.read_text())
    record["created"] = "2026-11-26T00:00:00Z"
    del record["checksum"]
    write_record(store, record)
    assert calibration_text(store, [], "json") == first
    assert len(computed) == 1


def test_a_damaged_fact_is_computed_anew(made, computed):
    store, first = made
    latest = max(Path(store.root / "cache").iterdir(), key=lambda file: file.stat().st_mtime_ns)  # others may be stale
    latest.write_text("{")
    assert calibration_text(store, [], "json") == first
    assert len(computed) == 1
