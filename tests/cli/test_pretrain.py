"""`harness pretrain`, and model specs that are pretrained in a run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, read_json

QUICK = ("--steps", "12", "--sentences", "300", "--batch-size", "8")
RECIPE = """\
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64}
tokenizer: {kind: wordpiece, vocab_size: 600, corpus: pretraining}
pretraining: {objective: mlm, sentences: 300, steps: 20, block_size: 32, batch_size: 8}
training: {epochs: 1, learning_rate: 1.0e-3}
"""


def losses(folder: Path) -> list[float]:
    import pyarrow.parquet as pq

    return pq.read_table(folder / "losses.parquet").column("loss").to_pylist()


@pytest.mark.parametrize(
    ("recipe", "auto_class"),
    [
        ("bert-tiny-mlm", "AutoModelForMaskedLM"),
        ("bert-tiny-token-order", "AutoModel"),
        ("bert-tiny-rtd", "AutoModel"),
        ("gpt2-tiny-clm", "AutoModelForCausalLM"),
        ("t5-tiny-span", "AutoModelForSeq2SeqLM"),
    ],
)
def test_every_recipe_makes_a_checkpoint_that_transformers_loads(recipe, auto_class, harness, tmp_path):
    import torch
    import transformers

    done = read_json(harness("pretrain", recipe, *QUICK, "--json").stdout)
    folder = tmp_path / done["checkpoint"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, report = getattr(transformers, auto_class).from_pretrained(folder, output_loading_info=True)
    assert not report["unexpected_keys"]
    assert {name.split(".")[0] for name in report["missing_keys"]} <= {"pooler"}
    assert not list(Path(folder).glob("*.bin"))
    assert sum(parameter.numel() for parameter in model.parameters()) >= done["model"]["parameters"]
    inputs = tokenizer("The farmer saw a dog.", return_tensors="pt")
    assert inputs["input_ids"].max() < model.config.vocab_size
    with torch.inference_mode():
        model.get_encoder()(**inputs) if recipe.startswith("t5") else model(**inputs)
    assert done["fit"]["steps"] == 12
    assert done["fit"]["curve"][-1][0] == 12
    assert done["scores"]
    for one in done["scores"].values():
        assert one["low"] <= one["value"] <= one["high"]
        assert one["n"] > 0
    assert model.config.to_dict().get("hidden_dropout_prob", 0.1) == 0.1, "the config keeps its own dropout"


def test_the_same_command_again_is_cached_and_the_output_is_a_copy(harness, tmp_path):
    first = harness("pretrain", "bert-tiny-mlm", *QUICK)
    again = harness("pretrain", "bert-tiny-mlm", *QUICK, "-o", "copy/checkpoint")
    assert "step 12/12" in first.stderr
    assert "step" not in again.stderr.split("bert-tiny-mlm:")[0]
    folder = tmp_path / first.stdout.strip()
    assert again.stdout.strip() == "copy/checkpoint"
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "copy/checkpoint/model.safetensors").read_bytes()
    refused = harness("pretrain", "bert-tiny-mlm", *QUICK, "-o", "copy/checkpoint", code=2)
    assert "it is already there" in refused.stderr


@pytest.mark.process
@pytest.mark.slow
def test_killed_and_resumed_ends_like_an_unbroken_pretraining(harness, machine_cache, tmp_path):
    command = ("pretrain", "bert-tiny-mlm", "--steps", "150", "--sentences", "300", "--batch-size", "8")
    command += ("--checkpoint-every", "10", "--threads", "1")
    whole = tmp_path / harness(*command, "--out", "whole").stdout.strip()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *command, "--out", "broken"], cwd=tmp_path, stderr=subprocess.PIPE,
        env={**os.environ, "HARNESS_CACHE": str(machine_cache)},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((tmp_path / "broken").glob("partial/*/0*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list((tmp_path / "broken").glob("cells/*/*"))
    resumed = harness(*command, "--out", "broken", "--resume", "--json")
    done = read_json(resumed.stdout)
    assert done["fit"]["resumed_from"] >= 10
    broken = tmp_path / done["checkpoint"]
    assert losses(broken.parent) == losses(whole.parent)
    assert (broken / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert not list((tmp_path / "broken").glob("partial/*"))


def test_a_damaged_checkpoint_is_named_and_a_run_starts_over(harness, tmp_path):
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    command = ("run", "--task", "cola", "--model", "tiny", "--include", "tiny.yaml", "--limit", "40", "--json")
    planned = read_json(harness(*command, "--dry-run").stdout)["cells"]
    key = next(cell["cell"] for cell in planned if cell["kind"] == "pretrain")
    checkpoint = tmp_path / "results" / "partial" / key / "000000010"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text("{}")
    done = harness(*command)
    assert f"damaged: results/partial/{key}/{checkpoint.name}/checksums.json is missing" in done.stderr
    assert read_json(done.stdout)["status"] == "done" and not checkpoint.parent.exists()


@pytest.fixture
def two_processes(machine_cache, tmp_path):
    """`harness pretrain` in two processes of `torchrun` over gloo, as JSON."""

    def call(*arguments: str):
        torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "harness")
        environment = {"HARNESS_CACHE": str(machine_cache), "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, "-m", *torchrun, "pretrain", *arguments, "--threads", "1", "--json"],
            cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return read_json(done.stdout)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "flags"), [("mlm", ["--fsdp"]), ("rtd", [])])
def test_two_processes_have_the_loss_curve_of_one(objective, flags, harness, two_processes, tmp_path):
    from transformers import AutoModel

    (tmp_path / "tiny.yaml").write_text(RECIPE.replace("mlm", f"{objective}, precision: fp32"))
    command = ["tiny", "--include", "tiny.yaml", "--steps", "40"]
    alone = tmp_path / harness("pretrain", *command, "--threads", "1", "--out", "one").stdout.strip()
    result = two_processes(*command, *flags, "--out", "two")
    assert result["fit"]["processes"] == 2
    assert result["fit"]["sharded"] == (flags == ["--fsdp"])
    saved = tmp_path / result["checkpoint"]
    _, report = AutoModel.from_pretrained(saved, output_loading_info=True)
    assert {name.split(".")[0] for name in report["missing_keys"]} <= {"pooler"}
    assert (saved / "model.safetensors").stat().st_size == (alone / "model.safetensors").stat().st_size
    two, one = losses(saved.parent), losses(alone.parent)
    assert two[0] == pytest.approx(one[0], rel=1e-6)
    assert two == pytest.approx(one, rel=1e-3), "no more than rounding, which grows from step to step"


@pytest.mark.slow
def test_two_processes_that_go_on_from_a_checkpoint_in_parts_have_the_loss_curve_of_one(
    harness, two_processes, saved, tmp_path
):
    start = str(saved("gpt2"))
    command = [start, "--sentences", "300", "--batch-size", "4", "--steps", "8", "--precision", "fp32"]
    alone = tmp_path / harness("pretrain", *command, "--threads", "1", "--out", "one").stdout.strip()
    result = two_processes(*command, "--fsdp", "--out", "two")
    assert result["fit"]["sharded"] and result["fit"]["processes"] == 2
    two, one = losses((tmp_path / result["checkpoint"]).parent), losses(alone.parent)
    assert len(one) == 8 and two == pytest.approx(one, rel=1e-4)


def test_a_run_pretrains_once_and_fine_tunes_from_it_beside_its_twin(harness, tmp_path):
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    command = ("run", "--task", "cola", "--task", "sst2", "--model", "tiny", "--include", "tiny.yaml", "--limit", "60")
    result = read_json(harness(*command, "--seeds", "2", "--from-scratch", "--json").stdout)
    kinds = [(cell["kind"], cell["model"], cell["seed"]) for cell in result["cells"]]
    assert kinds.count(("pretrain", "tiny", 0)) == 1
    assert ("pretrain", "tiny", 1) not in kinds
    assert {("pretrain", "tiny-scratch", 0), ("pretrain", "tiny-scratch", 1)} <= set(kinds)
    pretrained = {cell["cell"] for cell in result["cells"] if cell["kind"] == "pretrain" and cell["model"] == "tiny"}
    for score in result["scores"]:
        if score["model"]["name"] == "tiny":
            assert score["lineage"]["pretrain"] in pretrained
    again = read_json(harness(*command, "--seeds", "2", "--from-scratch", "--json").stdout)
    assert {cell["status"] for cell in again["cells"]} == {"cached"}
    (table,) = read_json(harness("leaderboard", "--format", "json").stdout)["tables"]
    assert {row["label"]: row["seeds"] for row in table["rows"]} == {"tiny": [2, 2], "tiny-scratch": [2, 2]}


def test_a_checkpoint_of_anybody_has_a_control_with_random_weights(harness, tmp_path, saved):
    from safetensors.torch import load_file

    folder = saved("bert")
    shutil.copytree(folder, tmp_path / "theirs", ignore=shutil.ignore_patterns("harness.json"))
    command = ("run", "--task", "sst2", "--model", "theirs", "--from-scratch", "--limit", "20", "--epochs", "0.1")
    result = read_json(harness(*command, "--learning-rate", "1e-9", "--first-seed", "7", "--json").stdout)
    assert {score["model"]["name"] for score in result["scores"]} == {"theirs", "theirs-scratch"}
    original = load_file(folder / "model.safetensors")["bert.encoder.layer.0.output.dense.weight"]
    for cell in result["cells"]:
        if cell["kind"] == "finetune":
            made = tmp_path / "results" / "cells" / cell["cell"][:2] / cell["cell"] / "model" / "model.safetensors"
            off = float((load_file(made)["bert.encoder.layer.0.output.dense.weight"] - original).abs().max())
            assert (off < 1e-5) == (cell["model"] == "theirs")


def test_a_plan_tells_budgets_and_fractions(harness, tmp_path):
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    told = harness("pretrain", "tiny", "--include", "tiny.yaml", "--budget", "2m", "--dry-run").stdout
    assert "budget 2m" in told and "~120 s" in told
    assert not list((tmp_path / "results").glob("cells/*/*"))
    (tmp_path / "tiny.yaml").write_text(re.sub(r"steps: \d+", "budget: 90s", RECIPE))
    asked = ("--task", "sst2", "--model", "tiny", "--include", "tiny.yaml", "--train-fractions", "0.5,1", "--dry-run")
    plan = harness("run", *asked).stdout
    assert "~90 s" in plan and "50 %" in plan and "100 %" in plan and "trained on" in plan
    cells = read_json(harness("run", *asked, "--json").stdout)["cells"]
    assert {cell["fraction"] for cell in cells if cell["kind"] == "finetune"} == {0.5, 1.0}
    assert [cell["estimated_seconds"] for cell in cells if cell["kind"] == "pretrain"] == [[90.0, 90.0]]


def test_the_results_folder_has_its_old_option_too(harness, tmp_path):
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    command = ("pretrain", "tiny", "--include", "tiny.yaml", "--steps", "2")
    first = harness(*command, "--out", "a").stdout
    assert harness(*command, "--results", "a").stdout == first == harness(*command, "--out=a").stdout
    assert "--results" in harness("pretrain", "--help").stdout and "--out " not in harness("pretrain", "--help").stdout


@pytest.mark.slow
def test_an_objective_from_outside_needs_no_change_of_the_package(harness_process, tmp_path):
    """Through an entry point: an objective that predicts the first word of each block."""
    package = tmp_path / "site" / "harness_first"
    (package / "baselines").mkdir(parents=True)
    (package / "__init__.py").write_text("from harness_first import objective\n")
    (package / "objective.py").write_text('''
"""Unmasked copying: the model is asked for the tokens it sees."""
from harness import register
from harness.training.objectives.mlm import MaskedLM

class Copying(MaskedLM):
    def replaced(self, targets, random):
        return targets

register("objective", "copying", Copying)
''')
    (package / "baselines" / "copier.yaml").write_text(RECIPE.replace("tiny", "copier").replace("mlm", "copying"))
    metadata = tmp_path / "site" / "harness_first-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-first\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[harness.plugins]\nfirst = harness_first\n")
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    assert "copying" in harness_process("list", "objectives", PYTHONPATH=path).stdout
    done = read_json(harness_process("pretrain", "copier", "--steps", "150", "--json", PYTHONPATH=path).stdout)
    assert done["objective"] == "copying"
    assert done["scores"]["masked_accuracy"]["value"] > 0.3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["bert-tiny"],
            "model spec bert-tiny has no pretraining section, and no weights to go on from; those that have: ast-tiny-masked, bert-mini-mlm",
        ),
        (["bert-tiny-mlmm"], "Did you mean 'bert-tiny-mlm'?"),
        (["bert-tiny-mlm", "--steps", "5", "--tokens", "9"], "give one of steps, tokens and budget"),
        (["bert-tiny-mlm", "--budget", "soon"], "budget"),
        (["bert-tiny-mlm", "--corpus", "sythetic"], "synthetic"),
        (["bert-tiny-mlm", "--fsdp"], "there is one; start them with `torchrun"),
        (["bert-tiny-mlm", "--accumulate", "7"], "cannot be split into 7 equal parts"),
        (["bert-tiny-mlm", "--report-to", "wandb"], "pip install 'nlp-harness[wandb]'"),
    ],
)
def test_bad_input_is_one_line(arguments, expected, harness):
    done = harness("pretrain", *arguments, code=2)
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert expected in done.stderr


def test_recipes_whose_parts_do_not_fit_are_refused(harness, tmp_path):
    for old, new, expected in [
        ("objective: mlm", "objective: mlmm", "unknown objective 'mlmm'"),
        ("kind: wordpiece", "kind: unigram", "objective mlm needs a tokenizer of kind wordpiece, not unigram"),
        ("steps: 20", "steps: 20, options: {ratio: 0.3}", "unknown key 'ratio'"),
        (
            "corpus: pretraining",
            "corpus: task",
            "tokenizer.corpus is 'pretraining' where the model spec has pretraining",
        ),
    ]:
        (tmp_path / "tiny.yaml").write_text(RECIPE.replace(old, new))
        done = harness("run", "--task", "cola", "--model", "tiny", "--include", "tiny.yaml", code=2)
        assert expected in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"RANK": "1"}, "RANK=1 and WORLD_SIZE=unset"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2 and WORLD_SIZE=2"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "WORLD_SIZE=2 without MASTER_ADDR"),
        ({"RANK": "x"}, 'RANK="x", which is no number'),
        ({"RANK": "-1"}, 'RANK="-1", which is no number'),
        ({"RANK": "²"}, "which is no number"),
    ],
)
def test_a_process_of_several_that_nobody_started_is_refused(environment, expected, harness):
    done = harness("pretrain", "bert-tiny-mlm", "--steps", "1", "--sentences", "200", code=2, **environment)
    assert expected in done.stderr and "torchrun" in done.stderr
    assert len(done.stderr.splitlines()) == 1
