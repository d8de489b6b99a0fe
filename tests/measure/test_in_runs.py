"""Measuring as cells of a run: what is planned, that it is alone and kept, and where it is shown."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.core.errors import HarnessError
from harness.core.run_spec import RunSpec
from harness.core.specs import RecipeSpec, TaskSpec
from harness.core.strict_spec import parse
from harness.pipeline.cells import Cell, CompressJob, Event, FinetuneJob, TaskInput
from harness.pipeline.commands.run import _events
from harness.pipeline.executors.base import Resources
from harness.pipeline.planner.measuring import measure_cells
from tests.conftest import call_harness, read_json

TASK = TaskSpec(
    name="sst2", version=1, family="classification", fields={"text": "t", "label": "l"}, labels=["a", "b"],
    metrics=["accuracy"],
)  # fmt: skip


def fit(model: str, seed: int = 0, fraction: float = 1.0, task: str = "sst2", learner: str = "transformer", **options):
    facts = {"splits": {"dev": {"fingerprint": "ab"}}}
    inputs = TaskInput(TASK.model_copy(update={"name": task}), "synthetic", None, facts, ("dev",))
    recipe = RecipeSpec(
        name=model, learner=learner, pretrained=model if learner == "transformer" else None, options=options
    )
    job = FinetuneJob(inputs, recipe, {"name": model}, seed, fraction)
    return Cell(f"{model} {task} {seed} {fraction}", {}, job, (), task, model, seed, fraction=fraction)


def smaller(of: Cell, method: str = "int8") -> Cell:
    return compressed(of, method, {"model": of.key}, ())


def made(of: Cell, *methods: str) -> Cell:
    """By a chain of methods."""
    spec = {"model": of.key, "method": [[name, {}] for name in methods]}
    return compressed(of, "|".join(methods), spec, tuple((name, {}) for name in methods))


def compressed(of: Cell, method: str, spec: dict, steps: tuple) -> Cell:
    assert isinstance(of.job, FinetuneJob)
    name = f"{of.model}+{method}"
    model = {"name": name, "original": of.model}
    job = CompressJob(of.key, method, steps, of.job.recipe, model, of.seed, of.job.fraction)
    return Cell(f"{name} of {of.key}", spec, job, (of.key,), of.task, name, of.seed)


def planned(cells, **settings):
    spec = parse(RunSpec, {"task": ["sst2"], "measure": True, **settings}, "test")
    models = {
        cell.model: SimpleNamespace(architecture="decoder" if "gpt" in cell.model else "encoder") for cell in cells
    }
    return measure_cells(spec, cells, models)  # type: ignore[arg-type]


def names(cell: Cell) -> list[str]:
    return [one.name for one in cell.job.models]


def test_each_original_is_measured_against_all_that_was_made_of_it():
    a, b = fit("a"), fit("b")
    cells = [a, smaller(a), smaller(a, "prune"), b, smaller(b)]
    first, second = planned(cells)
    assert names(first) == ["a", "a+int8", "a+prune"] and names(second) == ["b", "b+int8"]
    assert first.needs == tuple(cell.key for cell in cells[:3])
    assert (first.kind, first.task, first.model) == ("measure", "sst2", "a")
    assert first.job.models[1].finetune == a.key
    least, most = first.seconds
    assert 0 < least < most


def test_models_are_measured_on_a_device_that_serves_them(monkeypatch):
    monkeypatch.setattr("harness.pipeline.planner.measuring.gpus", lambda: [{"name": "Some GPU", "driver": "1"}])
    a = fit("a")
    graph, both, gpu = made(a, "int8"), made(a, "bf16", "compile"), made(a, "int8-torchao", "compile")
    (one,) = planned([a, graph, both])
    assert one.spec["device"] == "auto" and len(names(one)) == 3
    on_gpu, on_cpu = planned([a, graph, both, gpu])
    assert (on_gpu.spec["device"], names(on_gpu)) == ("cuda", ["a", "a+bf16|compile", "a+int8-torchao|compile"])
    assert (on_cpu.spec["device"], names(on_cpu)) == ("cpu", ["a", "a+int8"])
    monkeypatch.setattr("harness.pipeline.planner.measuring.gpus", lambda: [])
    on_gpu, on_cpu = planned([a, graph, both, gpu])
    assert names(on_gpu) == ["a", "a+int8-torchao|compile"]
    assert (on_cpu.spec["device"], names(on_cpu)) == ("cpu", ["a", "a+int8", "a+bf16|compile"])
    (asked,) = planned([a, both], measure_device="cpu")
    assert asked.spec["device"] == "cpu" and asked.job.settings["device"] == "cpu"
    with pytest.raises(HarnessError, match=r"--measure-device cpu: a\+int8-torchao\|compile is served on cuda only"):
        planned([a, gpu], measure_device="cpu")
    with pytest.raises(HarnessError, match="measure_device goes with measure"):
        planned([a, both], measure=False, measure_device="cpu")


def test_without_compression_the_first_model_is_measured_against_the_others_of_its_head():
    a, b, gpt, t5 = fit("a"), fit("b"), fit("gpt"), fit("t5", head="seq2seq-lm")
    majority = fit("majority", learner="majority")
    (cell,) = planned([majority, a, b, gpt, t5])
    assert names(cell) == ["a", "b", "gpt"]


def test_of_several_seeds_and_shares_the_first_seed_on_all_examples_is_measured():
    fits = [fit("a", seed, fraction) for seed in (1, 0) for fraction in (0.1, 1.0)]
    (cell,) = planned([*fits, *map(smaller, fits)])
    assert cell.job.models[0].cell == "a sst2 0 1.0" and len(names(cell)) == 2


def test_nothing_to_measure_against_is_an_error():
    for cells in ([fit("a")], [fit("majority", learner="majority")], [fit("a"), fit("b", task="cola")]):
        with pytest.raises(HarnessError, match="nothing to measure against; give --compress"):
            planned(cells)


def test_a_run_that_does_not_ask_measures_nothing():
    a = fit("a")
    assert planned([a, smaller(a)], measure=False) == []


def test_what_a_time_depends_on_is_in_the_key_and_what_it_is_called_is_not(monkeypatch):
    a = fit("a")
    cells = [a, smaller(a)]
    (one,) = planned(cells)
    keys = {one.key}
    for settings in (
        {"measure_batch": "1"}, {"measure_length": "64,task"}, {"threads": 2}, {"measure_precision": 0.05},
        {"measure_budget": "5m"},
    ):  # fmt: skip
        keys |= {cell.key for cell in planned(cells, **settings)}
    assert len(keys) == 6
    assert planned(cells, measure_batch=[8], measure_length=[64], threads=1)[0].key == one.key
    monkeypatch.setattr("harness.pipeline.planner.measuring.describe", lambda threads: machine(cores=128))
    assert planned(cells)[0].key not in keys


def machine(**changes):
    from harness.core.machine.environment import describe

    return describe(1) | changes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"measure": False, "measure_batch": "8"}, "measure_batch goes with measure"),
        ({"measure_length": "x"}, "a number of tokens, or task"),
        ({"measure_batch": "0"}, "greater than or equal to 1"),
        ({"measure_precision": 1.0}, "less than 1"),
        ({"measure_budget": "soon"}, "--measure-budget soon: give a time"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    a = fit("a")
    with pytest.raises(HarnessError, match=message):
        planned([a, smaller(a)], **settings)


def test_a_task_as_workload_is_told_by_its_examples():
    a = fit("a")
    (cell,) = planned([a, smaller(a)], measure_length="32,task", measure_batch="1,8")
    assert [one.name for one in cell.job.workloads] == ["1 × 32", "8 × 32", "task sst2"]
    assert cell.spec["workloads"][2] == ["task", {"dev": "ab"}]


def test_what_lacks_a_model_is_skipped_with_the_reason(tmp_path):
    a = fit("a")
    (cell,) = planned([a, smaller(a)])
    told = _events("inline", Resources(tmp_path), [cell], {a.key: "done", cell.needs[1]: "failed"})
    assert [(one.kind, one.cause) for one in told] == [("skipped", "what it needs has failed")]


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
    record = Store(folder / "results").read(cell["cell"])
    assert record["verdict"] == "INVALID" and not record["counts"]
    assert list(record["cells"]) == ["8 × 16", "task sst2"] or "task sst2" in record["absent"]
    made = {one["model"]: one["cell"] for one in result["cells"] if one["kind"] in ("finetune", "compress")}
    assert {name: one["cell"] for name, one in record["lineage"].items()} == made
    assert {name: one["cell"] for name, one in record["models"].items()} == made
    assert record["environment"]["workers"]["threads"] == 1 and "counters" in record["environment"]
    again = read_json(harness(*RUN, "--json").stdout)
    assert {one["status"] for one in again["cells"]} == {"cached"}
    assert "INVALID" in harness("show").stdout
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


@pytest.mark.slow
def test_no_worker_is_left_while_a_cell_is_measured(tmp_path, monkeypatch):
    """The pool's processes have ended when a measuring cell begins; those of the cell itself come after."""
    from harness.core.registry import load_registry
    from harness.core.store import Store
    from harness.pipeline.commands.run import perform, prepare

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
        children = [one for one in psutil.Process(os.getpid()).children() if one.status() != psutil.STATUS_ZOMBIE]
        workers = sum("spawn_main" in " ".join(one.cmdline()) for one in children)
        seen.append((event.kind, event.cell.kind, workers))

    assert perform(spec, prepared, store, listen).ok
    started = seen.index(("started", "measure", 0))
    before = seen[:started]
    assert {kind for _, kind, _ in before} == {"finetune", "compress", "score"}
    assert any(workers for _, _, workers in before)
    assert {kind for _, kind, _ in seen[started:]} == {"measure"}
