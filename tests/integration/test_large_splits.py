"""A run on splits that stay in files has the keys, losses and predictions of one that holds them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import harness
from harness.core import columns, predictions, token_rows
from harness.data import text_files
from harness.pipeline.steps import inputs
from tests.benchmarks.scale import TASK, write_examples

from .test_names import RECIPE, records


@pytest.mark.slow
def test_a_run_on_large_splits_is_that_on_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine_cache: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    write_examples(Path("data"), 150, 70)
    Path("specs").mkdir()
    Path("specs/t0.yaml").write_text(yaml.safe_dump({"name": "t0", **TASK}))
    Path("specs/one.yaml").write_text(yaml.safe_dump({"name": "one", **RECIPE}))

    def results(root: str) -> list[tuple]:
        inputs._load.cache_clear()
        harness.run(task="t0", models=["one", "majority"], data="data", include=["specs"], out=root, executor="inline")
        return sorted(
            (record["cell"], record["data"], record.get("scores"), record.get("predictions"),
             record.get("fit", {}).get("loss"), record.get("read"))
            for record in records(root)
        )  # fmt: skip

    held = results("held")
    monkeypatch.setattr(columns, "MANY", 1)
    monkeypatch.setattr(columns, "BATCH", 16)
    monkeypatch.setattr(text_files, "LARGE", 1)
    monkeypatch.setattr(token_rows, "IN_MEMORY", 100)
    monkeypatch.setattr(predictions, "AT_ONCE", 30)
    assert results("mapped") == held
