"""`torchrun -m harness run`: fine-tuning by several processes, which is that of one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from harness.training.curves import LOSSES, read_losses
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
    """A command in two processes or more over gloo, killed with all of them when files of a pattern are there."""

    def call(*arguments: str, count: int = 2, until: str | None = None, module: tuple[str, ...] = ("-m", "harness")):
        torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", str(count), *module)
        environment = {"HARNESS_CACHE": str(machine_cache), "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        started = subprocess.Popen(
            [sys.executable, "-m", *torchrun, *arguments],
            cwd=tmp_path, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        group = started.pid
        try:
            while until is not None and not list(tmp_path.glob(until)) and started.poll() is None:
                time.sleep(0.02)
            if until is not None:
                _kill_all(group)
            out, err = started.communicate(timeout=300)
        finally:
            _kill_all(group)
        return subprocess.CompletedProcess(started.args, started.returncode, out, err)

    return call


def _kill_all(torchrun: int):
    """The processes that `torchrun` has started are in groups of their own."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(torchrun)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def fitted(result: dict, folder, name="tiny"):
    """The record of a model's fine-tuning, and its weights."""
    (cell,) = (cell for cell in result["cells"] if cell["kind"] == "finetune" and cell["model"] == name)
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
    ("begun", "ended", "flags"),
    [
        pytest.param(4, 2, ["--fsdp"], id="sharded"),
        pytest.param(2, 3, [], id="whole", marks=pytest.mark.nightly),
    ],
)
def test_a_fine_tuning_that_is_killed_goes_on_with_another_number_of_processes(
    begun, ended, flags, harness, together, tmp_path
):
    (tmp_path / "tiny.yaml").write_text(MODEL.replace("epochs: 2", "epochs: 8"))
    command = (*COMMAND[:5], *COMMAND[7:])
    alone = read_json(harness(*command, "--executor", "inline", "--out", "one", "--json").stdout)
    command = (*command, *flags, "--out", "two", "--checkpoint-every", "10")
    killed = together(*command, count=begun, until="two/partial/*/0*/checksums.json")
    assert killed.returncode != 0
    parts = [path.name for path in (tmp_path / "two").glob("partial/*/0*/*")]
    assert ("sharded" in parts) == bool(flags) and ("weights.safetensors" in parts) != bool(flags)
    done = together(*command, "--json", count=ended)
    assert done.returncode == 0, done.stderr[-3000:]
    several = read_json(done.stdout)
    one_fit, fit = (fitted(result, tmp_path / out)[0] for result, out in ((alone, "one"), (several, "two")))
    assert fit["steps"] == one_fit["steps"] == 8 * 13
    assert fit["resumed_from"] >= 10 and "resumed_from" not in one_fit
    assert fit["loss"] == pytest.approx(one_fit["loss"], rel=1e-3)
    expected, curve = (read_losses(next((tmp_path / out).glob(f"cells/*/*/{LOSSES}"))) for out in ("one", "two"))
    assert curve == pytest.approx(expected, rel=5e-3, abs=1e-4)
    assert not list((tmp_path / "two").glob("partial/*"))


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_read_their_part_of_a_checkpoint_fine_tune_the_model_that_one_does(
    count, harness, together, saved, tmp_path
):
    """A model with a new head in half precision and several files, a sentence encoder, and one with tied weights."""
    import torch
    from transformers import AutoModel

    encoder = saved("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    decoder = saved("gpt2", embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
    shutil.copytree(encoder, tmp_path / "half")
    half = AutoModel.from_pretrained(encoder).to(torch.bfloat16)
    (tmp_path / "half" / "model.safetensors").unlink()
    half.save_pretrained(tmp_path / "half", max_shard_size="40KB")
    assert (tmp_path / "half" / "model.safetensors.index.json").is_file()
    shutil.copytree(encoder, tmp_path / "sentences")
    AutoModel.from_pretrained(encoder).save_pretrained(tmp_path / "sentences")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    (tmp_path / "sentences" / "modules.json").write_text(json.dumps(modules))
    options = ("--task", "sst2", "--limit", "40", "--epochs", "1", "--batch-size", "7")
    for name, start in (("half", tmp_path / "half"), ("sentences", tmp_path / "sentences"), ("decoder", decoder)):
        (tmp_path / f"{name}.yaml").write_text(
            f"{{name: {name}, learner: transformer, pretrained: {start}, training: {{precision: fp32}}}}"
        )
        options = (*options, "--include", f"{name}.yaml", "--model", name)
    alone = read_json(harness("run", *options, "--executor", "inline", "--out", "one", "--json").stdout)
    done = together("run", *options, "--fsdp", "--out", "several", "--json", count=count)
    assert done.returncode == 0, done.stderr[-3000:]
    several = read_json(done.stdout)
    assert [cell["status"] for cell in several["cells"]] == ["done"] * 6
    for name in ("half", "sentences", "decoder"):
        one, other = fitted(alone, tmp_path / "one", name), fitted(several, tmp_path / "several", name)
        assert other[0]["steps"] == one[0]["steps"] == 6
        assert other[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-4), name
        assert other[1].keys() == one[1].keys()
        for key, weight in one[1].items():
            assert other[1][key].numpy() == pytest.approx(weight.numpy(), abs=2e-3), f"{name} {key}"
    first, second = (
        {score["model"]["name"]: score["scores"]["accuracy"]["value"] for score in result["scores"]}
        for result in (alone, several)
    )
    assert second == first


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


SCRIPT = """\
import json, os
import harness

rank = os.environ["RANK"]
asked = dict(task="sst2", models=["tiny"], include=["tiny.yaml"], limit=90, out="two", executor="torchrun", fsdp=True)
first, again = harness.run(**asked), harness.run(**asked)
try:
    harness.run(**asked | {"models": ["nobody"]})
except harness.HarnessError as error:
    refused = str(error)
values = [score.value for score in first.scores]
open(f"told-{rank}.json", "w").write(json.dumps([first.name, values, again.ok, refused]))
"""


@pytest.mark.slow
def test_every_process_of_a_script_gets_the_run_that_all_have_computed(harness, together, tmp_path):
    (tmp_path / "tiny.yaml").write_text(MODEL)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = together("script.py", module=())
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (read_json((tmp_path / f"told-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second and first[1] and first[2] and "nobody" in first[3]
    alone = read_json(harness(*COMMAND, "--executor", "inline", "--out", "one", "--json").stdout)
    result = read_json(harness("show", first[0], "--results", "two", "--json").stdout)
    assert fitted(result, tmp_path / "two")[0]["loss"] == pytest.approx(
        fitted(alone, tmp_path / "one")[0]["loss"], rel=1e-4
    )


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
