"""Checkpoints whose weights do not fit their config, on the command line: an error that names them, or a note in every
table.
"""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def partial(saved, tmp_path):
    """A classifier whose config asks for a layer more than there are weights of."""
    import shutil

    folder = shutil.copytree(saved("bert", num_labels=2), tmp_path / "partial")
    config = json.loads((folder / "config.json").read_text())
    config |= {"num_hidden_layers": config["num_hidden_layers"] + 1, "id2label": {"0": "negative", "1": "positive"}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


LAYER = "bert.encoder.layer."


@pytest.mark.parametrize("verb", [["run", "--model"], ["evaluate"]])
def test_a_run_fails_or_says_in_the_table_what_was_random(harness, partial, verb):
    asked = [*verb, partial, "--task", "sst2", "--limit", "24"]
    failed = harness(*asked, code=2)
    assert "16 missing (" + LAYER in failed.stderr + failed.stdout
    done = harness(*asked, "--allow-partial")
    assert "are random there: 16 missing (" + LAYER in done.stdout
    for listing in (["leaderboard"], ["leaderboard", "--format", "json"]):
        assert "are random there: 16 missing (" + LAYER in harness(*listing).stdout
    again = harness(*asked, code=2)
    assert "are random there" not in again.stdout, "a partial model's score is not that of a whole one"


def test_predict_and_compress(harness, partial):
    assert "16 missing (" + LAYER in harness("predict", partial, "--text", "a film", code=2).stderr
    assert "16 missing" in harness("predict", partial, "--text", "a film", "--allow-partial").stdout
    command = ("compress", partial, "--method", "int8-weight", "-o", "small")
    assert "16 missing (" + LAYER in harness(*command, code=2).stderr
    assert "16 missing" in harness(*command, "--allow-partial").stdout


@pytest.mark.slow
def test_examples_are_not_shown_to_a_model_that_is_partly_random(harness, saved, tmp_path):
    import shutil

    folder = shutil.copytree(saved("gpt2"), tmp_path / "gpt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": config["n_layer"] + 1}))
    (folder / "harness.json").unlink()
    asked = ["run", "--model", folder, "--task", "sst2@0-shot", "--limit", "8"]
    assert "12 missing (transformer.h." in harness(*asked, code=2).stderr
    assert "are random there: 12 missing (transformer.h." in harness(*asked, "--allow-partial").stdout
    assert "12 missing (transformer.h." in harness("measure", folder, folder, "--budget", "5s", code=None).stderr


@pytest.mark.parametrize(
    ("changes", "misfit"),
    [
        ({"intermediate_size": 96}, "of another shape (" + LAYER + "0.intermediate.dense.bias is 64, not 96"),
        ({"num_hidden_layers": 1}, "16 unexpected (" + LAYER + "1."),
        ({"vocab_size": 5}, "1 of another shape (bert.embeddings.word_embeddings.weight is "),
    ],
)
@pytest.mark.parametrize("verb", [["run", "--model"], ["evaluate"]])
def test_what_does_not_fit_is_found_before_anything_is_computed(harness, partial, tmp_path, verb, changes, misfit):
    config = json.loads((partial / "config.json").read_text())
    layers = config["num_hidden_layers"] - 1
    (partial / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers, **changes}))
    asked = [*verb, partial, "--task", "sst2", "--limit", "24"]
    for more in (["--dry-run"], []):
        assert misfit in harness(*asked, *more, code=2).stderr
    assert not list((tmp_path / "results" / "cells").iterdir()) and not list((tmp_path / "results" / "runs").glob("*"))
    done = harness(*asked, "--dry-run", "--allow-partial")
    assert "sst2" in done.stdout


def test_a_model_that_fits_and_other_models_of_the_run_wait_for_one_that_does_not(harness, partial, saved):
    command = ("run", "--model", saved("bert", num_labels=2), "--model", partial, "--task", "sst2", "--limit", "24")
    assert "16 missing (" + LAYER in harness(*command, code=2).stderr
    assert harness(*command, "--dry-run", "--allow-partial").stdout.count("finetune") == 2


def test_the_gate_and_compare_say_that_weights_were_random(harness, partial):
    harness("evaluate", partial, "--task", "sst2", "--limit", "24", "--allow-partial")
    harness("baseline", "accept", "--name", "main")
    said = f"{partial.name} of "
    for command in (["gate", "--baseline", "main"], ["compare", "latest", "latest"]):
        printed = harness(*command).stdout
        assert "and are random there: 16 missing (" + LAYER in printed.replace("\\", "") and said in printed.lower()
    judged = json.loads(harness("gate", "--baseline", "main", "--json").stdout)
    assert len([note for note in judged["notes"] if "are random there" in note]) == 2, "of the baseline and the run"
