"""Pretrainings are results: shown as runs, and compared where they may be."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import fmean, stdev
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


def page_data(html: str) -> Any:
    return read_json(html.split('<script type="application/json" id="data">')[1].split("</script>")[0])


def test_seeds_of_one_are_a_row_of_table_and_page_even_where_nothing_was_scored(harness: Any, tmp_path: Path) -> None:
    for name, width in (("narrow", 8), ("wide", 16)):
        (tmp_path / f"{name}.yaml").write_text(SPEC.format(name=name, width=width))
    for seed in ("2", "0", "1"):
        harness("pretrain", "narrow", "--include", "narrow.yaml", "--seed", seed)
    harness("pretrain", "narrow", "--include", "narrow.yaml", "--steps", "4")
    harness("pretrain", "wide", "--include", "wide.yaml")

    table = harness("leaderboard", "--pretraining").stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    by_name = {(row[0], row[1], row[3]): row for row in rows}
    assert {key for key in by_name if key[0] in ("narrow", "wide")} == {
        ("narrow", "0, 1, 2", "3"), ("narrow", "0", "4"), ("wide", "0", "3")
    }  # fmt: skip
    (content,) = read_json(harness("leaderboard", "--pretraining", "--format", "json").stdout)["tables"]
    assert len(content["rows"]) == 5, "JSON has each seed as well"
    (seeds,) = (model for model in content["models"] if model["seeds"] == [0, 1, 2])
    name, score = next(iter(seeds["scores"].items()))
    values = [row["scores"][name]["value"] for row in content["rows"] if row["model"] == "narrow" and row["steps"] == 3]
    assert score["value"] == pytest.approx(fmean(values)) and score["sd"] == pytest.approx(stdev(values))
    assert f"{score['value']:.4g} ± {score['sd']:.3g} [" in by_name["narrow", "0, 1, 2", "3"][rows[0].index(name)]

    said = harness("leaderboard", "--html", "page.html").stderr
    assert "page.html: 3 pretrainings, " in said
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ">Pretrainings</a>" in html and ">Tables</a>" not in html and "0, 1, 2" in html
    assert f"{score['value']:.4g} ± {score['sd']:.3g} [" in html
    (chart,) = page_data(html)["charts"].values()
    assert sorted(line["label"] for line in chart["lines"]) == [
        "narrow, seed 0, 3 steps", "narrow, seed 0, 4 steps", "narrow, seed 1", "narrow, seed 2", "wide, seed 0"
    ]  # fmt: skip
    assert all(next(step for step, *_ in line["points"]) == 1 for line in chart["lines"])
    harness("run", "--task", "sst2", "--model", "majority", "--limit", "20", "-q")
    harness("leaderboard", "--html", "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ">Pretrainings</a>" in html and ">Tables</a>" in html, "those that no score rests on stand there too"


def test_a_pretraining_is_shown_with_its_loss_and_its_held_out_scores(pretrained: Any) -> None:
    call, folder = pretrained
    (name,) = [name for name in Store.open(folder / "results").run_names() if "-wide-" in name]
    shown = call("show", name).stdout
    assert "training loss  " in shown and "(step 1), " in shown and "(step 3)" in shown
    assert "held-out score" in shown and "95 % interval" in shown


def test_a_page_without_scores_and_pretrainings_says_so(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(SPEC.format(name="broken", width=8))
    (tmp_path / "short.txt").write_text("too short")
    harness("pretrain", "broken", "--include", "broken.yaml", "--corpus", "short.txt", code=2)
    assert "error: no scores in results" in harness("leaderboard", "--html", "page.html", code=2).stderr
    assert not (tmp_path / "page.html").exists()
