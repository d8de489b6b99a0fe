"""Model cards: what the hub's own reader finds in them, and what a person reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from harness.core.errors import HarnessError
from harness.core.store import Store
from harness.report.export.model_card import make_card, write_card
from harness.report.export.source import find_model
from tests.conftest import read_json


@pytest.fixture(scope="module")
def store(small_run) -> Store:
    return Store(small_run[1] / "results")


def card_of(store: Store, asked: str) -> ModelCard:
    return make_card(store, find_model(store, "latest", asked), "apache-2.0")


def test_the_hubs_reader_finds_every_score_with_its_interval(store, tmp_path, small_run):
    file = write_card(card_of(store, "tfidf"), tmp_path / "card")
    assert file == tmp_path / "card" / "README.md"
    data = ModelCard.load(file).data
    run = read_json(small_run[0]("show", "--json").stdout)
    expected = {
        (score["task"]["name"], score["split"], name): (one["value"], one["low"], one["high"], one["n"])
        for score in run["scores"]
        if score["model"]["name"] == "tfidf"
        for name, one in score["scores"].items()
    }
    found = {
        (one.dataset_type, one.dataset_split, one.metric_name): (
            one.metric_value, one.metric_args["low"], one.metric_args["high"], one.metric_args["n"],
        )
        for one in data.eval_results
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values)
    assert {one.metric_type for one in data.eval_results} == {"matthews_correlation", "pearsonr", "spearmanr"}
    assert data.license == "apache-2.0"
    assert data.model_name == "tfidf"
    assert data.pipeline_tag == "text-classification"


def test_a_card_of_one_task_is_of_that_task_alone(store):
    data = card_of(store, "tfidf:cola").data
    assert [one.dataset_type for one in data.eval_results] == ["cola"]
    assert "stsb" not in str(card_of(store, "tfidf:cola")).replace("cola-stsb", "")


def test_the_text_tells_n_the_interval_the_lineage_and_that_the_data_is_generated(store):
    text = str(card_of(store, "tfidf:cola"))
    record = find_model(store, "latest", "tfidf:cola").first("cola")
    assert f"finetune {record.lineage.finetune[:12]} → score {record.cell[:12]}" in text
    assert "Trained and scored on generated data" in text
    score = record.scores["matthews_correlation"]
    assert f"[{100 * score.low:.1f}, {100 * score.high:.1f}]" in text
    assert record.data.fingerprint[:12] in text
    tokens = MarkdownIt("commonmark").enable("table").parse(text.split("---\n", 2)[2])
    assert sum(token.type == "table_open" for token in tokens) == 3


def test_a_folder_with_somebodys_readme_is_left_alone(store, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(HarnessError, match=r"is no model card .* name a file"):
        write_card(card_of(store, "tfidf"), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    write_card(card_of(store, "tfidf"), tmp_path / "card.md")
    write_card(card_of(store, "majority"), tmp_path / "card.md")
    assert ModelCard.load(tmp_path / "card.md").data.model_name == "majority"


def test_names_that_users_chose_are_text_and_paths_stay_private(store):
    model = find_model(store, "latest", "tfidf:cola")
    record = model.first("cola")
    notes = ["<script>alert(1)</script>\n---\ntags: [x]"]
    changes = {"source": "folder", "location": "/home/somebody/secret/CoLA", "notes": notes}
    record = record.model_copy(update={"data": record.data.model_copy(update=changes)})
    model = replace(model, records={"cola": [record]})
    text = str(make_card(store, model, None))
    assert "somebody" not in text
    assert "folder CoLA" in text
    assert "<script>" not in text.replace(r"\<script\>", "")
    assert text.count("\n---\n") == 1


def test_the_command_says_what_it_needs(small_run):
    call = small_run[0]
    assert "--output DIR" in call("export", "model-card", "tfidf", code=2).stderr
    assert "Did you mean 'tfidf'" in call("export", "model-card", "tfidff", "-o", "x.md", code=2).stderr
    assert "Did you mean 'cola'" in call("export", "model-card", "tfidf:colla", "-o", "x.md", code=2).stderr
    assert "--public goes with --push" in call("export", "model-card", "tfidf", "-o", "x.md", "--public", code=2).stderr
    assert not Path(small_run[1] / "x.md").exists()
