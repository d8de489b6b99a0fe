"""Measuring as cells of a run: that it is alone and kept, and where it is shown."""

from __future__ import annotations

import multiprocessing
from functools import partial
from pathlib import Path

import pytest

from harness.core.run_spec import RunSpec
from harness.core.strict_spec import parse
from harness.pipeline.cells import Event
from tests.conftest import call_harness, read_json

RECIPE = """\
name: small
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 64, max_position_embeddings: 128}
tokenizer: {vocab_size: 500}
training: {epochs: 1, max_length: 64}
"""


RUN = (
    *("run", "--task", "sst2", "--model", "small", "--limit", "60", "--include", "mine"),
    *("--compress", "prune-structured:0.5", "--measure", "--measure-length", "16,task", "--measure-budget", "1s"),
)


@pytest.fixture(scope="module")
def measured_run(machine_cache, tmp_path_factory):
    """A run that measures with time for one launch alone, whose timing is INVALID: the command line in its folder."""
    folder = tmp_path_factory.mktemp("measured-run")
    (folder / "mine").mkdir()
    (folder / "mine" / "small.yaml").write_text(RECIPE)
    call = partial(call_harness, folder, machine_cache)
    return call, folder, read_json(call(*RUN, "--json").stdout)


@pytest.mark.slow
def test_a_run_measures_what_it_made_and_keeps_it(measured_run):
    from harness.core.store import Store

    harness, folder, result = measured_run
    assert result["status"] == "done"
    (cell,) = [one for one in result["cells"] if one["kind"] == "measure"]
    assert cell["status"] == "done"
    record = Store(folder / "results").read(cell["cell"]).as_json()
    assert record["verdict"] == "INVALID" and not record["counts"]
    (measured,) = record["cells"]
    (dropped,) = {"8 × 16", "task sst2"} - {measured}  # the cheapest is kept: which of two like these is chance
    assert "more than --budget leaves" in record["absent"][dropped] and measured not in record["absent"]
    made = {one["cell"][:12]: one["cell"] for one in result["cells"] if one["kind"] in ("finetune", "compress")}
    assert {name: one["cell"] for name, one in record["lineage"].items()} == made
    assert {name: one["cell"] for name, one in record["models"].items()} == made
    assert record["environment"]["workers"]["threads"] == 1 and "counters" in record["environment"]
    again = read_json(harness(*RUN, "--json").stdout)
    assert {one["status"] for one in again["cells"]} == {"cached"}
    shown = harness("show").stdout
    assert "INVALID" in shown and not any(
        name in shown.partition(measured)[0].rpartition("measure")[2] for name in made
    )
    plan = read_json(harness(*RUN, "--dry-run", "--json").stdout)
    (seen,) = [one for one in plan["cells"] if one["kind"] == "measure"]
    assert seen["cached"] and set(seen["needs"]) == set(made.values()) and len(seen["estimated_seconds"]) == 2
    assert "of measuring, alone" in harness(*RUN, "--measure-batch", "4", "--dry-run").stdout


@pytest.mark.slow
def test_the_card_and_the_leaderboard_show_what_was_measured_and_what_does_not_count(measured_run):
    harness, folder, _ = measured_run
    (table,) = read_json(harness("leaderboard", "--compression", "--format", "json").stdout)["tables"]
    (card,) = table["cards"]
    cost = card["costs"][0]
    assert cost["verdict"] == "INVALID" and "pairs of the 20 needed" in cost["reason"]
    assert card["absent"]["speed"] == cost["reason"]
    assert cost["memory"] is not None or cost["memory_absent"]
    assert card["calibration"]["n"] == 60
    refused = harness("leaderboard", "--show", "speed", code=2).stderr
    assert "there is no speed to show" in refused and "pairs of the 20 needed" in refused
    assert " MB |" in harness("leaderboard", "--show", "size").stdout
    assert "Did you mean 'size'" in harness("leaderboard", "--show", "sise", code=2).stderr
    front = read_json(harness("leaderboard", "--pareto", "front.svg", "--format", "json").stdout)
    assert "size" in [one["kind"] for one in front["fronts"]] and "speed" not in [
        one["kind"] for one in front["fronts"]
    ]
    assert (folder / "front.svg").stat().st_size > 1000
    assert (
        "go with the plain leaderboard" in harness("leaderboard", "--pareto", "x.svg", "--compression", code=2).stderr
    )


@pytest.mark.nightly
@pytest.mark.slow
def test_no_worker_is_left_while_a_cell_is_measured(tmp_path, monkeypatch):
    """The pool's processes have ended when a measuring cell begins; those of the cell itself come after."""
    from harness.core.registry import load_registry
    from harness.core.store import Store
    from harness.pipeline.commands.run import perform, prepare
    from harness.report.results import read_run

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "small.yaml").write_text(RECIPE)
    spec = parse(
        RunSpec,
        {"task": ["sst2"], "model": ["small"], "limit": 30, "include": ["mine"], "compress": ["int8-weight"],
         "measure": True, "measure_length": "16", "measure_budget": "1s"},
        "test",
    )  # fmt: skip
    store = Store.open(tmp_path / "results")
    prepared = prepare(spec, load_registry([Path("mine")]), store)
    seen: list[tuple[str, str, int]] = []

    def listen(event: Event) -> None:
        workers = sum(process.name == "harness-worker" for process in multiprocessing.active_children())
        seen.append((event.kind, event.cell.kind, workers))

    name = perform(spec, prepared, store, listen)
    assert read_run(store, name).ok
    started = seen.index(("started", "measure", 0))
    before = seen[:started]
    assert {kind for _, kind, _ in before} == {"finetune", "compress", "score"}
    assert any(workers for _, _, workers in before)
    assert {kind for _, kind, _ in seen[started:]} == {"measure"}
