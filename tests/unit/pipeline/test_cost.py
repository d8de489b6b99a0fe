"""What cells are expected to take: recorded runs of one machine, and what is learned from cells that were computed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.decoding_spec import DecodingSpec
from harness.core.registry import load_registry
from harness.core.specs import ModelSpec
from harness.core.store import Store
from harness.pipeline import cost
from harness.pipeline.cells import Cell
from harness.pipeline.cost import START_SECONDS, Forecast, Machine, expected, machine_from, remember
from harness.pipeline.planner import costing, item_costs
from harness.training import costs
from harness.training.costs import Shape, Sizes, Work, pieces, shape_of, sizes_of

RECORDED = json.loads((Path(__file__).parent / "cost_cases.json").read_text())
TASKS = load_registry().tasks
REFERENCE = machine_from(RECORDED["machine"])


def work_of(case: dict[str, Any]) -> Work:
    shape, sizes, task = Shape(**case["shape"]), Sizes(**case["sizes"]), TASKS[case["task"]]
    if case["kind"] == "score":
        in_words = task.family in ("question-answering", "summarization")
        return costs.predict_work(shape, task, sizes, case["limit"], case["head"], in_words)
    values = {"name": "m", "learner": "transformer", "config": {"model_type": "bert"}, "training": case["training"]}
    recipe = ModelSpec.model_validate({**values, "tokenizer": {"kind": "wordpiece"}})
    return costs.fit_work(recipe, shape, task, sizes, case["limit"], case["head"])


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["name"])
def test_a_recorded_cell_took_what_it_is_estimated_to_take(case):
    """Within 1.5 times, and a second; the first cell of a process imports what it needs."""
    estimated = REFERENCE.seconds(work_of(case)) + (START_SECONDS["torch"] if case["imports"] else 0.0)
    took = case["cpu_seconds"]
    assert took / 1.5 - 1 <= estimated <= 1.5 * took + 1


def test_the_recorded_cells_together_are_estimated_within_a_fifth():
    pairs = [(REFERENCE.seconds(work_of(case)), case["cpu_seconds"]) for case in RECORDED["cases"]]
    assert sum(took for _, took in pairs) == pytest.approx(sum(estimated for estimated, _ in pairs), rel=0.2)


def test_a_slower_machine_takes_longer_by_what_it_is_slower_in():
    work = work_of(RECORDED["cases"][0])
    half = {**RECORDED["machine"], "cpu_gflops": RECORDED["machine"]["cpu_gflops"] / 2}
    slow = {**RECORDED["machine"], "cpu_step_ms": RECORDED["machine"]["cpu_step_ms"] * 2}
    base, in_gemm, in_rest = (machine_from(machine).seconds(work) for machine in (RECORDED["machine"], half, slow))
    assert in_gemm - base == pytest.approx(base - REFERENCE.slowness * work.seconds)
    assert in_rest - base == pytest.approx(REFERENCE.slowness * work.seconds)
    old = {name: value for name, value in RECORDED["machine"].items() if not name.startswith("cpu_g")}
    assert machine_from(old).flops > 0, "a calibration from before CPU time was measured"


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The farmer saw a dog.", 6, 6),
        ("internationalization", 2, 4),
        ("语言模型很有用", 7, 7),
        ("", 0, 0),
        ("don't!", 4, 4),
    ],
)
def test_tokens_are_counted_by_words_signs_and_characters(text, least, most):
    assert least <= pieces(text) <= most


def test_long_texts_count_up_to_the_limit_and_answers_in_words_are_measured():
    texts = ["a " * 10] * 50 + ["b " * 400] * 50
    facts = sizes_of([texts], [("one two three", "other")] * 100)
    sizes = Sizes(facts["examples"], tuple(facts["inputs"]), facts["answer"])
    assert sizes.tokens(10**6) == pytest.approx(50 * 10 + 50 * 400)
    assert sizes.tokens(100) == pytest.approx(50 * 10 + 50 * 100)
    assert sizes.answer == 3 and sizes.scaled(0.5).tokens(100) == pytest.approx(sizes.tokens(100) / 2)
    assert sizes_of([[]], None)["examples"] == 0


def test_a_question_answerer_reads_long_contexts_in_windows():
    task = TASKS["squad"].model_copy(update={"decoding": DecodingSpec(doc_stride=64)})
    short, long = (Sizes(10, (length,) * 16) for length in (100.0, 1000.0))
    assert costs.reading(task, short, 128, "question-answering").examples == 10
    windows = costs.reading(task, long, 128, "question-answering")
    assert windows.examples > 100 and windows.tokens > 10_000


@pytest.mark.parametrize("config", [{}, {"model_type": "bert"}, {"hidden_size": 0, "num_hidden_layers": 2}])
def test_a_config_that_does_not_say_its_size_has_no_estimate(config):
    assert shape_of(config) is None


def test_pretraining_goes_by_its_tokens_and_its_corpus():
    recipe = load_registry().model_spec("bert-tiny-mlm")
    corpus = {"bytes": 2_000_000, "source": "synthetic"}

    def work(**changes: Any) -> Work | None:
        settings = recipe.pretraining.model_copy(update=changes)  # type: ignore[union-attr]
        return costing.pretraining(recipe.model_copy(update={"pretraining": settings}), corpus)

    few, many = work(steps=100), work(steps=200)
    assert few and many and 1.3 < many.nominal / few.nominal < 2
    assert work(steps=None, tokens=None, budget="1m") is None


def cell(key: str, model: str, task: str = "sst2", seconds: float = 10.0, kind: str = "finetune") -> Cell:
    job: Any = SimpleNamespace(kind=kind, model={"id": model})
    return Cell(key, {}, job, (), task, model, 0, work=Work(seconds=seconds))


def test_cells_like_one_that_was_computed_are_expected_to_take_as_long(tmp_path):
    store, machine = Store.open(tmp_path), Machine(1e9, 1e9, 1.0)
    remember(cell("a", "m", seconds=10.0), 30.0, 10**6, store)
    others = [cell("b", "m", seconds=20.0), cell("c", "m", "cola"), cell("d", "other"), cell("e", "m", kind="score")]
    assert expected(others, machine, store) == {"b": 60.0, "c": 30.0, "d": 10.0, "e": 10.0}
    remember(cell("c", "m", "cola"), 5.0, 10**6, store)
    assert expected(others, machine, store)["c"] == 5.0 and expected(others, machine, store)["b"] == 60.0


def test_a_cell_in_which_libraries_were_imported_says_nothing_of_short_ones(tmp_path):
    store, machine = Store.open(tmp_path), Machine(1e9, 1e9, 1.0)
    remember(cell("a", "m"), 15.0, 0, store)
    assert expected([cell("b", "m")], machine, store) == {"b": 10.0}
    remember(cell("a", "m"), 60.0, 0, store)
    assert expected([cell("b", "m")], machine, store) == {"b": 60.0}


def test_what_was_kept_in_another_shape_is_not_believed(tmp_path):
    store, machine = Store.open(tmp_path), Machine(1e9, 1e9, 1.0)
    for value in (
        [1],
        None,
        {"work": 3},
        {"cpu_seconds": "x", "work": [1, 2, 3]},
        {"work": [0, 0, None], "cpu_seconds": 1.0},
    ):
        for key in cost._likes(cell("a", "m")):
            store.cache(key, value)
        assert expected([cell("a", "m")], machine, store) == {"a": 10.0}


def test_a_forecast_is_no_shorter_than_its_longest_cell():
    ahead = Forecast({"a": 100.0, "b": 10.0, "timed": 50.0}, frozenset({"timed"}), 6.0, 2)
    assert (ahead.seconds, ahead.cpu_seconds) == (103.0, 116.0)


def test_a_linear_probe_reads_its_examples_once_and_takes_no_steps():
    values = {"name": "m", "learner": "transformer", "config": {"model_type": "clip"}}
    towers = [(Shape(**{**RECORDED["cases"][0]["shape"], "width": 64, "layers": 2}), 17.0)]

    def of(epochs: int, probes: bool) -> Work:
        spec = ModelSpec.model_validate({**values, "training": {"epochs": epochs}, "options": {"linear_probe": probes}})
        return item_costs.fitting(spec, towers, 1437)

    assert of(3, True) == of(30, True)
    assert of(3, True).flops == pytest.approx(of(3, False).flops / 9, rel=0.2), "forward alone, once"
