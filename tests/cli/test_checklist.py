"""A checklist from the command line: the model of another task on examples made of templates."""

from __future__ import annotations

from tests.conftest import read_json


def test_the_model_of_a_task_is_scored_on_its_checklist(harness):
    done = harness("run", "--suite", "checklist-sentiment", "--model", "tfidf", "--limit", "300")
    assert "checklist-sentiment-negation" in done.stdout
    shown = read_json(harness("show", "--json").stdout)
    assert {score["task"]["name"].rpartition("-")[2] for score in shown["scores"]} == {
        "vocabulary", "negation", "temporal", "roles",
    }  # fmt: skip
    assert sum(cell["kind"] == "finetune" for cell in shown["cells"]) == 1
    again = harness("run", "--suite", "checklist-sentiment", "--model", "tfidf", "--limit", "300")
    assert "5 cells: 5 cached" in again.stderr
