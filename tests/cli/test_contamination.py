"""Scores say what they are without the examples that stand in what a model learned from: in tables, cards and the gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness as api
from harness.data import synthetic
from tests.command_line import Harness
from tests.conftest import read_json

RECIPE = """\
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64}
tokenizer: {kind: wordpiece, vocab_size: 600, corpus: pretraining}
pretraining: {objective: mlm, corpus: CORPUS, steps: 4, block_size: 32, batch_size: 8}
training: {epochs: 1, learning_rate: 1.0e-3}
"""
NOTE = "examples of dev stand in its corpus"


def corpus(folder: Path, leaked: int) -> Path:
    rows = synthetic.build("sentiment")
    texts = [*list(synthetic.corpus(400)), *rows["dev"]["text"][:leaked]]
    path = folder / f"corpus-{leaked}.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    recipe = folder / f"tiny-{leaked}.yaml"
    recipe.write_text(
        RECIPE.replace("CORPUS", str(path)).replace("name: tiny", f"name: tiny-{leaked}"), encoding="utf-8"
    )
    return recipe


def test_a_pretrained_model_is_scored_without_and_with_what_leaked(harness: Harness, tmp_path: Path) -> None:
    recipe = corpus(tmp_path, 80)
    asked = ("run", "--task", "sst2", "--model", "tiny-80", "--include", str(recipe), "--seeds", "2")
    first = harness(*asked, "--limit", "200")
    [note] = [line for line in first.stdout.splitlines() if NOTE in line]
    assert "of 200 examples of dev" in note and "clean ones" in note and "accuracy" in note
    assert "[" in note.rpartition("accuracy")[2], "the difference has an interval"
    records = [read_json(path.read_text()) for path in tmp_path.glob("results/cells/*/*/record.json")]
    [record] = [record for record in records if record["kind"] == "contamination"]
    assert record["of"] == "corpus" and 50 <= len(record["dirty"]) <= 90 and len(record["scored"]) == 2
    parts, scores = (
        record["by_metric"]["accuracy"],
        [one["scores"]["accuracy"]["value"] for one in records if one["kind"] == "score"],
    )
    dirty = len(record["dirty"])
    whole = (parts["clean"] * (200 - dirty) + parts["dirty"] * dirty) / 200
    assert abs(whole - sum(scores) / 2) < 1e-9
    assert parts["difference"]["low"] <= parts["difference"]["value"] <= parts["difference"]["high"]
    assert "6 cells: 6 cached" in harness(*asked, "--limit", "200").stdout + harness(*asked, "--limit", "200").stderr
    assert NOTE in harness("leaderboard").stdout
    harness("export", "model-card", "tiny-80", "-o", str(tmp_path / "card.md"))
    assert NOTE in (tmp_path / "card.md").read_text(encoding="utf-8")
    harness("baseline", "accept", "--name", "main")
    assert NOTE in harness("gate", "--baseline", "main", code=None).stdout


def test_a_clean_corpus_adds_no_note(harness: Harness, tmp_path: Path) -> None:
    done = harness(
        "run", "--task", "sst2", "--model", "tiny-0", "--include", str(corpus(tmp_path, 0)), "--limit", "100"
    )
    assert "stand in its" not in done.stdout


def test_rows_of_the_training_split_among_the_scored_ones_are_said(harness: Harness, tmp_path: Path) -> None:
    rows = synthetic.build("sentiment")
    pairs = list(zip(rows["train"]["text"], rows["train"]["label"], strict=True))[:200]
    held = list(zip(rows["dev"]["text"], rows["dev"]["label"], strict=True))[:60] + [
        (text.upper(), label) for text, label in pairs[:15]
    ]
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    for name, split in (("train", pairs), ("dev", held)):
        lines = [json.dumps({"text": text, "label": label}) for text, label in split]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = harness("run", "--task", "sst2", "--data", str(tmp_path / "data"), "--model", "tfidf", "--model", "majority")
    notes = [line for line in done.stdout.splitlines() if "stand in its training split" in line]
    [note] = notes
    assert note.startswith("Of tfidf") and "15 of 75 examples of dev" in note and "0 letter for letter" in note
    shown = harness("run", "--task", "sst2", "--data", str(tmp_path / "data"), "--model", "tfidf", "--dry-run").stdout
    assert "contamination" in shown


def model_folder(root: Path, kind: str) -> Path:
    [path] = [path for path in root.glob("cells/*/*/record.json") if read_json(path.read_text())["kind"] == kind]
    return path.parent / "model"


def test_a_finished_model_is_looked_for_in_the_corpus_of_its_lineage(harness: Harness, tmp_path: Path) -> None:
    recipe = corpus(tmp_path, 80)
    asked = ("--task", "sst2", "--limit", "200")
    harness("run", *asked, "--model", "tiny-80", "--include", str(recipe))
    folder = model_folder(tmp_path / "results", "finetune")
    done = harness("evaluate", str(folder), *asked, "--results", str(tmp_path / "other"))
    [note] = [line for line in done.stdout.splitlines() if NOTE in line]
    assert "of 200 examples of dev" in note and "clean ones" in note
    (tmp_path / "corpus-80.jsonl").write_text('{"text": "Something else."}\n', encoding="utf-8")
    again = harness("evaluate", str(folder), *asked, "--results", str(tmp_path / "third"))
    assert "is not known" in again.stdout and "not the text any more that the model was pretrained on" in again.stdout
    (tmp_path / "corpus-80.jsonl").unlink()
    gone = harness("evaluate", str(folder), *asked, "--results", str(tmp_path / "fourth"))
    assert "is not known: no such file or folder" in gone.stdout


def test_folds_are_looked_for_in_the_corpus(harness: Harness, tmp_path: Path) -> None:
    rows = synthetic.build("sentiment")
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    pairs = list(zip(rows["dev"]["text"], rows["dev"]["label"], strict=True))[:120]
    lines = [json.dumps({"text": text, "label": label}) for text, label in pairs]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = corpus(tmp_path, 60)
    done = harness(
        "run", "--task", "sst2", "--data", str(tmp_path / "data"), "--folds", "2", "--model", "tiny-60",
        "--include", str(recipe),
    )  # fmt: skip
    [note] = [line for line in done.stdout.splitlines() if "stand in its corpus" in line]
    assert "of 120 examples of 2-fold" in note and "clean ones" in note


def test_an_object_is_looked_for_in_the_corpus_that_it_is_said_to_have_read(tmp_path: Path) -> None:
    corpus(tmp_path, 80)
    notes = []
    for name, place in (("reader", tmp_path / "corpus-80.jsonl"), ("other", None)):
        model = api.wrap(lambda texts: ["positive"] * len(texts), name=name, version="1", corpus=place)
        notes.append(api.evaluate(model, task="sst2", limit=200, out=tmp_path / "results").to_markdown())
    assert notes[0].count(NOTE) == 1 and "Of reader" in notes[0] and NOTE not in notes[1]


def test_a_large_corpus_is_looked_through_where_that_is_asked_for(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.core.run_spec.LARGEST_CORPUS", 10_000)
    recipe = corpus(tmp_path, 80)
    asked = ("run", "--task", "sst2", "--model", "tiny-80", "--include", str(recipe), "--limit", "200")
    assert "the corpus is large (0 MB, more than 0); see --any-corpus" in harness(*asked).stdout
    assert "of 200 examples of dev stand in its corpus" in harness(*asked, "--any-corpus").stdout
