"""What of a machine a result depends on is part of its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core.machine import numerics as module
from harness.core.registry import load_registry
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, TrainingSpec
from harness.core.store import Store
from harness.pipeline.planner.plan import make_plan
from harness.pipeline.planner.precision import in_precision
from harness.report.tables.cautions import of_machines, of_precisions
from harness.report.tables.comparable import labels_of
from tests.unit.report.records import record, typed


def keys(folder: Path, **settings: Any) -> dict[tuple[str, str], str]:
    run = RunSpec(
        task=["sst2"], model=["majority", "tfidf", "bert-tiny"], limit=20, compress=["int8-weight"], **settings
    )
    plan = make_plan(run, load_registry(()), Store.open(folder))
    return {(cell.kind, cell.model): cell.key for cell in plan.cells}


def changed(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> set[str]:
    return {
        model.partition("·")[0].partition(" ")[0] for (kind, model), key in after.items() if before[kind, model] != key
    }


def test_threads_and_instructions_are_in_the_keys_of_what_computes_with_floats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(tmp_path, threads=1)
    assert keys(tmp_path, threads=1, workers=2) == before
    assert not any(model == "majority" for model in changed(before, keys(tmp_path, threads=2)))
    assert {key for key, one in keys(tmp_path, threads=2).items() if one != before[key]} == {
        key for key in before if key[1] != "majority"
    }
    monkeypatch.setattr(module, "cpu", lambda: {"model": "another", "isa": ["avx2"]})
    assert {key for key, one in keys(tmp_path, threads=1).items() if one != before[key]} == {
        key for key in before if key[1] != "majority"
    }


def test_auto_is_resolved_before_the_key_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for pays in (True, False):
        monkeypatch.setattr(module, "cpu_bf16_pays", lambda pays=pays: pays)
        run = RunSpec(task=["sst2"], model=["bert-mini"], limit=20, precision="auto")
        plan = make_plan(run, load_registry(()), Store.open(tmp_path))
        (fit,) = (cell for cell in plan.cells if cell.kind == "finetune")
        found[pays] = fit.spec["model"]["training"]["precision"], fit.job.model_spec.training.precision, fit.key
    assert found[True][:2] == ("bf16", "bf16") and found[False][:2] == ("fp32", "fp32")
    assert found[True][2] != found[False][2]


def test_auto_is_fp32_for_a_narrow_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a spec's own width, and of that of the checkpoint it starts from."""
    monkeypatch.setattr(module, "cpu_bf16_pays", lambda: True)
    narrow, wide = tmp_path / "narrow", tmp_path / "wide"
    for folder, width in ((narrow, 128), (wide, 256)):
        folder.mkdir()
        shape = {"model_type": "bert", "hidden_size": width, "num_hidden_layers": 2}
        (folder / "config.json").write_text(json.dumps(shape))
    auto = TrainingSpec(precision="auto")
    tiny = load_registry(()).model_spec("bert-tiny").model_copy(update={"training": auto})
    assert in_precision(tiny).training.precision == "fp32"
    started = ModelSpec(name="started", learner="transformer", pretrained="x", training=auto)
    found = [in_precision(started, folder).training.precision for folder in (narrow, wide)]
    assert found == ["fp32", "bf16"]


def test_a_model_of_the_package_is_the_same_where_bf16_is_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for pays in (True, False):
        monkeypatch.setattr(module, "cpu_bf16_pays", lambda pays=pays: pays)
        found.append(keys(tmp_path, threads=1))
    assert found[0] == found[1]


def test_a_table_says_where_its_scores_come_from_different_machines() -> None:
    one, other = {"threads": 1, "isa": ["avx2"]}, {"threads": 2, "isa": ["avx512f"]}

    def scored(machine: dict[str, Any]) -> Any:
        return typed(record("a", "model", 0.5, machine=machine))

    assert of_machines([scored(one), scored(one), scored({}), typed(record("a", "model", 0.5))]) == ()
    (note,) = of_machines([scored(one), scored(other)])
    assert "2 kinds of machines" in note and "1 threads, avx2; 2 threads, avx512f" in note


def test_a_table_names_the_models_that_were_not_trained_in_fp32() -> None:
    def scored(model: str, *, runtime: str = "torch", **precision: str) -> Any:
        more = {"precision": precision} if precision else {}
        return [typed(record("a", model, 0.5, runtime=runtime, **more))]

    full, half = scored("full", training="fp32", scoring="fp32"), scored("half", training="bf16", scoring="fp32")
    other = scored("other", pretraining="bf16", training="fp32", scoring="fp32")
    names = {name: name for name in ("full", "half", "both", "other", "old")}
    assert of_precisions({"full": full, "tfidf": scored("tfidf", runtime="")}, names) == ()
    assert of_precisions({"full": full, "half": half, "other": other}, names) == (
        "Pretrained in bf16: other.",
        "Trained in bf16: half; others in fp32.",
    )
    (note,) = of_precisions({"both": [*half, *full], "old": scored("old")}, names)
    assert note == "Trained in bf16: both in part; others in fp32; not recorded of old."


def test_labels_say_so_where_a_table_has_both() -> None:
    def scored(name: str, key: str, floats: str, **overrides: Any) -> Any:
        return typed(record("a", name, 0.5, identity=key, overrides=overrides, precision={"training": floats}))

    def labels(*records: Any) -> list[str]:
        named = labels_of(records)
        return [named[one.model.id] for one in records]

    full, half = scored("bert", "one", "fp32"), scored("bert", "two", "bf16")
    assert labels(half) == ["bert"]
    assert labels(full, half) == ["bert", "bert (bf16)"]
    assert labels(full, scored("gpt2", "three", "bf16"))[1] == "gpt2 (bf16)"
    assert labels(full, scored("bert", "two", "bf16", precision="bf16"))[1] == "bert (precision=bf16)"
    assert labels(full, scored("bert", "four", "fp32"), half)[2] == "bert (bf16)"
