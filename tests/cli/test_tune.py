"""`harness tune`: searched on a part of the training examples, the best scored once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_line import Harness

pytest.importorskip("optuna")

SPACE = "learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}\nbatch_size: [8, 16]\nepochs: [4]\n"
SEARCH = ("tune", "reviews", "bert-tiny", "--space", "space.yaml", "--trials", "5", "--batch", "3")


@pytest.fixture
def place(tmp_path: Path) -> Sequence[str]:
    """The folder of a task with a space beside it; the options that name it."""
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "task.yaml").write_text(
        "name: reviews\nfamily: classification\nfields: {text: text, label: label}\nlabels: [bad, good]\n"
        "metrics: [accuracy]\n"
    )
    data = tmp_path / "reviews"
    data.mkdir()
    words = {"good": ("great", "lovely", "fine"), "bad": ("awful", "poor", "dull")}
    for split, things in (("train", ["film", "book", "meal", "song", "play"]), ("dev", ["hotel", "game", "show"])):
        rows = [f"a {word} {thing} {place},{label}" for thing in things for place in ("here", "there")
                for label, known in words.items() for word in known]  # fmt: skip
        (data / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return ("--data", "reviews", "--include", "task.yaml")


def searched(text: str) -> dict[str, Any]:
    (record,) = json.loads(text)["searches"]
    return record


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("tfidf",), "tfidf is not trained in steps, and has nothing to search"),
        (("bert-tiny", "--rungs", "1,0.5"), "rungs: fractions that rise to 1"),
        (("bert-tiny", "--space", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("bert-tiny", "-o", "nowhere/best.yaml"), "-o nowhere/best.yaml: no folder nowhere"),
        (("bert-tiny", "--held-out", "1000"), "1000 parts of 60 distinct texts; take fewer"),
        (("bert-tiny", "--peft", "lora"), "an adapter takes pretrained weights"),
    ],
)
def test_what_cannot_be_searched_is_said_in_a_line(
    harness: Harness, place: Sequence[str], options: Sequence[str], message: str
) -> None:
    done = harness("tune", "reviews", *options, *place, code=2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_search_is_chosen_on_training_examples_resumed_and_its_best_scored_once(
    harness: Harness, place: Sequence[str], tmp_path: Path
) -> None:
    first = harness(*SEARCH, *place, "-o", "best.yaml", "--json")
    record = searched(first.stdout)
    assert [trial["number"] for trial in record["trials"]] == [0, 1, 2, 3, 4]
    assert record["ended"] == "trials" and record["data"]["split"] == "train"
    states = [trial["state"] for trial in record["trials"]]
    assert states.count("pruned") == 2 and states.count("complete") == 3
    complete = [trial for trial in record["trials"] if trial["state"] == "complete"]
    chosen = max(complete, key=lambda trial: (trial["value"], -trial["number"]))
    assert record["best"] == chosen["number"]
    assert all(trial["rungs"][0]["fraction"] == 0.25 for trial in record["trials"])

    cells = tmp_path / "results" / "cells"

    def stored(key: str) -> dict[str, Any]:
        return json.loads((cells / key[:2] / key / "record.json").read_text())

    for trial in record["trials"]:
        for rung in trial["rungs"]:
            score, fit = stored(rung["score"]), stored(rung["finetune"])
            assert list(score["data"]["splits"]) and score["split"] == "held-out-5"
            assert score["n"] + fit["data"]["trained_on"] == 60
    content = json.loads(first.stdout)
    entries = {entry["kind"]: entry for entry in content["cells"]}
    assert len(content["cells"]) == 3 and entries["score"]["split"] == "dev"
    assert stored(entries["finetune"]["cell"])["data"]["trained_on"] == 60

    written = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert {name: written["training"][name] for name in chosen["values"]} == chosen["values"]
    again = harness("run", "--task", "reviews", "--model", "best.yaml", *place)
    assert "2 cells: 2 cached" in again.stderr

    resumed = searched(harness(*SEARCH, *place, "--json").stdout)
    assert resumed["cell"] == record["cell"]
    more = searched(harness(*SEARCH[:-4], "--trials", "6", "--batch", "3", *place, "--json").stdout)
    assert more["trials"][:3] == record["trials"][:3]
    text = harness("show", "latest").stdout
    assert "search    reviews: 6 of 6 trials" in text and "expected best" in text


@pytest.mark.slow
def test_what_is_drawn_depends_on_no_executor(harness: Harness, place: Sequence[str]) -> None:
    search = (*SEARCH[:-4], "--trials", "2", "--batch", "2", "--rungs", "1", *place, "--json")
    here = searched(harness(*search).stdout)
    pool = searched(harness(*search, "--executor", "local", "--workers", "2", "--results", "pool").stdout)
    drawn = [[trial["number"], trial["values"], trial["state"], trial["value"]] for trial in here["trials"]]
    assert drawn == [[trial["number"], trial["values"], trial["state"], trial["value"]] for trial in pool["trials"]]


class Ticks:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        self.now += 1
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.mark.slow
def test_a_budget_ends_a_search_between_two_cells_and_what_was_trained_is_scored(
    harness: Harness, place: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.pipeline.commands.tune.time", Ticks())
    search = (*SEARCH[:-4], "--trials", "40", "--batch", "3", *place)
    done = harness(*search, "--budget", "2.5s")
    record = searched(harness("show", "--json").stdout)
    assert record["ended"] == "budget" and record["asked"] == 40
    trials = record["trials"]
    assert [len(trial["rungs"]) for trial in trials] == [1, 1, 0]
    assert sorted(trial["state"] for trial in trials) == ["cut", "cut", "pruned"]
    assert trials[2]["cause"] == "the budget ended before it was trained"
    assert trials[record["best"]]["state"] == "cut" and trials[record["best"]]["value"] is not None
    assert "3 of 40 trials, ended by the budget, which cut 2" in done.stdout
    monkeypatch.undo()
    nothing = harness(*search, "--search-seed", "1", "--budget", "0.001s", code=2)
    assert "no trial of 3 could be trained: the budget ended before it was trained" in nothing.stderr


def test_a_dry_run_of_a_search_says_what_it_takes_and_does_nothing(
    harness: Harness, place: Sequence[str], tmp_path: Path
) -> None:
    text = harness(*SEARCH, *place, "--dry-run").stdout
    assert "5 trials of learning_rate, batch_size, epochs" in text and "of CPU time" in text
    rows = [line.split() for line in text.splitlines() if "%" in line]
    assert [row[:3] for row in rows] == [["25", "%", "5"], ["100", "%", "3"]]
    assert text.count("batch_size ") == 3, "what is drawn first"
    assert not list((tmp_path / "results").glob("cells/*")) and not list((tmp_path / "results").glob("runs/*"))
