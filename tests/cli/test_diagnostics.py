"""Scores under noise and calibration, through the command line, on cheap models."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conftest import call_harness, read_json

NOISY = (
    *("run", "--task", "cola", "--task", "stsb", "--task", "mnli", "--model", "majority", "--model", "tfidf"),
    *("--limit", "200", "--noise", "typos", "--noise", "case"),
)


@pytest.fixture(scope="module")
def noisy_run(machine_cache, tmp_path_factory):
    """The command line in the folder of one finished run under noise, and what that printed."""
    call = partial(call_harness, tmp_path_factory.mktemp("noisy-run"), machine_cache)
    return call, call(*NOISY)


@pytest.mark.slow
def test_tasks_are_scored_under_noise_with_the_models_of_the_clean_ones(noisy_run):
    harness, _ = noisy_run
    result = read_json(harness("show", "--json").stdout)
    assert [cell["task"] for cell in result["cells"] if cell["kind"] == "finetune"] == [
        task for task in ("cola", "stsb", "mnli") for _ in range(2)
    ]
    fits = {
        (one["task"]["name"], one["model"]["name"], one["split"]): one["lineage"]["finetune"]
        for one in result["scores"]
    }
    assert fits["cola+typos", "tfidf", "dev"] == fits["cola", "tfidf", "dev"]
    assert fits["mnli+case", "majority", "dev_mismatched"] == fits["mnli", "majority", "dev_mismatched"]
    by_name = {(one["task"]["name"], one["model"]["name"]): one for one in result["scores"]}
    clean, noisy = by_name["cola", "tfidf"], by_name["cola+typos", "tfidf"]
    assert noisy["task"]["noise"] == "typos"
    assert noisy["data"]["splits"]["dev"]["clean"] == clean["data"]["splits"]["dev"]["fingerprint"]
    assert noisy["data"]["fingerprint"] != clean["data"]["fingerprint"]
    assert "dev: typos in " in " ".join(noisy["data"]["notes"])
    assert by_name["cola+typos", "majority"]["scores"] == by_name["cola", "majority"]["scores"]


@pytest.mark.slow
def test_noisy_tasks_are_diagnostics_and_cached_like_any(noisy_run):
    harness, first = noisy_run
    assert "cola+typos †" in first.stdout
    assert "mnli+case †" in first.stdout
    (table,) = read_json(harness("leaderboard", "latest", "--format", "json").stdout)["tables"]
    assert table["averaged"] == ["cola", "stsb", "mnli"]
    assert {column["task"] for column in table["columns"] if column["diagnostic"]} == {
        f"{task}+{noise}" for task in ("cola", "stsb", "mnli") for noise in ("typos", "case")
    }
    again = harness("run", "--task", "cola+typos", "--model", "tfidf", "--limit", "200")
    assert "2 cells: 2 cached" in again.stderr


@pytest.mark.slow
def test_runs_with_and_without_noise_are_one_table(noisy_run):
    harness, _ = noisy_run
    harness(*NOISY[: NOISY.index("--noise")], "--quiet")
    tables = [
        table
        for table in read_json(harness("leaderboard", "--format", "json").stdout)["tables"]
        if table["averaged"] == ["cola", "stsb", "mnli"]
    ]
    assert len(tables) == 1
    assert "cola+typos" in [column["task"] for column in tables[0]["columns"]]


@pytest.mark.slow
def test_robustness_shows_what_scores_lose(noisy_run):
    harness, _ = noisy_run
    text = harness("leaderboard", "--robustness").stdout
    assert text.startswith("### robustness on synthetic data, generated: not GLUE")
    (table,) = read_json(harness("leaderboard", "--robustness", "--format", "json").stdout)["tables"]
    assert table["noises"] == ["typos", "case"]
    rows = {(row["task"], row["model"]): row for row in table["rows"]}
    assert set(rows) == {
        (task, model) for task in ("average of 3", "cola", "stsb", "mnli") for model in ("majority", "tfidf")
    }
    for (_, model), row in rows.items():
        for under in row["noises"].values():
            change = under["change"]
            assert change["low"] <= change["value"] <= change["high"]
            assert change["value"] == pytest.approx(under["score"]["value"] - row["clean"]["value"])
            if model == "majority":
                assert (change["low"], change["high"]) == (0, 0)
    assert rows["stsb", "tfidf"]["noises"]["typos"]["change"]["value"] < 0
    assert rows["mnli", "tfidf"]["n"] == 400


@pytest.mark.slow
def test_calibration_is_of_classes_only(noisy_run):
    harness, _ = noisy_run
    text = harness("leaderboard", "--calibration").stdout
    assert text.startswith("### calibration on synthetic data, generated: not GLUE")
    assert "mnli+case dev_mismatched" in text
    (table,) = read_json(harness("leaderboard", "--calibration", "--format", "json").stdout)["tables"]
    assert {row["task"].partition("+")[0] for row in table["rows"]} == {"cola", "mnli"}
    scores = read_json(harness("show", "--json").stdout)["scores"]
    accuracy = {
        (one["task"]["name"], one["model"]["name"], one["split"]): one["scores"]["accuracy"]["value"]
        for one in scores
        if "accuracy" in one["scores"]
    }
    for row in table["rows"]:
        for state in (row["before"], row["after"]):
            for name in ("ece", "brier", "nll"):
                assert 0 <= state[name]["low"] <= state[name]["value"] <= state[name]["high"]
        if row["task"] == "mnli":
            assert row["accuracy"] == accuracy[row["task"], row["model"], row["split"]]
        if row["model"] == "majority":
            assert row["before"]["nll"]["value"] < 1.2


@pytest.mark.slow
def test_wrong_names_and_flags_are_one_line(noisy_run):
    harness, _ = noisy_run
    for command, said in (
        (["run", "--task", "cola", "--noise", "tipos"], "unknown noise 'tipos' in --noise. Did you mean 'typos'?"),
        (["run", "--task", "cola+cases"], "unknown noise 'cases' in task 'cola+cases'. Did you mean 'case'?"),
        (["run", "--task", "squad+case"], "ask for squad"),
        (
            ["run", "--task", "squad", "--noise", "case"],
            "--noise case: no task of the run has texts and answers with a class",
        ),
        (["leaderboard", "--robustness", "--calibration"], "give one of --by-fraction, --robustness"),
        (["leaderboard", "--robustness", "--format", "csv"], "--robustness comes as markdown or json, not csv"),
    ):
        done = harness(*command, code=2)
        assert len(done.stderr.strip().splitlines()) == 1
        assert said in done.stderr


def test_views_say_what_they_lack(harness):
    harness("run", "--task", "stsb", "--model", "majority", "--limit", "50", "--quiet")
    assert "run its tasks with --noise typos" in harness("leaderboard", "--robustness", code=2).stderr
    assert "no task with classes, labels" in harness("leaderboard", "--calibration", code=2).stderr
