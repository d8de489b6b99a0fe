"""Cells as JSON: what a worker reads is what the plan has."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.pipeline.executors.cell_json import JOBS, cell_as_json, cell_from_json
from harness.pipeline.planner.memory import memory_needs, rounded
from harness.pipeline.planner.plan import make_plan
from harness.pipeline.tracking import tracked

from_plans = pytest.mark.slow
META = """\
name: tiny-meta
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64}
tokenizer: {kind: wordpiece, vocab_size: 600, corpus: pretraining}
pretraining: {objective: mlm, sentences: 300, steps: 0, block_size: 32, batch_size: 8}
meta: {tasks: [topics-how-1], steps: 4, k: 4, queries: 2}
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory, machine_cache):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HARNESS_CACHE", str(machine_cache))
        runs = (
            {"task": ["sst2", "stsb"], "model": ["majority", "tfidf", "bert-tiny"], "limit": 20, "measure": True,
             "compress": ["int8-weight", "prune-structured:0.5|int8", "distill:bert-tiny"], "measure_length": ["task", 16]},
            {"task": ["sst2"], "model": ["bert-tiny-mlm"], "limit": 20, "folds": 3},
            {"task": ["squad"], "model": ["bert-tiny", "t5-tiny"], "limit": 20, "train_fractions": [0.5]},
            {"task": ["sst2"], "model": ["bert-tiny"], "limit": 20, "k_shot": [4], "compress": ["prune-structured:0.5"]},
            {"task": ["sst2"], "model": ["tfidf"], "limit": 60, "attack": ["deepwordbug:examples=60"]},
        )  # fmt: skip
        meta = tmp_path_factory.mktemp("specs") / "meta.yaml"
        meta.write_text(META)
        runs = (*runs, {"task": ["sst2"], "model": [str(meta)], "limit": 20})
        store, registry = Store.open(tmp_path_factory.mktemp("plans")), load_registry(())
        return [cell for run in runs for cell in make_plan(RunSpec(**run), registry, store).cells]


@from_plans
def test_cells_of_every_kind_come_back_as_they_were(cells):
    assert {cell.kind for cell in cells} == set(JOBS)
    for cell in cells:
        assert cell_from_json(json.loads(json.dumps(cell_as_json(cell)))) == cell


@from_plans
def test_trackers_tell_all_cells_of_a_run_apart(cells):
    runs = [tracked(cell) for cell in cells if cell.task == "sst2+deepwordbug"]
    assert [run.name.rpartition("seed-0/")[2] for run in runs] == [
        "examples-1-30/attack-dev", "examples-31-60/attack-dev", "score-dev",
    ]  # fmt: skip


@from_plans
@pytest.mark.parametrize("change", [{"kind": "dance"}, {"job": {}}, {"spec": {}}, {"needs": None}, {"more": 1}])
def test_what_is_no_cell_is_one_line(cells, change):
    with pytest.raises(HarnessError, match="a cell cannot be read") as refused:
        cell_from_json(json.loads(json.dumps(cell_as_json(cells[0]) | change)))
    assert "\n" not in str(refused.value)
    with pytest.raises(HarnessError, match="not that of its key"):
        cell_from_json(json.loads(json.dumps(cell_as_json(replace(cells[0], key="0" * 64)))))


@from_plans
def test_memory_grows_with_the_model_and_is_that_of_a_process_for_what_has_none(cells):
    needs = {cell.label: memory_needs(cells)[cell.key] for cell in cells}
    assert set(memory_needs(cells)) == {cell.key for cell in cells}
    assert needs["finetune sst2 majority seed 0"] == 2**30
    assert all(need < 4 * 2**30 for need in needs.values()), "of models this small"


@from_plans
def test_a_large_model_needs_what_its_weights_gradients_and_moments_take(cells):
    (fit,) = (cell for cell in cells if cell.label == "finetune sst2 bert-tiny seed 0")
    config = {
        "model_type": "bert",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "intermediate_size": 4096,
        "vocab_size": 30522,
    }
    spec = fit.job.model_spec.model_copy(update={"config": config, "tokenizer": None})
    large = replace(fit, job=replace(fit.job, model_spec=spec))
    assert 5e9 < memory_needs([large])[large.key] < 12e9, "335 million parameters: 5.4 GB of floats and a batch"


def test_needs_are_rounded_up_so_that_workers_are_shared():
    assert [rounded(int(size * 2**30)) / 2**30 for size in (0.1, 1, 1.01, 1.6, 2.5, 3.1, 5, 9)] == [
        1,
        1,
        1.5,
        2,
        3,
        4,
        6,
        12,
    ]
