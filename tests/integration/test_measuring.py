"""`harness measure` from names to a record: bad input, names, the plan of a budget, and small runs from end to end."""

from __future__ import annotations

import shutil

import psutil
import pytest

from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.measurement_records import MeasurementFacts
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.measurement.job import affordable
from harness.measurement.results import budget_of
from harness.pipeline.commands import measure as command
from harness.report.text.measuring import measurement_text, verdict_lines

SETTINGS = {"threads": 1, "margin": 0.05, "precision": 0.02, "budget": None, "seed": 0, "memory": True, "include": ()}


def request(models, store=None, batches="1", lengths="8", task=None, **settings):
    return command.make_request(
        load_registry(),
        store,
        [str(one) for one in models],
        batches,
        lengths,
        task,
        "synthetic",
        **(SETTINGS | settings),
    )


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), (None, None)])
def test_budgets(text, seconds):
    assert budget_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5 days", "-3m", "0s", "m"])
def test_a_bad_budget_says_what_to_give(text):
    with pytest.raises(HarnessError, match=r"--budget .*: give a time"):
        budget_of(text)


def test_one_model_is_too_few(saved):
    with pytest.raises(HarnessError, match="at least one candidate"):
        request([saved("bert")])


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_margin_is_a_share(saved, margin):
    with pytest.raises(HarnessError, match="--margin"):
        request([saved("bert")] * 2, margin=margin)


@pytest.mark.parametrize("precision", [0.0, 1.0, -0.1])
def test_a_precision_is_a_share(saved, precision):
    with pytest.raises(HarnessError, match="--precision"):
        request([saved("bert")] * 2, precision=precision)


def test_a_folder_without_a_model_is_named(saved, tmp_path):
    with pytest.raises(HarnessError, match=r"no config\.json"):
        request([saved("bert"), tmp_path])


def test_a_name_that_is_nowhere_is_named(saved):
    with pytest.raises(HarnessError, match="model 'nobody': no such folder"):
        request([saved("bert"), "nobody"])


def test_an_unknown_task_has_a_suggestion(saved):
    with pytest.raises(HarnessError, match="Did you mean 'sst2'"):
        request([saved("bert")] * 2, task="sst22")


def test_models_of_one_name_are_told_apart(saved, tmp_path):
    for name in ("base", "here/base", "there/base"):
        shutil.copytree(saved("bert"), tmp_path / name)
    found = request([tmp_path / name for name in ("base", "here/base", "there/base")])
    names = [one.name for one in (found.base, *found.candidates)]
    assert len(set(names)) == 3 and len(set(found.variants())) == 4
    assert all(name.startswith("base") for name in names)


def test_names_of_the_latest_run(saved, tmp_path):
    store = Store.open(tmp_path / "results")
    cells = []
    for key, kind, model, task, seed in (
        ("aa", "finetune", "tiny", "sst2", 1),
        ("ab", "finetune", "tiny", "sst2", 0),
        ("ac", "finetune", "tiny", "cola", 0),
        ("ad", "compress", "tiny+prune-structured:0.5", "sst2", 0),
        ("ae", "compress", "./weights+int8", "sst2", 0),
    ):
        with store.building(key) as folder:
            shutil.copytree(saved("bert"), folder / "model")
            store.commit(key, folder, {"kind": kind})
        cells.append(
            {"cell": key, "kind": kind, "model": model, "task": task, "seed": seed, "fraction": 1.0, "status": "done"}
        )
    store.write_run("20260101-000000-x", {"cells": cells})
    assert command.find_folder("tiny:sst2", store, None) == store.folder("ab") / "model"
    assert command.find_folder("tiny", store, "cola") == store.folder("ac") / "model"
    assert command.find_folder("tiny+prune-structured:0.5", store, None) == store.folder("ad") / "model"
    assert command.find_folder("tiny+prune-structured:0.5:sst2", store, None) == store.folder("ad") / "model"
    for name in ("./weights+int8", "./weights+int8:sst2"):  # of a model that was given as a folder
        assert command.find_folder(name, store, None) == store.folder("ae") / "model"
    with pytest.raises(HarnessError, match=r"trained it on cola, sst2; say which, e\.g\. tiny:cola"):
        command.find_folder("tiny", store, None)
    with pytest.raises(HarnessError, match="Did you mean 'tiny'"):
        command.find_folder("tinny", store, None)
    with pytest.raises(HarnessError, match="did not train it on mrpc"):
        command.find_folder("tiny:mrpc", store, None)


def test_cells_that_do_not_fit_the_budget_are_left_out_with_the_reason():
    costs = {"small": 1.0, "large": 50.0, "middle": 3.0}
    extra = {"small": 2.0, "large": 2.0, "middle": 2.0}
    chosen, dropped = affordable(costs, extra, launching=10, seconds=4 * 10 + 5 * 4 + 4)
    assert chosen == ["small", "middle"]
    assert list(dropped) == ["large"] and "252 s more than --budget leaves" in dropped["large"]
    assert affordable(costs, extra, 10, float("inf")) == (["small", "large", "middle"], {})
    assert affordable(costs, extra, 10, 0)[0] == ["small"]


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["gpt2", "t5"])
def test_generators_have_prefill_and_decode_apart(saved, model_type, tmp_path):
    found = request([saved(model_type)] * 2, batches="2", budget=1.0, memory=False)
    said: list[str] = []
    result = command.measure(found, Store.open(tmp_path / "results"), said.append)
    assert any("the budget ends before that" in line and "min or fewer models" in line for line in said)
    (cell,) = result["cells"].values()
    assert set(cell["stages"]) == {"prefill", "decode"}
    for stage in cell["stages"].values():
        for one in stage["models"].values():
            assert one["tokens_per_second"] > 0
            supported = {"p50"} | {
                name for name, calls in (("p90", 29), ("p95", 59), ("p99", 299)) if one["calls"] >= calls
            }
            assert set(one["latency"]) == supported
    assert "time to the first token: no ratio" in measurement_text(
        facts_from(MeasurementFacts, result, "a measurement")
    )
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_models_that_do_different_things_are_refused(saved):
    from harness.measurement.job import perform

    with pytest.raises(HarnessError, match="do different things"):
        perform(request([saved("bert"), saved("gpt2")], memory=False))


def test_the_verdict_line():
    ratio = {"value": 1.434, "low": 1.38, "high": 1.48}
    valid = {"verdict": "VALID", "counts": True, "reason": "", "note": ""}
    timed = {"seconds": 0.01}
    stage = {
        "verdict": valid,
        "a_a": {**ratio, "value": 1.012},
        "models": {"a": timed, "b": {**timed, "speed_ratio": ratio, "verdict": valid}},
    }
    size = {"fingerprint": "files", "size": {"bytes": 1}}
    content = {
        "verdict": "VALID",
        "models": {"a": {"role": "original", **size}, "b": {"role": "candidate", **size}},
        "cells": {"8 × 128": {"batch": 8, "length": 128, "stages": {"forward": stage}}},
    }
    result = facts_from(MeasurementFacts, content, "a measurement")
    assert verdict_lines(result) == ["b is 1.43× [1.38, 1.48] as fast as a at batch 8 × 128 (VALID, A/A 1.01)"]
