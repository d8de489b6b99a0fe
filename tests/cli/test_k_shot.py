"""Few examples of each class: draws, published draws, and the curve by their number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import read_json

TASK = """
name: moods
family: classification
fields: {text: sentence1, label: label}
labels: [sad, glad]
sources: {folder: {folder: moods, files: {train: moods_train_0_2.json, dev: moods_eval.json}, draws: "moods_train_{draw}_{k}.json"}}
metrics: [accuracy]
"""
WORDS = {"sad": ["grey", "cold", "slow", "lost"], "glad": ["bright", "warm", "quick", "found"]}
FEW_MOODS = (
    "run", "--task", "moods", "--include", "moods.yaml", "--data", "data", "--model", "tfidf", "--k-shot", "2",
)  # fmt: skip


def rows(*words: str) -> list[dict[str, str]]:
    label = {word: mood for mood, of_mood in WORDS.items() for word in of_mood}
    return [{"sentence1": f"a {word} day", "label": label[word], "processed_sent": "[CLS]"} for word in words]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "moods"
    folder.mkdir(parents=True)
    files = {
        "moods_train_0_2": rows("grey", "cold", "bright", "warm"),
        "moods_train_1_2": rows("slow", "lost", "quick", "found"),
        "moods_train_0_3": rows("grey", "cold", "slow", "bright", "warm", "quick"),
        "moods_train_1_3": rows("cold", "slow", "lost", "warm", "quick", "found"),
        "moods_eval": rows("lost", "found", "grey", "bright", "slow", "quick", "cold", "warm"),
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "moods.yaml").write_text(TASK)
    return folder


def test_each_draw_is_a_model_of_its_own_and_the_curve_is_by_examples_of_a_class(harness, tmp_path):
    command = ("run", "--task", "sst2", "--task", "stsb", "--model", "tfidf", "--k-shot", "2,30", "--draws", "3")
    result = read_json(harness(*command, "--json").stdout)
    cells = [(cell["k_shot"], cell["seed"]) for cell in result["cells"] if cell["kind"] == "score"]
    assert cells == [(k, draw) for k in (2, 30) for draw in range(3)]
    values = {
        (score["data"]["k_shot"], score["seed"]): score["scores"]["accuracy"]["value"] for score in result["scores"]
    }
    means = {k: sum(values[k, draw] for draw in range(3)) / 3 for k in (2, 30)}
    assert means[2] < means[30]
    assert (
        "stsb: --k-shot draws so many examples of each class, and similarity has no classes" in harness(*command).stderr
    )
    shown = harness("leaderboard", "--by-fraction").stdout
    assert "| average ×100 by examples of each class | draws | 2 | 30 |" in shown
    assert f"{100 * means[30]:.1f} ± " in shown
    (curves,) = read_json(harness("leaderboard", "--by-fraction", "--format", "json").stdout)
    assert curves["k_shot"] == [2, 30]
    assert curves["curves"][0]["by_k_shot"]["2.0"]["value"] == pytest.approx(means[2])
    titles = [table["title"] for table in read_json(harness("leaderboard", "--format", "json").stdout)["tables"]]
    assert sorted("trained on 2 a class" in title for title in titles) == [False, True]
    assert "by examples of each class" not in harness("leaderboard").stdout
    harness("leaderboard", "--html", "page.html")
    assert '"x":"examples of each class"' in (tmp_path / "page.html").read_text()


def test_a_run_trains_on_the_published_draws(harness, published):
    command = ("run", "--task", "moods", "--include", "moods.yaml", "--data", "data", "--model", "tfidf", "--json")
    result = read_json(harness(*command, "--k-shot", "2,3", "--draws", "2", "--limit", "6").stdout)
    accuracy = {(score["data"]["k_shot"], score["seed"]): score for score in result["scores"]}
    assert sorted(accuracy) == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert {score["n"] for score in result["scores"]} == {6}
    assert accuracy[3, 1]["scores"]["accuracy"]["value"] > accuracy[2, 0]["scores"]["accuracy"]["value"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--k-shot", "5"), "--k-shot 5: task moods has no draw 0 of 5 examples a class; published are 2, 3 examples"),
        (("--k-shot", "2"), "task moods has no draw 2 of 2 examples a class"),
        ((), "its training examples are published draws of 2, 3 examples a class; say which to train on"),
        (("--train-fractions", "0.5"), "its training examples are published draws"),
    ],
)
def test_what_was_not_published_is_refused(options, message, harness, published):
    command = ("run", "--task", "moods", "--include", "moods.yaml", "--data", "data", "--model", "tfidf")
    assert message in harness(*command, *options, code=2).stderr


def test_a_task_without_its_evaluation_file_is_absent(harness, published):
    (published / "moods_eval.json").unlink()
    assert "no moods_eval.json for the split 'dev'" in harness(*FEW_MOODS, code=2).stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--k-shot", "0"), "k_shot.0: input should be greater than or equal to 1"),
        (("--k-shot", "4,many"), "k_shot.1"),
        (("--k-shot", "4000"), "--k-shot 4000: task sst2 has 1491 examples of negative in train; take fewer"),
        (("--k-shot", "4", "--seeds", "3"), "each draw has a seed of its own; give draws in place of seeds"),
        (("--k-shot", "4", "--train-fractions", "0.1"), "k_shot and train_fractions: give one or the other"),
        (("--k-shot", "4", "--folds", "3"), "k_shot and folds: give one or the other"),
        (("--k-shot", "4", "--no-train"), "k_shot goes with models that are trained"),
        (("--draws", "4"), "draws goes with k_shot"),
    ],
)
def test_what_does_not_go_with_few_examples_is_one_line(options, message, harness):
    stderr = harness("run", "--task", "sst2", "--model", "tfidf", *options, code=2).stderr
    assert message in stderr and stderr.count("\n") == 1


def test_a_pattern_of_draws_names_both_numbers(harness, published, tmp_path):
    (tmp_path / "moods.yaml").write_text(TASK.replace("{draw}_{k}", "{draw}"))
    assert "give a file name with {k} and {draw} in it" in harness(*FEW_MOODS, code=2).stderr
