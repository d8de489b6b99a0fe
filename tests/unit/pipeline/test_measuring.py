"""Measuring as cells of a run: what is planned, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.core.errors import HarnessError
from harness.core.run_spec import RunSpec
from harness.core.runs import content_name
from harness.core.specs import ModelSpec, TaskSpec
from harness.core.strict_spec import parse
from harness.pipeline.cells import Cell, CompressJob, FinetuneJob, TaskInput
from harness.pipeline.commands.run import _events
from harness.pipeline.executors.base import Resources
from harness.pipeline.planner.measuring import measure_cells
from tests.unit.pipeline.known import known_data

TASK = TaskSpec(
    name="sst2", version=1, family="classification", fields={"text": "t", "label": "l"}, labels=["a", "b"],
    metrics=["accuracy"],
)  # fmt: skip


def fit(model: str, seed: int = 0, fraction: float = 1.0, task: str = "sst2", learner: str = "transformer", **options):
    facts = known_data(dev="ab" * 32)
    inputs = TaskInput(TASK.model_copy(update={"name": task}), "synthetic", None, facts, ("dev",))
    recipe = ModelSpec(
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
    job = CompressJob(of.key, method, steps, of.job.model_spec, model, of.seed, of.job.fraction)
    return Cell(f"{name} of {of.key}", spec, job, (of.key,), of.task, name, of.seed)


def planned(cells, **settings):
    spec = parse(RunSpec, {"task": ["sst2"], "measure": True, **settings}, "test")
    models = {
        cell.model: SimpleNamespace(architecture="decoder" if "gpt" in cell.model else "encoder") for cell in cells
    }
    return measure_cells(spec, cells, models)  # type: ignore[arg-type]


def names(cell: Cell) -> list[str]:
    """What made the models that are measured; records call them by the keys of these cells."""
    assert len({one.name for one in cell.job.models}) == len(cell.job.models)
    assert all(one.name.startswith(content_name(one.cell)) for one in cell.job.models)
    return [one.cell.partition(" ")[0] for one in cell.job.models]


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
    assert cell.spec["workloads"][2] == ["task", {"dev": "ab" * 32}]


def test_what_lacks_a_model_is_skipped_with_the_reason(tmp_path):
    a = fit("a")
    (cell,) = planned([a, smaller(a)])
    told = _events("inline", Resources(tmp_path), [cell], {a.key: "done", cell.needs[1]: "failed"})
    assert [(one.kind, one.cause) for one in told] == [("skipped", "what it needs has failed")]
