"""Named entities from the command line: trained, compressed, compared, judged, predicted with, and told of on the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import read_json
from tests.zoo import CONFIGS


@pytest.fixture
def tagged(harness, tmp_path: Path):
    """A run of the trivial tagger and of a small model, and the model's folder."""
    spec = {
        "name": "small", "learner": "transformer", "config": CONFIGS["bert"],
        "tokenizer": {"kind": "wordpiece", "vocab_size": 600},
        "training": {"epochs": 8, "learning_rate": 5e-3, "batch_size": 8, "max_length": 24},
    }  # fmt: skip
    (tmp_path / "small.yaml").write_text(json.dumps(spec))
    done = harness(
        "run", "--task", "entities", "--model", "unigram-tagger", "--model", "small", "--model", "tfidf",
        "--include", "small.yaml", "--limit", "80",
    )  # fmt: skip
    shown = read_json(harness("show", "--json").stdout)
    cell = next(cell for cell in shown["cells"] if cell["kind"] == "finetune" and cell["model"] == "small")
    folder = next((tmp_path / "results" / "cells").glob(f"*/{cell['cell']}*/model"))
    return done, shown, folder


def test_a_tagger_goes_all_the_way(harness, tagged, tmp_path: Path):
    done, shown, folder = tagged
    assert "not applicable: tfidf on entities" in done.stderr
    scores = {score["model"]["name"]: score["scores"] for score in shown["scores"]}
    assert set(scores) == {"small", "unigram-tagger"}
    for score in scores.values():
        assert set(score) == {"seqeval_f1", "seqeval_precision", "seqeval_recall"}
        assert score["seqeval_f1"]["low"] < score["seqeval_f1"]["value"] < score["seqeval_f1"]["high"]
        assert score["seqeval_f1"]["value"] > score["seqeval_f1"]["chance"] > 0

    harness("compress", str(folder), "--method", "int8-weight", "--output", "less")
    harness("evaluate", str(folder), "less", "--task", "entities", "--limit", "80")
    compared = harness("compare", "latest", "latest", "--model", f"{folder.parent.name[:12]}=less")
    assert "entities (seqeval_f1)" in compared.stdout

    answered = read_json(harness("predict", "less", "--text", "Sarah slept in October.", "--json").stdout)
    assert answered[0]["kind"] == "token-classification"
    assert [word["word"] for word in answered[0]["words"]] == ["Sarah", "slept", "in", "October", "."]
    for entity in answered[0]["entities"]:
        assert answered[0]["text"][entity["start"] : entity["end"]] == entity["text"]
    assert "type" in harness("predict", "less", "--text", "Sarah slept in October.").stdout

    harness("leaderboard", "--html", "page.html")
    assert "B-PER" in (tmp_path / "page.html").read_text()
    assert "same as stored" in harness("score", "latest").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--task", "entities", "--noise", "typos"],
            "no task of the run has texts and answers with a class or a number",
        ),
        (["--task", "conll2003"], "task 'conll2003' has no synthetic data"),
        (["--task", "entities@2-shot"], "nothing to run"),
    ],
)
def test_what_tags_cannot_have_is_one_line(harness, arguments, said):
    failed = harness("run", *arguments, "--model", "unigram-tagger", code=2)
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
