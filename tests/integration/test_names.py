"""What a model is called belongs to the run: equal content is computed once, and shown under each name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

import harness

RECIPE = {
    "learner": "transformer",
    "config": {
        "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 64,
    },
    "tokenizer": {"kind": "wordpiece", "vocab_size": 300},
    "training": {"epochs": 1, "learning_rate": 0.001, "precision": "fp32"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch, machine_cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))


def write_recipes(folder: Path, *names: str, **changes: object) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **RECIPE, **changes}), "utf-8")


def records(root: str = "results") -> list[dict]:
    return [json.loads(path.read_text("utf-8")) for path in Path(root).glob("cells/*/*/record.json")]


def rows(run: harness.RunResult) -> dict[str, float]:
    return {score.model: score.value for score in run.scores}


def test_a_recipe_under_two_names_is_two_rows_computed_once():
    write_recipes(Path("mine"), "one", "two")
    run = harness.run(task="sst2", models=["one", "two"], limit=40, include=["mine"])
    assert list(rows(run)) == ["one", "two"] and len(set(rows(run).values())) == 1
    assert sorted(record["kind"] for record in records()) == ["finetune", "score"], "each computed once"
    table = run.to_markdown()
    assert "| one" in table and "| two" in table
    for record in records():
        assert not {"name", "id", "overrides"} & set(record["model"]), "the record knows no name"


def test_a_name_that_comes_later_finds_what_is_there():
    write_recipes(Path("mine"), "one", "two")
    first = harness.run(task="sst2", models="one", limit=40, include=["mine"])
    second = harness.run(task="sst2", models="two", limit=40, include=["mine"])
    assert rows(second) == {"two": rows(first)["one"]} and len(records()) == 2
    everything = harness.load_results("results")
    assert {score.model for score in everything.scores} == {"one", "two"}


def test_two_folders_of_equal_bytes_are_two_rows_computed_once():
    write_recipes(Path("mine"), "one")
    made = harness.run(task="sst2", models="one", limit=40, include=["mine"]).model("one", "sst2")
    shutil.copytree(made, "a")
    shutil.copytree(made, "b")
    run = harness.evaluate(["a", "b"], task="sst2", limit=40)
    assert list(rows(run)) == ["a", "b"] and len({score.cell for score in run.scores}) == 1


def test_random_init_controls_of_equal_content_share_one_fine_tuning():
    pretraining = {"steps": 2, "corpus": "synthetic", "sentences": 200, "block_size": 16, "batch_size": 4}
    tokenizer = {**RECIPE["tokenizer"], "corpus": "pretraining"}  # type: ignore[dict-item]
    objectives = {"masked": {"objective": "mlm"}, "masked-again": {"objective": "mlm"}}
    for name, objective in objectives.items():
        write_recipes(Path("mine"), name, tokenizer=tokenizer, pretraining={**pretraining, **objective})
    run = harness.run(task="sst2", models=list(objectives), limit=40, include=["mine"], from_scratch=True)
    assert set(rows(run)) == {"masked", "masked-again", "masked-scratch", "masked-again-scratch"}
    assert sum(record["kind"] == "finetune" for record in records()) == 2, "one of the pretrained, one of the control"


def test_compressed_models_of_equal_originals_are_two_rows_as_well():
    write_recipes(Path("mine"), "one", "two")
    run = harness.run(task="sst2", models=["one", "two"], limit=40, include=["mine"], compress=["prune-magnitude:0.5"])
    assert set(rows(run)) == {"one", "one+prune-magnitude:0.5", "two", "two+prune-magnitude:0.5"}
    assert sum(record["kind"] == "compress" for record in records()) == 1


@pytest.mark.slow
def test_other_content_under_one_name_is_another_row():
    write_recipes(Path("mine"), "one")
    harness.run(task="sst2", models="one", limit=40, include=["mine"])
    harness.run(task="sst2", models="one", limit=40, include=["mine"], epochs=2)
    table = harness.load_results("results").to_markdown()
    assert "one (epochs=2)" in table
