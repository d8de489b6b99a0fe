"""What is shared names no place of the machine it was made on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_finished_models import MAP, SST2, saved


@pytest.fixture
def secret(harness, tmp_path, reviews) -> Path:
    """A run of a folder's model on a folder's data, both by absolute paths, with a failure that names one."""
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [accuracy]\n"
    )
    saved(tmp_path / "theirs", "AutoModel", "bert", "wordpiece")
    asked = ("--include", str(tmp_path / "mine.yaml"), "--task", "mine", "--data", str(reviews), "--epochs", "1")
    harness("run", *asked, "--model", str(tmp_path / "theirs"), "--model", "tfidf")
    return tmp_path


def test_tables_pages_cards_baselines_and_reports_name_no_place(harness, secret):
    place = str(secret)
    for name in ("markdown", "csv", "json", "latex", "html"):
        table = harness("leaderboard", "--format", name, "--columns", "model,average,mine,base", code=None).stdout
        assert "theirs" in table and "reviews" in table and place not in table, name
    harness("leaderboard", "--html", "page.html")
    harness("export", "lm-eval", "--model", "theirs", "-o", "lm-eval.json")
    harness("export", "model-card", "theirs", "-o", "card.md")
    harness("baseline", "accept", "--name", "accepted")
    harness(
        "gate", "--baseline", "accepted", "--report", "gate.json", "--junit", "gate.xml", "--comment", "gate.md",
        "--summary", "summary.md",
    )  # fmt: skip
    shared = [
        path
        for name in (
            "page.html",
            "lm-eval.json",
            "card.md",
            "baselines",
            "gate.json",
            "gate.xml",
            "gate.md",
            "summary.md",
        )
        for path in ([secret / name] if (secret / name).is_file() else (secret / name).rglob("*"))
        if path.is_file()
    ]
    assert len(shared) >= 6
    for path in shared:
        assert place not in path.read_text(encoding="utf-8"), path


def test_causes_of_failures_are_shared_without_paths(harness, secret):
    folder = secret / "theirs"
    (folder / "model.safetensors").write_bytes(b"damaged")
    asked = ("--task", "sst2", "--limit", "20", "--model", str(folder), "--model", "majority")
    assert place_in(harness("run", *asked, code=1).stderr, secret), "whoever runs it is told where"
    harness("leaderboard", "--html", "page.html")
    page = (secret / "page.html").read_text(encoding="utf-8")
    assert "cannot load" in page and not place_in(page, secret)


def place_in(text: str, folder: Path) -> bool:
    return str(folder) in text


def test_models_have_the_names_they_are_given_or_their_folders(harness, tmp_path):
    for name in ("a/final", "b/final", "c"):
        saved(tmp_path / name, "AutoModelForSequenceClassification", "bert", "wordpiece", num_labels=2)
    done = harness("evaluate", str(tmp_path / "a" / "final"), "b/final", "mine=./c", "c", *SST2, *MAP, "--json")
    names = [one["model"]["name"] for one in json.loads(done.stdout)["scores"]]
    assert names == ["final", "b-final", "mine", "c"]
    refusal = harness("evaluate", "mine=./c", "mine=a/final", *SST2, *MAP, code=2).stderr
    assert "another model of the run is called mine" in refusal
    assert "mine" in harness("run", "--task", "sst2", "--limit", "20", "--model", "mine=tfidf").stdout


def test_a_model_spec_is_given_by_its_file(harness, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: quick\nlearner: tfidf\n")
    assert "| quick" in harness("run", "--task", "sst2", "--limit", "20", "--model", "mine.yaml").stdout
    (tmp_path / "mine.yaml").write_text("name: quick\nlearner: tfidff\n")
    assert "tfidff" in harness("run", "--task", "sst2", "--model", "mine.yaml", code=2).stderr
    (tmp_path / "mine.yaml").write_text("name: s\ntasks: [sst2]\n")
    assert (
        "it holds a suite, not a model spec" in harness("run", "--task", "sst2", "--model", "mine.yaml", code=2).stderr
    )


def test_a_mistyped_path_is_no_such_folder(harness, tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("models/nope", "./nope", "/nope/x", "~/nope"):
        assert "no such folder" in harness("run", "--task", "sst2", "--model", name, code=2).stderr, name


def test_texts_are_left_out_where_that_is_asked_for(harness, tmp_path):
    asked = ("run", "--task", "sst2", "--limit", "60", "--model")
    harness(*asked, "tfidf")
    harness("baseline", "accept", "--name", "accepted")
    harness(*asked, "majority")
    shown = (
        "gate",
        "--baseline",
        "accepted",
        "--model",
        "tfidf=majority",
        "--report",
        "gate.json",
        "--comment",
        "gate.md",
    )
    for options, expected in (((), True), (("--no-texts",), False)):
        harness(*shown, *options, code=None)
        (flips,) = json.loads((tmp_path / "gate.json").read_text())["flips"]
        assert all((flip["text"] is not None) == expected for flip in flips["examples"]) and flips["examples"]
        assert flips["examples"][0]["label"] in ("negative", "positive")
    harness("run", "--task", "sst2", "--task", "dialogsum", "--limit", "8", "--model", "majority", "--model", "lead-3")
    harness("baseline", "accept", "--name", "without", "--no-texts")
    content = json.loads((tmp_path / "baselines/accepted/without.json").read_text())
    assert {part["task"] for part in content["parts"]} == {"sst2"} == {one["task"] for one in content["scores"]}
    assert "--baseline" and harness("gate", "--baseline", "without", code=None).returncode in (0, 4)
