"""`harness evaluate`: finished models are scored as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ASKED = ("--task", "sst2", "--limit", "60")


@pytest.fixture
def finetuned(harness, tmp_path) -> tuple[Path, float]:
    """A model that harness trained, outside of its store, and its score."""
    said = harness("run", *ASKED, "--model", "bert-tiny", "--epochs", "1", "--out", "made", "--json").stdout
    (cell,) = [one["cell"] for one in json.loads(said)["cells"] if one["kind"] == "finetune"]
    shutil.copytree(tmp_path / "made" / "cells" / cell[:2] / cell / "model", tmp_path / "mine")
    return tmp_path / "mine", json.loads(said)["scores"][0]["scores"]["accuracy"]["value"]


def scores(printed: str) -> dict[str, float]:
    run = json.loads(printed)
    return {one["model"]["name"]: one["scores"]["accuracy"]["value"] for one in run["scores"]}


def test_a_folder_and_what_was_made_of_it_are_scored_without_training(harness, finetuned, tmp_path):
    _, expected = finetuned
    harness("compress", "mine", "--method", "int8", "-o", "small")
    found = scores(harness("evaluate", "mine", "small", *ASKED, "--json").stdout)
    assert found["mine"] == expected and set(found) == {"mine", "small"}
    kinds = [json.loads(path.read_text())["kind"] for path in (tmp_path / "results").glob("cells/*/*/record.json")]
    assert kinds == ["score", "score"]
    assert "2 cached" in harness("evaluate", "mine", "small", *ASKED).stderr


def test_a_finished_model_stands_in_one_table_with_those_that_are_trained(harness, finetuned):
    harness("evaluate", "mine", *ASKED)
    printed = harness("run", *ASKED, "--model", "majority").stdout
    assert "majority" in printed
    table = harness("leaderboard").stdout
    assert table.count("###") == 1 and "| mine" in table and "| majority" in table


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"0": "LABEL_0", "1": "LABEL_1"}, "LABEL_0, LABEL_1, which does not say which is which"),
        ({"0": "bad", "1": "good"}, "its classes are bad, good, those of task sst2 are negative, positive"),
    ],
)
def test_classes_are_matched_by_name_or_refused(harness, finetuned, names, said):
    folder, _ = finetuned
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": names, "label2id": {name: int(index) for index, name in names.items()}}
    (folder / "config.json").write_text(json.dumps(config))
    assert said in harness("evaluate", "mine", *ASKED, code=2).stderr


def test_swapped_classes_are_swapped_back(harness, finetuned):
    folder, expected = finetuned
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": config["id2label"]["1"], "1": config["id2label"]["0"]}}
    (folder / "config.json").write_text(json.dumps(config))
    assert scores(harness("evaluate", "mine", *ASKED, "--json").stdout)["mine"] == pytest.approx(1 - expected)


def test_what_is_not_finished_is_refused_in_one_line(harness):
    for models, said in [(["tfidf"], "has to be trained"), (["./nowhere"], "no such folder"), ([], "MODEL")]:
        assert said in harness("evaluate", *models, *ASKED, code=2).stderr
