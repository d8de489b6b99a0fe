"""Retrieval of generated scenes through tables, comparison and gate."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.test_items import run, written
from tests.conftest import read_json

pytest.importorskip("PIL", reason="Pillow is not installed")

OF_SCENES = ("corpus: sklearn-digits", "corpus: synthetic, sentences: 200")
TASKS = ("--task", "scenes-retrieval-fr", "--task", "scenes-captions-binding-zh", "--limit", "60")


@pytest.mark.slow
def test_retrieval_goes_through_the_leaderboard_comparison_and_gate(harness, tmp_path):
    include = written(tmp_path)
    towers = tmp_path / "towers.yaml"
    text = towers.read_text()
    towers.write_text(text.replace(*OF_SCENES))
    made = read_json(run(harness, include, *TASKS, "--model", "towers").stdout)
    scores = {score["task"]["name"]: score["scores"] for score in made["scores"]}
    retrieval = scores["scenes-retrieval-fr"]
    assert retrieval["text_retrieval_recall_1"]["chance"] == pytest.approx(1 / 30)
    assert retrieval["item_retrieval_recall_5"]["chance"] == pytest.approx(5 / 30)
    assert 1 <= retrieval["item_retrieval_median_rank"]["value"] <= 30
    assert all(score["low"] <= score["value"] <= score["high"] for score in retrieval.values())
    harness("baseline", "accept", "--name", "main")
    judged = harness("gate", "--baseline", "main").stdout
    assert "against main: passed" in judged and judged.count("IDENTICAL") >= 2
    towers.write_text(text.replace(*OF_SCENES).replace("learning_rate: 2.0e-3", "learning_rate: 1.0e-9"))
    run(harness, include, *TASKS, "--model", "towers")
    compared = harness("compare", "main", "latest").stdout
    assert "scenes-retrieval-fr (text_retrieval_recall_1, item_retrieval_recall_1)" in compared
    assert re.search(r"right→wrong, \d+ wrong→right of 60", compared), "flips"
    assert "by kind: another item first" in compared and re.search(r"was item at rank 1 of 30, now item", compared)
    harness("leaderboard", "--html", "page.html")
    data = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "page.html").read_text(), re.S)[1])
    (view,) = (view for view in data["examples"] if view["task"] == "scenes-retrieval-fr")
    assert len(view["is_right"]) == 2 and all(len(rows) == 60 for rows in view["retrieved"])
    assert all(data["shown"][shown][0] == "img" for *_, shown in view["others"])
    assert "scenes-captions-binding-zh (pair_accuracy)" in compared
