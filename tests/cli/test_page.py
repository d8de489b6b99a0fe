"""`harness leaderboard --html` on a real run."""

from __future__ import annotations

import json
import re

import pytest


@pytest.fixture(scope="module")
def written(small_run):
    call, folder, _ = small_run
    said = call("leaderboard", "--html", "page.html")
    return (folder / "page.html").read_text(encoding="utf-8"), said


def data(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])


def test_a_run_becomes_one_page_with_its_scores_texts_and_lineage(written, small_run):
    html, said = written
    assert re.fullmatch(r"page\.html: 1 table, 2 models, [\d,]+ kB\n", said.stderr) and not said.stdout
    call, _, _ = small_run
    (table,) = json.loads(call("leaderboard", "--format", "json").stdout)["tables"]
    for row in table["rows"]:
        for score in row["scores"].values():
            assert f'data-order="{score["estimate"]["value"]}"' in html
    assert table["title"].partition(" (data ")[0] in html and "not GLUE" in table["title"]
    assert all(part["fingerprint"][:12] in html for part in table["columns"])


def test_examples_have_their_texts_and_the_counts_of_all_predictions(written, small_run):
    call, _, _ = small_run
    (table,) = json.loads(call("leaderboard", "--format", "json").stdout)["tables"]
    found = data(written[0])
    cola = next(view for view in found["examples"] if view["task"] == "cola")
    assert cola["labels"] == ["unacceptable", "acceptable"] and not cola["no_texts"]
    assert len(cola["ids"]) == 150 < cola["n"] and all(" " in found["texts"][row[0]] for row in cola["texts"])
    stsb = next(view for view in found["examples"] if view["task"] == "stsb")
    assert stsb["is_right"] is None and len(stsb["fields"]) == 2
    one, other = (model["right"] for model in cola["models"])
    assert one - other == cola["lost"][0][1] - cola["lost"][1][0]
    assert {model["label"] for model in cola["models"]} == {row["label"] for row in table["rows"]}


def test_losses_of_fine_tuning_are_drawn_step_by_step_for_the_first_seed(harness, reviews, tmp_path):
    import pyarrow.parquet as pq

    asked = ("--task", "text-classification", "--data", reviews, "--model", "bert-tiny", "--model", "tfidf")
    harness("run", *asked, "--epochs", "3", "--seeds", "2")
    harness("leaderboard", "--html", "page.html")
    charts = data((tmp_path / "page.html").read_text(encoding="utf-8"))["charts"]
    ((line,),) = [one["lines"] for key, one in charts.items() if key.startswith("losses-")]
    assert line["label"] == "bert-tiny, seed 0"
    cells = json.loads(harness("show", "--json").stdout)["cells"]
    keys = [one["cell"] for one in cells if (one["kind"], one["model"]) == ("finetune", "bert-tiny")]
    records = [
        json.loads(path.read_text()) for key in keys for path in tmp_path.glob(f"results/cells/*/{key}/record.json")
    ]
    made = {one["seed"]: one for one in records}
    curve = pq.read_table(*tmp_path.glob(f"results/cells/*/{made[0]['cell']}/losses.parquet"))
    assert curve.column("step").to_pylist() == list(range(1, made[0]["fit"]["steps"] + 1))
    assert [point[1] for point in line["points"]] == pytest.approx(curve.column("loss").to_pylist(), rel=1e-4)
    assert line["points"][-1][1] < line["points"][0][1]


def test_a_page_can_be_written_again_and_leaves_nothing_else_behind(written, small_run):
    call, folder, _ = small_run
    before = sorted(path.name for path in folder.iterdir())
    call("leaderboard", "--html", "page.html")
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--html", "page.txt"), "--html page.txt: the ending must be .html"),
        (("--html", "no/where.html"), "--html no/where.html: no folder no"),
        (("--html", "page.html", "--format", "csv"), "--html is a page of all tables"),
        (("--html", "page.html", "--calibration"), "--html is a page of all tables"),
        (("--html", "page.html", "nothing-like-it"), "no run"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(small_run, arguments, said):
    call, _, _ = small_run
    done = call("leaderboard", *arguments, code=2)
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_texts_that_changed_since_are_not_shown(harness, reviews):
    harness("run", "--task", "text-classification", "--data", "reviews", "--model", "majority", "--model", "tfidf")
    dev = reviews / "dev.csv"
    dev.write_text(dev.read_text().replace("great", "grand"))
    harness("leaderboard", "--html", "page.html")
    (view,) = data((reviews.parent / "page.html").read_text(encoding="utf-8"))["examples"]
    assert view["no_texts"].endswith("is not what was scored any more") and view["texts"] == [[]] * len(view["ids"])
    dev.unlink()
    harness("leaderboard", "--html", "page.html")
    (view,) = data((reviews.parent / "page.html").read_text(encoding="utf-8"))["examples"]
    assert view["no_texts"].startswith("texts not at hand: ")


def test_a_damaged_file_costs_its_part_of_the_page_and_is_named_there(harness, tmp_path):
    harness("run", "--task", "cola", "--model", "majority", "--limit", "40")
    file = next((tmp_path / "results" / "cells").glob("*/*/predictions.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    harness("leaderboard", "--html", "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"{file.name} is damaged" in html and "Without examples of" in html
    assert data(html)["examples"] == [] and ">majority<" in html
