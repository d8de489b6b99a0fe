"""`harness leaderboard --ranks`, and the ranks on the page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.core.record_index import RecordIndex
from harness.core.store import Store
from harness.report.tables import ranks
from harness.report.tables.leaderboard import build
from harness.report.text.runs import scored_runs, suites_of
from tests.conftest import Harness, call_harness, read_json


@pytest.fixture(scope="module")
def place(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Harness, Path]:
    """Two models that are far apart, and one that is another under another name."""
    folder = tmp_path_factory.mktemp("ranks")
    call = partial(call_harness, folder, machine_cache)
    (folder / "twice").mkdir()
    (folder / "twice" / "again.yaml").write_text("name: again\nlearner: tfidf\noptions: {C: 3.9}\n")
    call(
        "run",
        "--task",
        "sst2",
        "--task",
        "qqp",
        "--model",
        "tfidf",
        "--model",
        "majority",
        "--model",
        "again",
        "--include",
        "twice",
        "--limit",
        "300",
        "-q",
    )
    return call, folder


def test_what_the_data_do_not_separate_shares_ranks_and_a_letter(place):
    call, _ = place
    (ranking,) = read_json(call("leaderboard", "--ranks", "-f", "json").stdout)["rankings"]
    rows = {row["model"]: row for row in ranking["models"]}
    assert ranking["by"] == "average" and ranking["tests"] == 3 and ranking["unpaired"] == 0 and ranking["n"] == 600
    assert {rows["tfidf"]["groups"], rows["again"]["groups"]} == {"a"}
    assert (rows["tfidf"]["lowest"], rows["tfidf"]["highest"]) == (1, 2)
    assert (rows["majority"]["lowest"], rows["majority"]["highest"], rows["majority"]["groups"]) == (3, 3, "b")
    first, second, last = ranking["models"]
    assert first["p"] >= 0.05 > second["p"] and last["gap"] is None
    assert second["needed"] is not None and second["needed"] < 600
    assert first["needed"] is None or first["needed"] > 600


def test_the_table_says_what_was_tested_and_how_many_examples_would_do(place):
    call, _ = place
    text = call("leaderboard", "--ranks").stdout
    assert "Ranks by average" in text and "| 1–2 " in text and "examples to separate them" in text
    assert "3 pairwise tests over 600 examples, two-sided, adjusted over all of them (Holm)" in text
    assert "2 groups of 3 models." in text
    done = call("leaderboard", "--ranks", "-f", "csv", code=2)
    assert "--ranks comes as markdown or json, not csv" in done.stderr
    assert "give one of" in call("leaderboard", "--ranks", "--calibration", code=2).stderr


def test_a_single_task_is_ranked_by_itself(place):
    call, _ = place
    call(
        "run", "--task", "sst2", "--model", "tfidf", "--model", "majority", "--limit", "300", "--results", "alone", "-q"
    )
    (ranking,) = read_json(call("leaderboard", "--ranks", "-f", "json", "--results", "alone").stdout)["rankings"]
    assert ranking["by"] == "sst2" and ranking["n"] == 300
    call("run", "--task", "sst2", "--model", "tfidf", "--limit", "40", "--results", "one", "-q")
    assert "ranks need two" in call("leaderboard", "--ranks", "--results", "one", code=2).stderr


def test_without_predictions_intervals_judge_and_it_is_said(place):
    _, folder = place
    store = Store(folder / "results")
    manifests, records = scored_runs(store, RecordIndex(store), [], lambda error: None)
    (table,) = build(records, suites_of(manifests))
    (ranking,) = ranks.of_table(table, lambda by, first, other: None)
    assert ranking.unpaired == ranking.tests == 3
    assert "3 of 3 tests are of intervals alone, unpaired" in ranks.to_markdown(ranking)
    assert ranking.models[-1].model == "majority" and ranking.models[0].highest == 2
    (two,) = ranks.of_table(table, lambda by, first, other: None, most=2)
    assert two.left_out == 1 and len(two.models) == 2


def test_the_page_has_them(place):
    call, folder = place
    call("leaderboard", "--html", "page.html")
    html = (folder / "page.html").read_text()
    assert "Ranks with ties by average" in html and "1–2" in html
