"""`torchrun -m harness run`: fine-tuning by several processes, which is that of one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from safetensors.torch import load_file

from tests.conftest import ROOT, read_json

MODEL = """\
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64,
         hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}
tokenizer: {kind: wordpiece, vocab_size: 400, corpus: task}
training: {epochs: 2, batch_size: 7, learning_rate: 1.0e-3, precision: fp32}
"""
COMMAND = ("run", "--task", "sst2", "--model", "tiny", "--model", "tfidf", "--include", "tiny.yaml", "--limit", "90")


@pytest.fixture
def together(machine_cache, tmp_path):
    """A command in two processes over gloo."""

    def call(*arguments: str):
        torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "harness")
        environment = {"HARNESS_CACHE": str(machine_cache), "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(
            [sys.executable, "-m", *torchrun, *arguments],
            cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    return call


def fitted(result: dict, folder):
    """The record of tiny's fine-tuning, and its weights."""
    (cell,) = (cell for cell in result["cells"] if cell["kind"] == "finetune" and cell["model"] == "tiny")
    place = folder / "cells" / cell["cell"][:2] / cell["cell"]
    return read_json((place / "record.json").read_text())["fit"], load_file(place / "model" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--fsdp"]], ids=["whole", "sharded"])
def test_two_processes_fine_tune_the_model_that_one_does(flags, harness, together, tmp_path):
    (tmp_path / "tiny.yaml").write_text(MODEL)
    alone = read_json(harness(*COMMAND, "--executor", "inline", "--out", "one", "--json").stdout)
    done = together(*COMMAND, *flags, "--out", "two", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    two = read_json(done.stdout)
    assert [(cell["kind"], cell["model"], cell["status"]) for cell in two["cells"]] == [
        (cell["kind"], cell["model"], cell["status"]) for cell in alone["cells"]
    ]
    assert [cell["cell"] for cell in two["cells"]] == [cell["cell"] for cell in alone["cells"]], (
        "keys do not know of it"
    )
    (one_fit, one), (two_fit, weights) = fitted(alone, tmp_path / "one"), fitted(two, tmp_path / "two")
    assert two_fit["steps"] == one_fit["steps"] and two_fit["tokens"] == one_fit["tokens"]
    assert two_fit["loss"] == pytest.approx(one_fit["loss"], rel=1e-4)
    assert weights.keys() == one.keys()
    for name, weight in one.items():
        assert weights[name].numpy() == pytest.approx(weight.numpy(), abs=2e-3), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "flags"),
    [
        ("freelb", ()), ("vat", ("--fsdp",)),
        *(pytest.param(method, flags, marks=pytest.mark.nightly) for method, flags in (
            ("fgm", ()), ("smart:proximal=0", ()), ("vat", ()), ("r-drop", ()), ("fgm", ("--fsdp",)),
            ("freelb", ("--fsdp",)), ("smart:proximal=0", ("--fsdp",)), ("r-drop", ("--fsdp",)),
        )),
    ],
)  # fmt: skip
def test_two_processes_perturb_as_one_does(method, flags, harness, together, tmp_path):
    (tmp_path / "tiny.yaml").write_text(MODEL)
    command = (*COMMAND, "--adversarial", method, "--epochs", "1")
    alone = read_json(harness(*command, "--executor", "inline", "--out", "one", "--json").stdout)
    done = together(*command, *flags, "--out", "two", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    (one_fit, one), (two_fit, weights) = (
        fitted(alone, tmp_path / "one"),
        fitted(read_json(done.stdout), tmp_path / "two"),
    )
    assert two_fit["loss"] == pytest.approx(one_fit["loss"], rel=1e-4)
    for name, weight in one.items():
        assert weights[name].numpy() == pytest.approx(weight.numpy(), abs=2e-3), name


@pytest.mark.slow
def test_what_cannot_be_sharded_is_refused_and_the_processes_end(together, tmp_path):
    (tmp_path / "tiny.yaml").write_text(MODEL.replace("precision", "select: best, precision"))
    done = together(*COMMAND, "--fsdp")
    assert done.returncode != 0
    assert "model spec tiny: select: best does not go with --fsdp" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.split("does not go with")[0]


def test_fsdp_and_the_executor_need_several_processes(harness, tmp_path):
    done = harness("run", "--task", "sst2", "--model", "tfidf", "--fsdp", code=2)
    assert "fsdp" in done.stderr and "torchrun" in done.stderr
    done = harness("run", "--task", "sst2", "--model", "tfidf", "--executor", "torchrun", code=2)
    assert "torchrun --nproc-per-node N -m harness run" in done.stderr
