"""The earlier name of synthetic data: people may still write it, and what was written with it equals what is written now."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from harness import data
from harness.core.checked import write_checked as _write_checked
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.pretraining_specs import PretrainingSpec, TokenizerSpec
from harness.core.registry import load_registry
from harness.core.run_spec import RunSpec
from harness.core.source_names import canonical
from harness.core.specs import TaskSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.data.corpus import facts, open_corpus
from harness.gating import baseline
from harness.report.text.runs import leaderboard_text
from tests.benchmarks.record_store import score_record

TASK = {
    "name": "mood",
    "family": "classification",
    "fields": {"text": "text", "label": "label"},
    "metrics": ["accuracy"],
    "labels": ["negative", "positive"],
}


def task(sources: Any) -> TaskSpec:
    return parse(TaskSpec, {**TASK, "sources": sources}, "test")


def old(record: dict[str, Any]) -> dict[str, Any]:
    """As it was written before the name changed."""
    text = json.dumps(record).replace('"synthetic"', '"embedded"').replace("synthetic world v", "embedded world v")
    return json.loads(text)


def test_the_earlier_name_is_accepted_wherever_a_person_writes_one():
    assert canonical("embedded") == "synthetic" and canonical("hub") == "hub" and canonical(3) == 3
    assert parse(RunSpec, {"task": "cola", "data": "embedded"}, "run.yaml") == parse(RunSpec, {"task": "cola"}, "run")
    assert TokenizerSpec(corpus="embedded") == TokenizerSpec(corpus="synthetic")  # type: ignore[arg-type]
    assert PretrainingSpec(objective="mlm", steps=1, corpus="embedded") == PretrainingSpec(objective="mlm", steps=1)
    assert facts(open_corpus("embedded", sentences=100)) == facts(open_corpus("synthetic", sentences=100))
    now = task({"synthetic": "sentiment"})
    for sources in (
        {"embedded": "sentiment"},
        {"embedded": {"shape": "sentiment"}},
        {"synthetic": {"shape": "sentiment"}},
        {"synthetic": {"template": "sentiment"}},
    ):
        assert task(sources) == now
    assert data.state(now, "embedded") == data.state(now, "synthetic") != ""
    loaded = data.load(now, "embedded", limit=5)
    assert (loaded.source, loaded.location) == ("synthetic", "synthetic world v1")


def test_one_source_under_both_names_is_refused():
    with pytest.raises(HarnessError, match="these are one source"):
        task({"embedded": "sentiment", "synthetic": "sentiment"})


def test_old_and_new_records_stand_in_one_table(tmp_path):
    store = Store.open(tmp_path / "results")
    cells = []
    for model, written in (("new", lambda record: record), ("old", old)):
        record = score_record("sst2", "dev", model, 0, random.Random(0))
        path = store.folder(record["cell"]) / "record.json"
        path.parent.mkdir(parents=True)
        _write_checked(path, {**written(record), "files": {}})
        cells.append(
            {"cell": record["cell"], "kind": "score", "task": "sst2", "split": "dev", "model": model, "seed": 0}
        )
    suite = {"name": "demo", "version": 1, "tasks": ["sst2"], "averaged": ["sst2"]}
    manifest = {"cells": cells, "spec": {"data": "embedded"}, "suites": [suite]}
    store.write_run("20261125-000000-demo-0000", manifest)
    (table,) = json.loads(leaderboard_text(store, [], "json"))["tables"]
    assert {row["model"] for row in table["rows"]} == {hash_json("old"), hash_json("new")}
    assert (table["source"], table["location"]) == ("synthetic", "synthetic world v1")
    assert table["title"].startswith("demo on synthetic data, generated: not GLUE")
    assert store.run("latest").data == store.runs([], pytest.fail)[0].data == "synthetic"


def test_an_accepted_baseline_with_the_earlier_name_reads_as_one_of_today(tmp_path):
    part = {
        "task": "sst2", "split": "dev", "source": "synthetic", "data": hash_json("data"), "version": 1, "n": 0,
        "family": "classification", "headline": ["accuracy"], "metrics": {"accuracy": 1}, "labels": [], "limit": None,
        "references": "", "ids_hash": "",
    }  # fmt: skip
    content = {
        "schema_version": 2, "kind": baseline.KIND, "name": "main", "created": "", "suites": {}, "models": ["m"],
        "data": "synthetic", "parts": [part], "scores": [], "environment": {},
    }  # fmt: skip
    before = copy.deepcopy(old(content))
    path = tmp_path / "main.json"
    path.write_text(json.dumps({**before, "sha256": hash_json(before)}))
    assert baseline.read(path).as_json() == content


def test_built_in_specs_use_the_new_name():
    registry = load_registry()
    assert registry.tasks["sst2"].sources.synthetic is not None
    assert RunSpec().data == "synthetic"
