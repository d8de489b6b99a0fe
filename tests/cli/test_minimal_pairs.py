"""Minimal pairs from the command line: finished, compressed and pretrained models, and who has none to offer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import read_json
from tests.unit.modeling.heads import given


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        {"UID": uid, "sentence_good": f"the old {noun} sings .", "sentence_bad": f"the {noun} old sings ."}
        for uid in ("passive_1", "passive_2")
        for noun in ("bird", "house", "stone", "tree", "river")
    ]
    (tmp_path / "blimp").mkdir()
    (tmp_path / "blimp" / "blimp.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = (("gpt", "AutoModelForCausalLM", "gpt2", "bytebpe"), ("bert", "AutoModelForMaskedLM", "bert", "wordpiece"))
    for name, auto_class, model_type, kind in made:
        given.model(auto_class, model_type, kind).save_pretrained(tmp_path / name)
        given.tokenizer(kind).save_pretrained(tmp_path / name)
    given.model("AutoModelForSequenceClassification", "bert", "wordpiece").save_pretrained(tmp_path / "classifier")
    given.tokenizer("wordpiece").save_pretrained(tmp_path / "classifier")
    return tmp_path


TASKS = ("--task", "blimp-passive_1", "--task", "blimp-passive_2", "--data", ".")


def test_finished_and_compressed_models_are_scored_as_they_are(harness, pairs: Path):
    harness("compress", "bert", "--method", "int8-weight", "--output", "less")
    harness("evaluate", "gpt", "bert", "less", *TASKS)
    scores = read_json(harness("show", "--json").stdout)["scores"]
    assert len(scores) == 6
    for score in scores:
        assert set(score["scores"]) == {"pair_accuracy"}
        assert score["scores"]["pair_accuracy"]["chance"] == 0.5
        assert score["n"] == 5
    assert "bert" in harness("compare", "latest", "latest", "--model", "bert=less", code=None).stdout
    harness("leaderboard", "--html", "page.html")
    assert "the old bird sings" in (pairs / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "--model", "majority"], "majority answers with a class or a number, minimal-pairs asks for more"),
        (["run", "--model", "bert-tiny"], "it has random weights, and is not trained on the task"),
        (["run", "--model", "t5-tiny-span"], "an encoder-decoder has no head for minimal-pairs"),
        (["evaluate", "classifier"], "missing"),
    ],
)
def test_who_cannot_is_told_in_one_line(harness, pairs: Path, arguments, reason):
    failed = harness(*arguments, *TASKS, code=2)
    assert reason in failed.stderr
    assert "Traceback" not in failed.stderr


def test_nothing_is_shown_and_nothing_is_trained(harness, pairs: Path):
    failed = harness("evaluate", "gpt", "--task", "blimp-passive_1@2-shot", "--data", ".", code=2)
    assert "minimal-pairs shows no examples; ask for blimp-passive_1" in failed.stderr
    failed = harness(
        "compress", "bert", "--method", "int8-qat", "--task", "blimp-passive_1", "--data", ".", "--output", "x", code=2
    )
    assert "it looks at training examples, and blimp-passive_1 (minimal-pairs) has none" in failed.stderr
    assert not (pairs / "x").exists()


def test_a_pretrained_model_is_scored_after_its_pretraining(harness, pairs: Path):
    spec = {
        "name": "small", "learner": "transformer",
        "config": {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64},
        "tokenizer": {"kind": "bytebpe", "vocab_size": 400, "corpus": "pretraining"},
        "pretraining": {"objective": "clm", "sentences": 300, "steps": 2, "block_size": 16, "batch_size": 4},
    }  # fmt: skip
    (pairs / "small.yaml").write_text(json.dumps(spec))
    done = harness("run", *TASKS, "--model", "small", "--include", "small.yaml")
    assert "blimp-passive_2" in done.stdout
