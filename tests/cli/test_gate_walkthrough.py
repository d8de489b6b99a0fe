"""The walk of docs/results/gate.md on made-up reviews: train, accept, prune, gate, restore, and measure what is judged."""

from __future__ import annotations

import json
from functools import partial
from itertools import product
from pathlib import Path
from random import Random

import pytest

from harness.core.hashing import fingerprint_of
from harness.core.store import Store
from harness.gating.run_results import of_run
from tests.conftest import Harness, call_harness, read_json
from tests.unit.gating.measurements import measurement

pytestmark = pytest.mark.slow

RECIPE = """\
name: small
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 64}
tokenizer: {vocab_size: 500}
training: {epochs: 8, learning_rate: 3.0e-3, batch_size: 16, max_length: 64}
"""
SUITE = "name: one\ntasks: [text-classification]\nmargins: {tasks: {text-classification: 0.02}}\n"
PRUNED = "small+prune-magnitude:0.99"
RUN = ("run", "--suite", "one", "--model", "small", "--data", "reviews", "--include", "mine", "-q", "--mode", "pr")


def write_reviews(folder: Path) -> None:
    """One word decides, so that every seed learns it, and nothing is left of it without the weights."""
    words = {"bad": ["awful", "boring", "poor", "dull"], "good": ["great", "lovely", "fine", "superb"]}
    things = ["film", "book", "meal", "song", "play", "hotel", "game", "show"]
    rows = [
        f"{start} a {word} {thing} {end},{label}"
        for label, own in words.items()
        for word, thing, start, end in product(own, things, ["we saw", "they had", "here is"], ["today", "again"])
    ]
    Random(0).shuffle(rows)
    folder.mkdir()
    (folder / "train.csv").write_text("\n".join(["text,label", *rows[:280]]) + "\n")
    (folder / "dev.csv").write_text("\n".join(["text,label", *rows[280:]]) + "\n")


@pytest.fixture(scope="module")
def walked(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Harness, Path]:
    """A folder with an accepted baseline of three seeds, and a later run with the pruned model."""
    folder = tmp_path_factory.mktemp("walk")
    harness = partial(call_harness, folder, machine_cache)
    (folder / "mine").mkdir()
    write_reviews(folder / "reviews")
    (folder / "mine" / "small.yaml").write_text(RECIPE)
    (folder / "mine" / "one.yaml").write_text(SUITE)
    harness(*RUN)
    harness("baseline", "accept", "--name", "main")
    harness(*RUN, "--compress", "prune-magnitude:0.99")
    return harness, folder


def test_the_pruned_model_fails_the_gate_and_the_restored_one_passes(walked):
    harness, _ = walked
    done = harness("gate", "--baseline", "main", "--mode", "pr", "--model", f"small={PRUNED}", code=1)
    assert f"small → {PRUNED}" in done.stdout and "**REGRESSED**" in done.stdout
    assert "pr (3 seeds)" in done.stdout and "release (10 seeds)" in done.stdout
    content = read_json(harness("gate", "--baseline", "main", "--json").stdout)
    assert {row["verdict"] for row in content["rows"]} == {"IDENTICAL"}
    assert content["rows"][0]["margin"] == 0.02  # of the suite's file, by way of the baseline


def test_layers_show_where_the_pruning_struck(walked):
    harness, _ = walked
    text = harness("compare", "main", "latest", "--model", f"small={PRUNED}", "--by", "layer").stdout
    assert "### layers" in text and "bert.encoder.layer.1" in text
    content = read_json(
        harness("compare", "main", "latest", "--model", f"small={PRUNED}", "--by", "layer", "-f", "json").stdout
    )
    layers = {one["layer"]: one for one in content["layers"]}
    assert layers["bert.encoder.layer.0"]["weights"] > 0.2 and layers["bert.encoder.layer.0"]["seeds"] == 3
    assert layers["bert.encoder.layer.1"]["cka"] < 1


def test_a_measurement_of_the_judged_models_is_recognized_by_their_files(walked):
    """The hash that a run keeps of a model is the one that measuring takes of its folder."""
    harness, folder = walked
    store = Store(folder / "results")
    evidence = of_run(store, "latest")
    models = {key[0]: one for key, one in evidence.scored.items() if key[3] == 0}
    files = [models[name].files for name in ("small", PRUNED)]
    assert files == [fingerprint_of(store.model(models[name].cell)) for name in ("small", PRUNED)]
    content = measurement(1.1, fingerprints=(files[0], files[1])).content.as_json()
    (folder / "measured.json").write_text(json.dumps(content))
    content = read_json(
        harness(
            "gate", "--baseline", "main", "--model", f"small={PRUNED}", "--measured", "measured.json", "--json", code=1
        ).stdout
    )
    assert [row["verdict"] for row in content["measured"]] == ["INCONCLUSIVE", "OK", "OK"]
    done = harness("gate", "--baseline", "main", "--measured", "measured.json", code=4)
    assert "is not what is judged" in done.stdout
    moved = harness(
        "gate", "--baseline", "main", "--model", f"small={PRUNED}", "--measured", "measured.json", "--remeasure", code=2
    )
    assert "--remeasure: big is no longer in /nowhere/big" in moved.stderr


def test_one_seed_is_judged_beside_the_three_of_the_baseline(walked):
    harness, _ = walked
    harness(*RUN[:-2], "--seeds", "1", "--first-seed", "7", "--out", "one")
    content = read_json(harness("gate", "--baseline", "main", "--candidate", "one", "--seeds", "1", "--json").stdout)
    assert any("seed 7 alone is judged, as one more training beside the base's 3" in one for one in content["notes"])
    assert [row["verdict"] for row in content["rows"]] != ["REGRESSED"]
