"""Models scored on other data than they were trained on, through the command line, on cheap models."""

from __future__ import annotations

import csv
from functools import partial

import pytest

from harness.core.predictions import PREDICTIONS, read_logits
from harness.core.store import Store
from tests.conftest import call_harness, read_json

TWO_FROM_THREE = ("--label-map", "neutral=not_entailment", "--label-map", "contradiction=not_entailment")
ACROSS = (
    *("run", "--task", "mnli", "--eval-on", "rte", *TWO_FROM_THREE, "--model", "tfidf", "--model", "majority"),
    *("--limit", "300", "--seeds", "2"),
)
WORDS = ["fine", "awful", "grand", "dull", "warm", "cold"]


def rows(kinds: tuple[str, str], count: int, shift: int = 0) -> list[tuple[str, str]]:
    """Texts whose first word tells the class."""
    return [(f"{WORDS[(n + shift) % 6]} day {n}", kinds[(n + shift) % 2]) for n in range(count)]


def write(path, header, body):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *body])
    return str(path)


@pytest.fixture(scope="module")
def across(machine_cache, tmp_path_factory):
    """The command line in the folder of one finished run, and what that printed."""
    call = partial(call_harness, tmp_path_factory.mktemp("other-data"), machine_cache)
    return call, call(*ACROSS)


def scores(harness):
    records = read_json(harness("show", "--json").stdout)["scores"]
    return {(one["task"]["name"], one["model"]["name"], one["split"], one["seed"]): one for one in records}


def test_one_fit_is_scored_on_both_tasks_and_the_record_says_so(across):
    harness, _ = across
    result = read_json(harness("show", "--json").stdout)
    fits = [cell for cell in result["cells"] if cell["kind"] == "finetune"]
    assert {cell["task"] for cell in fits} == {"mnli"}
    by_task = scores(harness)
    other = by_task["rte@mnli", "tfidf", "dev", 0]
    assert other["task"]["train_on"] == "mnli"
    assert other["lineage"]["finetune"] == by_task["mnli", "tfidf", "dev_matched", 0]["lineage"]["finetune"]
    assert other["data"]["trained_on"] == by_task["mnli", "tfidf", "dev_matched", 0]["data"]["trained_on"]
    assert "train_on" not in by_task["mnli", "tfidf", "dev_matched", 0]["task"]


def test_other_tasks_are_diagnostics_and_their_table_follows(across):
    harness, first = across
    assert "rte@mnli †" in first.stdout
    assert "### out of distribution on synthetic data, generated: not GLUE" in first.stdout
    (table,) = read_json(harness("leaderboard", "--format", "json").stdout)["tables"]
    assert table["averaged"] == ["mnli"]


def test_the_change_is_of_the_same_models_with_an_interval_of_both_scores(across):
    harness, _ = across
    (table,) = read_json(harness("leaderboard", "--out-of-distribution", "--format", "json").stdout)["tables"]
    by_model = {row["model"]: row for row in table["rows"]}
    assert set(by_model) == {"tfidf", "majority"}
    by_task = scores(harness)
    for model, row in by_model.items():
        assert (row["task"], row["trained_on"]) == ("rte@mnli", "mnli")
        inside = [
            by_task["mnli", model, split, 0]["scores"]["accuracy"]["value"]
            for split in ("dev_matched", "dev_mismatched")
        ]
        outside = by_task["rte@mnli", model, "dev", 0]["scores"]["accuracy"]["value"]
        assert row["change"]["value"] == pytest.approx(outside - sum(inside) / 2)
        assert row["change"]["low"] < row["change"]["value"] < row["change"]["high"]


def test_probabilities_of_classes_that_become_one_are_added(across):
    harness, _ = across
    store = Store(harness.args[0] / "results")
    keys = {
        cell.task: cell.cell for cell in store.run("latest").cells if cell.kind == "score" and cell.model == "tfidf"
    }
    record = store.read(keys["rte@mnli"]).as_json()
    assert record["label_map"] == {
        "entailment": "entailment", "neutral": "not_entailment", "contradiction": "not_entailment"
    }  # fmt: skip
    _, labels, logits = read_logits(store.file(keys["rte@mnli"], PREDICTIONS))
    assert logits.shape[1] == 2
    assert set(labels) == {0, 1}


def test_the_same_task_of_another_file_is_other_data(harness, tmp_path):
    train = write(tmp_path / "a.csv", ["text", "label"], rows(("good", "bad"), 80))
    other = write(tmp_path / "b.csv", ["text", "label"], rows(("good", "bad"), 40, 1))
    lacking = write(
        tmp_path / "c.csv", ["text", "label"], [row for row in rows(("good", "bad"), 80) if row[1] == "bad"]
    )
    for file, count in ((other, 40), (lacking, 40)):
        harness(
            "run", "--task", "text-classification", "--data", train, "--eval-on", f"text-classification={file}",
            "--model", "tfidf", "--quiet",
        )  # fmt: skip
        record = scores(harness)["text-classification@text-classification", "tfidf", "test", 0]
        assert record["n"] == count
        assert record["scores"]["accuracy"]["value"] > 0.5


def test_classes_are_matched_by_the_aliases_of_either_task(harness, tmp_path):
    body = rows(("pos", "neg"), 60)
    reviews = write(tmp_path / "reviews.csv", ["text", "label"], body)
    data = tmp_path / "glue" / "SST-2"
    data.mkdir(parents=True)
    for split, part in (("train", rows(("1", "0"), 90)), ("dev", rows(("1", "0"), 30, 2))):
        lines = ["sentence\tlabel", *(f"{text}\t{label}" for text, label in part)]
        (data / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    harness(
        "run", "--task", "sst2", "--data", tmp_path / "glue", "--eval-on", f"mr={reviews}", "--model", "tfidf",
        "--noise", "case", "--quiet",
    )  # fmt: skip
    by_task = scores(harness)
    assert by_task["mr@sst2", "tfidf", "test", 0]["scores"]["accuracy"]["value"] == 1.0
    assert by_task["mr@sst2+case", "tfidf", "test", 0]["task"]["train_on"] == "sst2"
    (table,) = read_json(harness("leaderboard", "--out-of-distribution", "--format", "json").stdout)["tables"]
    assert {row["task"] for row in table["rows"]} == {"mr@sst2", "mr@sst2+case"}


def test_finished_models_are_scored_on_other_data_too(harness, trained, tmp_path):
    folder = trained("bert", "sst2", 60).folder
    reviews = write(tmp_path / "reviews.csv", ["text", "label"], rows(("pos", "neg"), 40))
    harness("evaluate", folder, "--task", "sst2", "--eval-on", f"mr={reviews}", "--limit", "60", "--quiet")
    (table,) = read_json(harness("leaderboard", "--out-of-distribution", "--format", "json").stdout)["tables"]
    (row,) = table["rows"]
    assert (row["task"], row["trained_on"], row["outside_n"]) == ("mr@sst2", "sst2", 40)
    assert 0 <= row["detection"]["value"] <= 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--eval-on", "mnli"], "--eval-on mnli: the run trains on it"),
        (["--eval-on", "stsb"], "stsb is similarity of text, text_pair, mnli is nli of premise, hypothesis"),
        (["--eval-on", "rte"], "those of task rte@mnli are entailment, not_entailment"),
        (["--eval-on", "ret"], "unknown task 'ret' in --eval-on ret. Did you mean 'rte'"),
        (["--eval-on", "rte+typos"], "--eval-on rte+typos: give the task alone, rte"),
        (["--eval-on", "rte", "--eval-on", "rte=hub"], "eval_on: rte is given twice"),
        (["--eval-on", "rte", "--folds", "3"], "folds and eval_on"),
        (["--eval-on", "rte=no/folder"], "no such folder or file: no/folder"),
        (["--eval-on", "rte", "--label-map", "neutrl=not_entailment"], "no model of the run has a class neutrl"),
    ],
)
def test_what_cannot_be_is_one_line(harness, more, said):
    result = harness("run", "--task", "mnli", "--model", "majority", "--limit", "40", *more, code=None)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_task_that_has_no_training_data_keeps_its_name(harness):
    result = harness("run", "--task", "mnli", "--model", "majority", "--limit", "40", "--eval-on", "ax")
    assert "ax †" in result.stdout
    assert "ax@" not in result.stdout
    missing = harness("leaderboard", "--out-of-distribution", code=None)
    assert missing.returncode == 2, "ax has another metric than mnli"
    assert "--eval-on TASK" in missing.stderr


def test_selective_answers_are_of_stored_predictions(across):
    harness, _ = across
    text = harness("leaderboard", "--selective").stdout
    assert "accuracy at 80 %" in text
    content = read_json(harness("leaderboard", "--selective", "--format", "json").stdout)
    rows = {(row["task"], row["split"], row["model"]): row for table in content["tables"] for row in table["rows"]}
    assert {task for task, _, _ in rows} == {"mnli", "rte@mnli"}
    row = rows["rte@mnli", "dev", "tfidf"]
    assert len(row["accuracies"]) == len(content["coverages"]) == 3
    assert row["curve"][-1] == pytest.approx([1.0, 1 - row["accuracy"]])
    assert row["aurc"]["low"] <= row["aurc"]["value"] <= row["aurc"]["high"]
    assert rows["rte@mnli", "dev", "majority"]["auroc"]["value"] == 0.5


def test_the_worst_class_and_length_are_named(across):
    harness, _ = across
    (table,) = read_json(harness("leaderboard", "--worst-group", "--format", "json").stdout)["tables"]
    rows = {(row["task"], row["split"], row["model"], row["by"]): row for row in table["rows"]}
    constant = rows["rte@mnli", "dev", "majority", "class"]
    assert constant["groups"][0]["score"]["value"] == 0
    assert constant["groups"][1]["score"]["value"] == 1
    assert sum(group["n"] for group in constant["groups"]) == constant["n"]
    lengths = rows["mnli", "dev_matched", "tfidf", "length"]
    assert sum(group["n"] for group in lengths["groups"]) + sum(n for _, n in lengths["too_small"]) == lengths["n"]
    assert "Wilson's at 1 − 0.05 / k" in harness("leaderboard", "--worst-group").stdout


def test_the_page_shows_other_data_curves_and_worst_groups(across):
    harness, _ = across
    harness("leaderboard", "--html", "page.html")
    page = (harness.args[0] / "page.html").read_text()
    for tab in ("other_data", "selective", "groups"):
        assert f'id="tab-{tab}"' in page
    assert "coverage: answered, most confident first" in page


def test_a_folder_of_several_tasks_holds_the_other_one_under_its_own_name(harness, tmp_path):
    for name, words in (("mr", ("pos", "neg")), ("imdb", ("pos", "neg"))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for split in ("train", "test"):
            write(tmp_path / "data" / name / f"{split}.csv", ["text", "label"], rows(words, 40))
    harness("run", "--task", "mr", "--data", tmp_path / "data", "--eval-on", "imdb", "--model", "tfidf", "--quiet")
    assert scores(harness)["imdb@mr", "tfidf", "test", 0]["scores"]["accuracy"]["value"] == 1.0
    harness("run", "--task", "imdb@mr", "--data", tmp_path / "data", "--model", "tfidf", "--quiet")
    assert set(scores(harness)) == {("imdb@mr", "tfidf", "test", 0)}
    result = harness("run", "--task", "imdb@mrpcc", "--model", "tfidf", code=2)
    assert "or the task whose model is scored. Did you mean 'mrpc'?" in result.stderr
