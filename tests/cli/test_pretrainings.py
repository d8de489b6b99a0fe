"""Pretrainings are results: shown as runs, and compared where they may be."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.core.store import Store
from tests.conftest import call_harness, read_json

SPEC = """
name: {name}
learner: transformer
config: {{model_type: bert, hidden_size: {width}, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32,
  max_position_embeddings: 32}}
tokenizer: {{kind: wordpiece, vocab_size: 200, corpus: pretraining}}
pretraining: {{objective: mlm, sentences: 400, steps: 3, block_size: 16, batch_size: 4}}
training: {{epochs: 1}}
"""


@pytest.fixture(scope="module")
def pretrained(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with two model specs, each pretrained once, and what printed it."""
    folder = tmp_path_factory.mktemp("pretrained")
    call = partial(call_harness, folder, machine_cache)
    for name, width in (("narrow", 8), ("wide", 16)):
        (folder / f"{name}.yaml").write_text(SPEC.format(name=name, width=width))
        call("pretrain", name, "--include", f"{name}.yaml")
    return call, folder


def test_a_pretraining_is_a_run_of_its_own(pretrained: Any) -> None:
    call, folder = pretrained
    shown = call("show").stdout
    assert "run       pretrain-" in shown and "pretrain wide" in shown and "3 steps, 192 tokens, masked_" in shown
    names = Store.open(folder / "results").run_names()
    assert [name.startswith("pretrain-") for name in names] == [True, True]
    assert "narrow" in call("show", "narrow").stdout
    run = read_json(call("show", "narrow", "--json").stdout)
    assert run["spec"]["pretrain"] == "narrow" and run["cells"][0]["status"] == "done"
    assert "no scores in" in call("leaderboard", code=2).stderr


def test_they_are_compared_by_their_held_out_scores_and_drawn(pretrained: Any) -> None:
    call, folder = pretrained
    table = call("leaderboard", "--pretraining").stdout
    assert table.count("###") == 1 and "mlm on synthetic world" in table
    rows = [line for line in table.splitlines() if line.startswith(("| narrow", "| wide", "| **"))]
    assert len(rows) == 2 and all(" 192 " in row for row in rows)
    (content,) = read_json(call("leaderboard", "--pretraining", "--format", "json").stdout)["tables"]
    by_model = {row["model"]: row for row in content["rows"]}
    assert set(by_model) == {"narrow", "wide"}
    for row in by_model.values():
        assert row["steps"] == len(row["losses"]) == 3 and row["seconds"] > 0
        score = next(iter(row["scores"].values()))
        assert score["low"] <= score["value"] <= score["high"] and score["n"] > 0
    assert by_model["wide"]["parameters"] > by_model["narrow"]["parameters"]
    call("leaderboard", "--pretraining", "--plot", "losses.svg")
    assert "narrow, seed 0" in (folder / "losses.svg").read_text()
    assert "comes as" in call("leaderboard", "--pretraining", "--format", "csv", code=2).stderr
    assert "give one of" in call("leaderboard", "--pretraining", "--ranks", code=2).stderr


def test_others_stand_in_tables_of_their_own_and_latest_is_a_run_with_scores(pretrained: Any) -> None:
    call, folder = pretrained
    call("run", "--task", "sst2", "--model", "narrow", "--include", "narrow.yaml", "--limit", "40", "-q")
    call("pretrain", "narrow", "--include", "narrow.yaml", "--sentences", "500")
    assert "run       pretrain-" not in call("show").stdout, "`latest` is the run with scores"
    assert "sst2" in call("leaderboard").stdout
    table = call("leaderboard", "--pretraining").stdout
    assert table.count("###") == 2, "another corpus, another held-out text"
    assert sum(line.startswith(("| narrow", "| **")) for line in table.splitlines()) == 2, (
        "one that a run used is one row"
    )
    done = call("leaderboard", "--pretraining", "--plot", "both.svg", code=2)
    assert "here are 2" in done.stderr and not (folder / "both.svg").exists()
    cached = read_json(call("pretrain", "narrow", "--include", "narrow.yaml", "--json").stdout)
    newest = Store.open(folder / "results").run_names()[-1]
    assert read_json(call("show", newest, "--json").stdout)["cells"][0] | {"status": "cached"} == {
        "cell": cached["cell"], "kind": "pretrain", "model": "narrow", "seed": 0, "status": "cached",
    }  # fmt: skip


def test_one_that_fails_is_a_run_that_says_why(pretrained: Any, tmp_path: Path, machine_cache: Path) -> None:
    (tmp_path / "broken.yaml").write_text(
        SPEC.format(name="broken", width=8).replace("steps: 3", "steps: 3, learning_rate: 10")
    )
    call = partial(call_harness, tmp_path, machine_cache)
    (tmp_path / "short.txt").write_text("too short")
    done = call("pretrain", "broken", "--include", "broken.yaml", "--corpus", "short.txt", code=2)
    shown = call("show").stdout
    assert "failed" in shown and done.stderr.split(": ", 1)[1].strip()[:30] in shown
