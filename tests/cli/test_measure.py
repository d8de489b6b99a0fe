"""`harness measure`: usage errors, and a small measurement from end to end."""

from __future__ import annotations

import json

import pytest

from harness.core.measurement_records import MeasureRecord
from harness.core.store import Store
from harness.measurement.results import RESULT


def test_usage_errors_exit_with_2(harness):
    assert "at least one candidate" in harness("measure", "only-one", code=2).stderr
    assert "no folder" in harness("measure", "a", "b", "-o", "nowhere/x.json", code=2).stderr


@pytest.mark.slow
def test_a_measurement_from_end_to_end(harness, saved, tmp_path):
    """With a budget for one launch: all is measured, kept and told, and the verdict is INVALID, exit code 5."""
    done = harness(
        "measure", saved("bert"), saved("bert", num_hidden_layers=1), "--batch", "2", "--length", "8,65",
        "--budget", "1s", "--allow-short", "-o", "result.json", code=5,
    )  # fmt: skip
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["schema_version"] == 1 and result["verdict"] == "INVALID"
    assert "pairs of the 20 needed" in result["reasons"]["2 × 8, forward"]
    assert "64 positions" in result["absent"]["2 × 65"]
    assert "joules_per_example" not in result["cells"]["2 × 8"] or "energy" not in result["absent"]
    for one in result["models"].values():
        assert one["size"]["nonzeros"] <= one["size"]["parameters"]
        assert one["load_seconds"] > 0 and one["first_call"]["seconds"]["forward"] > 0
        memory = one["memory"]["2 × 8"]
        assert "peak" in memory or "clear_refs" in memory["absent"]["peak"]
        assert memory["loaded"]["total"] > 0
    samples = result["samples"]["2 × 8"]
    assert len(samples) == 3 and all(len(bursts) == 4 for bursts in samples.values())
    assert result["environment"]["workers"]["threads"] == 1
    assert result["environment"]["workers"]["omp_wait_policy"] == "PASSIVE"
    assert {"steal", "throttled", "load"} <= set(result["environment"]["counters"])
    assert "INVALID" in done.stdout and "### Memory" in done.stdout
    store = Store(tmp_path / "results")
    (key,) = store.keys()
    record = store.read(key, MeasureRecord)
    assert record.kind == "measure" and record.verdict == "INVALID"
    assert json.loads(store.file(key, RESULT).read_text())["samples"] == result["samples"]
    assert result["cell"] == key
