"""The gate through the command line, from training to the exit code."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Harness, call_harness, read_json

RUN = ("--task", "sst2", "--task", "qqp", "--model", "mine", "--limit", "300", "--include", "recipe", "-q")


@pytest.fixture(scope="module")
def gated(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Harness, Path]:
    """A folder with a good run of the model spec `mine` accepted as `good`, and a later run of a worse `mine`."""
    folder = tmp_path_factory.mktemp("gated")
    harness = partial(call_harness, folder, machine_cache)
    (folder / "recipe").mkdir()
    recipe = folder / "recipe" / "mine.yaml"
    recipe.write_text("name: mine\nlearner: tfidf\n")
    harness("run", *RUN, "--out", "good")
    harness("baseline", "accept", "--name", "good", "--out", "good")
    recipe.write_text("name: mine\nlearner: majority\n")
    harness("run", *RUN, "--out", "bad")
    return harness, folder


def test_the_same_run_passes_and_every_verdict_is_identical(gated):
    harness, _ = gated
    done = harness("gate", "--baseline", "good", "--candidate", "good", "--json")
    content = read_json(done.stdout)
    assert {row["verdict"] for row in content["rows"]} == {"IDENTICAL"}
    assert [row["task"] for row in content["rows"]] == ["average", "sst2", "qqp"]


def test_a_worse_recipe_of_the_same_name_regresses_in_every_outlet(gated):
    harness, folder = gated
    done = harness(
        "gate", "--baseline", "baselines/accepted/good.json", "--out", "bad", "--junit", "junit.xml",
        "--summary", "summary.md", "--comment", "comment.md", "--annotations", code=1,
    )  # fmt: skip
    assert "| **REGRESSED** " in done.stdout
    assert "::error title=sst2 regressed::mine: " in done.stdout
    (suite,) = ElementTree.parse(folder / "junit.xml").getroot()
    assert int(suite.get("failures")) >= 2
    for name in ("summary.md", "comment.md"):
        text = (folder / name).read_text()
        assert "| **REGRESSED** " in text
        assert "taken for" in text


def test_compare_shows_flips_with_texts_and_slices(gated):
    harness, _ = gated
    text = harness("compare", "good", "bad", "--by", "slice").stdout
    assert "### slices" in text and "label positive" in text and "length 1–8" in text
    assert "right→wrong" in text and "- sentiment-dev-" in text
    content = read_json(harness("compare", "baselines/accepted/good.json", "bad", "--format", "json").stdout)
    flip = content["flips"][0]["examples"][0]
    assert flip["text"] and flip["base"] == flip["label"] != flip["candidate"]
    done = harness("compare", "good", "bad", "--by", "layer", code=2)
    assert "--by layer: mine is no transformer, but tfidf" in done.stderr


def test_margins_come_from_a_file_and_flags_win(gated):
    harness, folder = gated
    (folder / "gate.yaml").write_text("margin: 0.9\nok_margin: 0.95\ntasks: {sst2: 0.01}\n")
    content = read_json(
        harness("gate", "--baseline", "good", "--candidate", "bad", "--config", "gate.yaml", "--json", code=1).stdout
    )
    assert {row["task"]: row["verdict"] for row in content["rows"]}["qqp"] == "OK"
    (folder / "typo.yaml").write_text("margn: 0.9\n")
    done = harness("gate", "--baseline", "good", "--config", "typo.yaml", "--out", "good", code=2)
    assert "typo.yaml" in done.stderr and "Did you mean 'margin'" in done.stderr


def test_what_does_not_fit_is_exit_4_with_the_reason(gated):
    harness, folder = gated
    assert "no baseline 'god'. Did you mean 'good'" in harness("gate", "--baseline", "god", code=4).stderr
    damaged = folder / "baselines" / "accepted" / "damaged.json"
    damaged.write_text((folder / "baselines" / "accepted" / "good.json").read_text().replace('"n": 300', '"n": 299'))
    try:
        assert "damaged.json is damaged" in harness("gate", "--baseline", "damaged", code=4).stderr
        assert "damaged.json is damaged" in harness("baseline", "list", code=4).stdout
    finally:
        damaged.unlink()
    harness("run", *RUN[:2], *RUN[4:], "--out", "fewer")
    done = harness("gate", "--baseline", "good", "--candidate", "fewer", code=4)
    assert "task qqp of the base was not run with mine" in done.stdout
    other = [*RUN[:7], "250", *RUN[8:]]
    harness("run", *other, "--out", "other")
    done = harness("gate", "--baseline", "good", "--candidate", "other", code=4)
    assert "other data" in done.stdout and "300 examples, now 250" in done.stdout


def test_baselines_are_listed_shown_and_compared(gated):
    harness, _ = gated
    assert "good" in harness("baseline", "list").stdout
    (row,) = json.loads(harness("baseline", "list", "--json").stdout)
    assert row["tasks"] == ["sst2", "qqp"] and row["kilobytes"] < 300
    assert "sst2" in harness("baseline", "show", "good").stdout
    assert read_json(harness("baseline", "show", "good", "--json").stdout)["models"] == ["mine"]
    assert "mine on sst2 dev seed 0" in harness("baseline", "diff", "good", "bad").stdout
    assert harness("baseline", "diff", "good", "good").stdout == "no difference\n"


def test_the_latest_run_of_another_model_is_not_judged(gated):
    harness, folder = gated
    before = set((folder / "other" / "runs").glob("*.json"))
    harness("run", *RUN[:4], "--model", "tfidf", "--limit", "300", "-q", "--out", "other")
    said = harness("gate", "--baseline", "good", "--out", "other", code=4).stderr
    assert "is one of the model tfidf, and good of mine" in said and "--model 'mine=tfidf'" in said
    name = (set((folder / "other" / "runs").glob("*.json")) - before).pop().stem
    for more in (["--candidate", name], ["--model", "mine=tfidf"]):
        assert "IDENTICAL" in harness("gate", "--baseline", "good", "--out", "other", *more).stdout


def test_bad_usage_is_one_line(gated):
    harness, _ = gated
    assert (
        "unknown model 'main'"
        in harness("gate", "--baseline", "good", "--out", "good", "--model", "main", code=2).stderr
    )
    assert "no run in results" in harness("compare", "good", "nowhere", code=2).stderr
    assert "no results in" in harness("baseline", "accept", "--name", "x", "--out", "nowhere", code=2).stderr
    harness("gate", "--baseline", "good", "--margin", "7", "--out", "good", code=2)
    assert "nothing to judge by" in harness("gate", code=2).stderr
    nowhere = ("--out", "good", "--measured", "nowhere.json")
    assert "No such file" in harness("gate", "--baseline", "good", *nowhere, code=2).stderr
    assert "measure once first" in harness("gate", "--baseline", "good", "--remeasure", code=2).stderr
    both = ("--mode", "pr", "--seeds", "3")
    assert "give one or the other" in harness("gate", "--baseline", "good", *both, code=2).stderr
    assert "give one or the other" in harness("run", *RUN, *both, code=2).stderr
    assert "--benchmark-json a.json" in harness("gate", "--benchmark-json", "a.json", "b.json", code=2).stderr


ENDING = """
import sys
from harness import register
from harness.metrics import Metric
register("metric", "ending", Metric(
    name="ending", version=1, inputs="labels", low=0.0, high=1.0,
    compute={compute}, chance=lambda references: 0.5,
))
"""
TASK = "name: ended\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [accuracy, ending]\n"


@pytest.mark.parametrize("way", ["sys.exit(0)", "(_ for _ in ()).throw(__import__('typer').Exit(0))"])
def test_a_plug_in_that_ends_the_program_is_no_pass(way, harness, tmp_path, reviews):
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "ended.yaml").write_text(TASK)
    plugin = tmp_path / "plugin" / "ending.py"
    plugin.write_text(ENDING.format(compute="lambda predictions, references: 0.5"))
    asked = ("--task", "ended", "--data", "reviews", "--model", "majority", "--include", "plugin")
    harness("run", *asked)
    harness("baseline", "accept", "--name", "good", "--include", "plugin")
    plugin.write_text(ENDING.format(compute=f"lambda predictions, references: {way}"))
    done = harness("gate", "--baseline", "good", "--include", "plugin", code=2)
    assert "a plug-in or a library tried to end the program" in done.stderr and done.stdout == ""
    done = harness("run", *asked, "--out", "other", code=2)
    assert "tried to end the program" in done.stderr


def test_the_report_says_first_what_differs_between_the_two_runs(harness, tmp_path):
    asked = ("run", "--task", "sst2", "--model", "bert-tiny", "--limit", "20", "--epochs", "0.2")
    harness(*asked, "--learning-rate", "0.001")
    harness("baseline", "accept", "--name", "first")
    same = harness("gate", "--baseline", "first", code=None).stdout
    assert "What differs" not in same
    harness(*asked, "--learning-rate", "0.0005")
    report = harness(
        "gate", "--baseline", "first", "--comment", "comment.md", "--report", "gate.json", code=None
    ).stdout
    line = "- bert-tiny: learning\\_rate 0.001 → 0.0005"
    for text in (report, (tmp_path / "comment.md").read_text(encoding="utf-8")):
        assert line.replace("\\_", "_") in text.replace("\\_", "_")
        assert text.index("What differs between the runs") < text.index("###")
    assert json.loads((tmp_path / "gate.json").read_text())["differences"] == [
        "bert-tiny: learning_rate 0.001 → 0.0005"
    ]
