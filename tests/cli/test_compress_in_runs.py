"""Compression through the command line: as cells of a run, and by its own verb."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Harness, call_harness, read_json

RECIPE = """\
name: small
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 64, max_position_embeddings: 128}
tokenizer: {vocab_size: 500}
training: {epochs: 4, learning_rate: 3.0e-3, max_length: 64}
"""
METHODS = ["int8", "prune-structured:0.5", "distill:small", "prune-structured:0.5|int8", "prune-magnitude"]
RUN = [
    "run",
    "--task",
    "sst2",
    "--task",
    "stsb",
    "--model",
    "small",
    "--model",
    "majority",
    "--limit",
    "120",
    "--include",
    "mine",
]
COMPRESSED = [*RUN, *(flag for method in METHODS for flag in ("--compress", method))]


def write_recipe(folder: Path) -> None:
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "small.yaml").write_text(RECIPE)


@pytest.fixture(scope="module")
def compressed_run(machine_cache, tmp_path_factory) -> tuple[Harness, Path, dict]:
    """A run with compressed models: the command line in its folder, the folder, the run."""
    folder = tmp_path_factory.mktemp("compressed-run")
    write_recipe(folder)
    call = partial(call_harness, folder, machine_cache)
    return call, folder, read_json(call(*COMPRESSED, "--json").stdout)


def test_compressed_models_are_scored_under_names_of_their_own_in_the_runtime_they_are_served_in(compressed_run):
    _, _, result = compressed_run
    assert result["status"] == "done"
    scores = {(one["model"]["name"], one["task"]["name"]): one for one in result["scores"]}
    assert {model for model, _ in scores} == {"small", "majority", *(f"small+{method}" for method in METHODS)}
    runtimes = {model: one["runtime"] for (model, task), one in scores.items() if task == "sst2"}
    assert runtimes["small"] == runtimes["small+distill:small"] == "torch"
    assert runtimes["small+int8"] == runtimes["small+prune-structured:0.5|int8"] == "onnxruntime"
    assert runtimes["majority"] is None
    fits = {
        cell["model"]: cell["cell"] for cell in result["cells"] if cell["kind"] == "finetune" and cell["task"] == "sst2"
    }
    lineage = scores["small+int8", "sst2"]["lineage"]
    assert lineage["finetune"] == fits["small"]
    assert len(lineage["compress"]) == 64
    reasons = {(one["model"], one["task"]): one["reason"] for one in result["not_applicable"]}
    assert reasons["majority+int8", "sst2"] == "only transformers are compressed, not majority"


def test_a_second_run_computes_nothing_and_one_without_methods_shares_its_cells(compressed_run):
    harness, _, _ = compressed_run
    again = read_json(harness(*COMPRESSED, "--json").stdout)
    assert {cell["status"] for cell in again["cells"]} == {"cached"}
    without = read_json(harness(*RUN, "--json").stdout)
    assert {cell["status"] for cell in without["cells"]} == {"cached"}
    assert not any(cell["kind"] == "compress" for cell in without["cells"])


def test_cards_say_what_compression_cost_and_what_it_saved(compressed_run):
    harness, _, _ = compressed_run
    text = harness("leaderboard", "--compression").stdout
    assert "small+prune-structured:0.5\\|int8" in text
    assert "Of small+prune-magnitude: It saves neither time nor memory" in text
    assert "Of small+distill:small: It saves nothing on disk." in text
    (table,) = read_json(harness("leaderboard", "--compression", "--format", "json").stdout)["tables"]
    cards = {(card["model"], card["task"]): card for card in table["cards"]}
    assert len(cards) == 2 * len(METHODS)
    int8 = cards["small+int8", "sst2"]
    assert int8["original"] == "small"
    assert int8["n"] == int8["flips"]["n"] == 120
    assert int8["bytes"][1] < int8["bytes"][0]
    assert int8["change"]["low"] <= int8["change"]["value"] <= int8["change"]["high"]
    assert int8["change"]["value"] == pytest.approx((int8["flips"]["won"] - int8["flips"]["lost"]) / 120)
    assert int8["agreement"] >= 1 - (int8["flips"]["won"] + int8["flips"]["lost"]) / 120 - 1e-9
    assert cards["small+int8", "stsb"]["flips"] is None
    half = cards["small+prune-magnitude", "sst2"]
    assert half["nonzero"][1] < half["nonzero"][0]
    assert "csv" in harness("leaderboard", "--compression", "--format", "csv", code=2).stderr


def test_a_card_and_the_gate_give_a_change_the_same_interval(compressed_run):
    harness, _, result = compressed_run
    (table,) = read_json(harness("leaderboard", "--compression", "--format", "json").stdout)["tables"]
    for method in METHODS:
        pair = ("--model", f"small=small+{method}")
        compared = read_json(harness("compare", result["run"], result["run"], *pair, "--format", "json").stdout)
        drops = {row["task"]: row for row in compared["rows"]}
        for card in (one for one in table["cards"] if one["model"] == f"small+{method}"):
            change, row = card["change"], drops[card["task"]]
            assert (row["drop"], row["low"], row["high"]) == (-change["value"], -change["high"], -change["low"])


def test_a_tables_rows_are_the_models_and_what_was_made_of_them(compressed_run):
    harness, _, _ = compressed_run
    board = harness("leaderboard").stdout
    assert "| small+int8 " in board
    assert "| small+distill:small" in board


def test_a_cells_folder_is_compressed_with_its_own_task_and_training(compressed_run, tmp_path):
    from harness.modeling.runtimes import open_model

    harness, folder, result = compressed_run
    cell = next(cell["cell"] for cell in result["cells"] if cell["kind"] == "finetune" and cell["model"] == "small")
    model = folder / "results" / "cells" / cell[:2] / cell
    out = tmp_path / "pruned"
    said = read_json(
        harness(
            "compress",
            model,
            "--method",
            "prune-structured",
            "--set",
            "ffn=0.75",
            "--set",
            "heads=0",
            "-o",
            out,
            "--json",
        ).stdout
    )
    assert said["steps"][0]["units"]["ffn"]["after"] == 32
    beside = read_json((out / "compression.json").read_text())
    assert beside == {key: value for key, value in said.items() if key not in ("model", "output")}
    assert said["steps"][0]["units"]["heads"]["after"] == 8
    assert open_model(out).settings.compression[0]["method"] == "prune-structured"
    assert "it is already there" in harness("compress", model, "--method", "int8", "-o", out, code=2).stderr
    text = harness("compress", out, "--method", "int8", "-o", tmp_path / "both").stdout
    assert "13 of 13 linear layers are int8" in text
    assert [one["method"] for one in open_model(tmp_path / "both").settings.compression] == ["prune-structured", "int8"]
    refused = harness("compress", tmp_path / "both", "--method", "int8-weight", "-o", tmp_path / "third", code=2)
    assert "compressed already and runs in onnxruntime" in refused.stderr
    assert not (tmp_path / "third").exists()
    bare = harness(
        "compress", model / "model", "--method", "distill:layers=1", "-o", tmp_path / "c", "--task", "mnli", code=2
    )
    assert "task mnli has 3 classes, but the model 2" in bare.stderr
    lost = harness("compress", out, "--method", "prune-structured", "-o", tmp_path / "c", code=2)
    assert "name their task with --task" in lost.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


PLUGIN = '''
"""Every weight of the encoder rounded to so many decimals."""

from pydantic import Field

from harness import register
from harness.compression import Compressor
from harness.core.strict_spec import Strict


class Rounded(Compressor):
    main = "decimals"

    class Options(Strict):
        decimals: int = Field(default=2, ge=0)

    def compress(self, request):
        from harness.modeling.weights.layers import linear_layers
        from harness.compression.saving import save
        from harness.modeling.runtimes.torch_eager import load

        model, tokenizer = load(request.source)
        layers = linear_layers(model)
        for layer in layers.values():
            layer.weight.data = layer.weight.data.round(decimals=self.options.decimals)
        save(model, tokenizer, request.source, request.target)
        return {"rounded": len(layers)}


register("compressor", "rounded", Rounded)
'''


def test_a_folder_given_to_include_adds_a_compressor(harness, tmp_path):
    write_recipe(tmp_path)
    (tmp_path / "mine" / "plugin.py").write_text(PLUGIN)
    assert "Every weight of the encoder rounded" in harness("list", "compressors", "--include", "mine").stdout
    command = [
        "run",
        "--task",
        "sst2",
        "--model",
        "small",
        "--limit",
        "40",
        "--epochs",
        "1",
        "--include",
        "mine",
        "--json",
    ]
    result = read_json(harness(*command, "--compress", "rounded:1").stdout)
    assert {one["model"]["name"] for one in result["scores"]} == {"small", "small+rounded:1"}
    changed = PLUGIN.replace("round(decimals", "clone().round(decimals")
    (tmp_path / "mine" / "plugin.py").write_text(changed)
    again = read_json(harness(*command, "--compress", "rounded:1").stdout)
    statuses = {(cell["kind"], cell["model"]): cell["status"] for cell in again["cells"]}
    assert statuses["finetune", "small"] == "cached"
    assert statuses["compress", "small+rounded:1"] == "done"


@pytest.mark.slow
def test_an_installed_package_adds_a_compressor_through_an_entry_point(harness_process, tmp_path):
    site = tmp_path / "site"
    (site / "harness_round").mkdir(parents=True)
    (site / "harness_round" / "__init__.py").write_text("from harness_round import plugin\n")
    (site / "harness_round" / "plugin.py").write_text(PLUGIN)
    metadata = site / "harness_round-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-round\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[harness.plugins]\nround = harness_round\n")
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    assert "rounded" in harness_process("list", "compressors", PYTHONPATH=path).stdout
    wrong = harness_process(
        "run", "--task", "sst2", "--model", "bert-tiny", "--compress", "rounded:-1", code=2, PYTHONPATH=path
    )
    assert "decimals: input should be greater than or equal to 0" in wrong.stderr


@pytest.mark.slow
@pytest.mark.process
def test_planning_a_compression_imports_no_model_code(compressed_run, machine_cache):
    import os
    import subprocess
    import sys

    call, folder, _ = compressed_run
    call(*COMPRESSED)  # the first table of a run is kept, and takes more to make
    command = [sys.executable, "-X", "importtime", "-m", "harness", *COMPRESSED]
    environment = {**os.environ, "HARNESS_CACHE": str(machine_cache)}  # the machine is known by its calibration
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"torch", "transformers", "onnx", "onnxruntime", "datasets", "pandas"}


@pytest.mark.slow
def test_what_is_made_of_a_model_that_is_shown_examples_is_shown_the_same(harness, saved, tmp_path):
    model = tmp_path / "lm"
    shutil.copytree(saved("gpt2"), model)
    asked = ["--task", "sst2@2-shot", "--task", "story-generation@0-shot", "--model", model, "--limit", "12"]
    methods = ["--compress", "int8", "--compress", "int8-weight", "--compress", "distill:layers=1"]
    result = read_json(harness("run", *asked, *methods, "--seeds", "2", "--json").stdout)
    assert result["status"] == "done"
    assert [cell["task"] for cell in result["cells"] if cell["kind"] == "compress"] == ["", ""], "once for all tasks"
    scores = {(one["model"]["name"], one["task"]["name"], one["seed"]): one for one in result["scores"]}
    assert {(name, seed) for name, task, seed in scores if task == "sst2@2-shot"} == {
        (name, seed) for name in ("lm", "lm+int8", "lm+int8-weight") for seed in (0, 1)
    }
    small, plain = scores["lm+int8", "sst2@2-shot", 1], scores["lm", "sst2@2-shot", 1]
    assert (plain["runtime"], small["runtime"]) == (None, "onnxruntime")
    assert small["data"]["fingerprint"] == plain["data"]["fingerprint"], "the same examples are shown"
    reasons = {(one["model"], one["task"]): one["reason"] for one in result["not_applicable"]}
    assert "it learns from the examples of a task" in reasons["lm+distill:layers=1", "sst2@2-shot"]
    (table,) = read_json(harness("leaderboard", "--compression", "--format", "json").stdout)["tables"]
    card = next(one for one in table["cards"] if (one["model"], one["task"]) == ("lm+int8", "sst2@2-shot"))
    assert (card["original"], card["seeds"], card["n"]) == ("lm", 2, 12)
    harness("leaderboard", "--html", "page.html")

    out = tmp_path / "small"
    harness("compress", model, "--method", "int8", "-o", out)
    evaluated = read_json(harness("evaluate", out, *asked[:4], "--limit", "12", "--json").stdout)
    alone = {one["task"]["name"]: one for one in evaluated["scores"]}
    for task in ("sst2@2-shot", "story-generation@0-shot"):
        assert alone[task]["predictions"] == scores["lm+int8", task, 0]["predictions"]
    again = read_json(harness("run", *asked, *methods, "--seeds", "2", "--json").stdout)
    assert {cell["status"] for cell in again["cells"]} == {"cached"}


def test_a_finished_model_is_compressed_without_being_trained(harness, saved, tmp_path):
    model = shutil.copytree(saved("bert", id2label={0: "negative", 1: "positive"}), tmp_path / "finished")
    asked = ["run", "--no-train", "--task", "sst2", "--limit", "30", "--model", model, "--compress", "prune-magnitude"]
    result = read_json(harness(*asked, "--compress", "int8", "--json").stdout)
    assert [cell["kind"] for cell in result["cells"]] == ["compress", "compress", "score", "score", "score"]
    assert {one["model"]["name"] for one in result["scores"]} == {
        "finished", "finished+int8", "finished+prune-magnitude",
    }  # fmt: skip
    harness("compress", model, "--method", "int8", "-o", "small")
    again = read_json(harness(*asked[:6], "--model", "small", *asked[-2:], "--json").stdout)
    assert "compressed already" in again["not_applicable"][0]["reason"]
    scores = {one["model"]["name"]: one["predictions"] for one in result["scores"]}
    assert again["scores"][0]["predictions"] == scores["finished+int8"]
