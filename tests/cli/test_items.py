"""Images and sounds through the whole line: pretrained with captions, scored without training, fine-tuned."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, read_json

pytest.importorskip("PIL", reason="Pillow is not installed")

TOWERS = """\
name: towers
learner: transformer
config:
  model_type: clip
  projection_dim: 32
  text_config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2,
                max_position_embeddings: 16}
  vision_config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2, image_size: 16,
                  patch_size: 4}
tokenizer: {kind: wordpiece, vocab_size: 200, corpus: pretraining}
pretraining: {objective: image-text, corpus: sklearn-digits, steps: STEPS, batch_size: 64, block_size: 16,
              learning_rate: 2.0e-3, schedule: cosine, precision: fp32}
training: {epochs: 2, batch_size: 32, learning_rate: 1.0e-3, precision: fp32}
"""
ENCODER = """\
name: encoder
learner: transformer
config: {model_type: vit, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2,
         image_size: 16, patch_size: 4}
pretraining: {objective: masked-patches, corpus: sklearn-digits, steps: 5, batch_size: 16, block_size: 8,
              precision: fp32, options: {width: 16, layers: 1}}
training: {epochs: 1, batch_size: 32, learning_rate: 1.0e-3, precision: fp32}
"""


def written(tmp_path, steps=3, text=TOWERS):
    (tmp_path / "towers.yaml").write_text(text.replace("STEPS", str(steps)))
    (tmp_path / "encoder.yaml").write_text(ENCODER)
    return ("--include", "towers.yaml", "--include", "encoder.yaml")


def run(harness, include, *arguments, **options):
    return harness("run", *include, *arguments, "--executor", "inline", "--threads", "1", "--json", **options)


def test_two_towers_are_pretrained_asked_without_training_and_fine_tuned(harness, tmp_path):
    include = written(tmp_path)
    arguments = ("--task", "digits@0-shot", "--task", "digits", "--model", "towers", "--model", "encoder")
    made = read_json(run(harness, include, *arguments, "--limit", "60").stdout)
    assert {cell["status"] for cell in made["cells"]} == {"done"}
    scores = {(score["task"]["name"], score["model"]["name"]): score for score in made["scores"]}
    assert scores.keys() == {("digits@0-shot", "towers"), ("digits", "towers"), ("digits", "encoder")}
    assert scores["digits@0-shot", "towers"]["decoding"]["templates"] == ["a handwritten {label}"]
    again = read_json(run(harness, include, *arguments, "--limit", "60").stdout)
    assert {cell["status"] for cell in again["cells"]} == {"cached"}
    harness("leaderboard", "--html", "page.html")
    data = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "page.html").read_text(), re.S)[1])
    assert {view["task"] for view in data["examples"]} == {"digits", "digits@0-shot"}
    for view in data["examples"]:
        assert view["fields"] == ["image"] and not view["not_shown"] and len(view["shown"]) == 60
        assert {data["shown"][number][0] for (number,) in view["shown"]} == {"img"}
    assert len(data["shown"]) == 60, "two tables show the same images"


@pytest.mark.slow
@pytest.mark.nightly
def test_the_shipped_towers_tell_more_than_nine_in_ten_digits_without_training(harness):
    made = read_json(run(harness, (), "--task", "digits@0-shot", "--model", "clip-digits").stdout)
    (score,) = made["scores"]
    assert score["scores"]["accuracy"]["value"] > 0.9 and score["scores"]["accuracy"]["low"] > 0.85


@pytest.mark.slow
def test_digits_are_told_by_their_captions(harness, tmp_path):
    made = read_json(run(harness, written(tmp_path, 300), "--task", "digits@0-shot", "--model", "towers").stdout)
    (score,) = made["scores"]
    assert score["scores"]["accuracy"]["low"] > 0.6  # chance is 0.1


@pytest.mark.slow
def test_two_processes_train_the_towers_that_one_does(harness, machine_cache, tmp_path):
    include = written(tmp_path, 12)
    alone = read_json(harness("pretrain", "towers", *include, "--results", "one", "--json").stdout)
    parts = read_json(
        harness("pretrain", "towers", *include, "--accumulate", "4", "--results", "parts", "--json").stdout
    )
    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "harness")
    environment = {"HARNESS_CACHE": str(machine_cache), "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", *torchrun, "pretrain", "towers", *include, "--results", "two", "--json"],
        cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    two = read_json(done.stdout)
    assert two["fit"]["processes"] == 2
    losses = [loss for _, loss in alone["fit"]["curve"]]
    for other in (parts, two):
        assert [loss for _, loss in other["fit"]["curve"]] == pytest.approx(losses, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("objective: image-text", "objective: audio-text"), "sklearn-digits has images, and no audio"),
        (("model_type: clip", "model_type: bert"), "unknown key 'projection_dim' in the config of bert"),
        (("image_size: 16,", "image_sizes: 16,"), "Did you mean 'image_size'"),
        (("precision: fp32}\ntraining", "compile: true}\ntraining"), "compile is for text alone"),
        (("precision: fp32}\ntraining", "augment: {operations: [swop]}}\ntraining"), "Did you mean 'swap'?"),
        (("objective: image-text", "objective: image-text, options: {loss: sigmoid}"), "sigmoid needs a bias"),
        (("corpus: sklearn-digits", "corpus: nowhere"), "no such file or folder: nowhere"),
        (
            ("batch_size: 64", "batch_size: 2000"),
            "1368 images to train on, and a batch of 2000 compares different ones",
        ),
    ],
)
def test_what_cannot_be_pretrained_is_said_in_a_line(harness, tmp_path, change, said):
    assert change[0] in TOWERS
    include = written(tmp_path, text=TOWERS.replace(*change))
    done = harness("pretrain", "towers", *include, code=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) <= 2


def test_a_model_of_texts_does_no_task_of_images_and_the_other_way_round(harness, tmp_path):
    include = written(tmp_path)
    done = run(harness, include, "--task", "digits", "--model", "bert-tiny", code=2)
    assert "has no head for image-classification" in done.stderr
    done = run(harness, include, "--task", "sst2", "--model", "towers", code=2)
    assert "has no head for classification" in done.stderr
    done = run(harness, include, "--task", "digits@4-shot", "--model", "towers", code=2)
    assert "no examples of image files are shown to a model; ask for 0-shot" in done.stderr


@pytest.mark.slow
def test_a_linear_probe_is_a_classifier_that_a_second_process_scores_alike(harness, harness_process, tmp_path):
    made = read_json(run(harness, (), "--task", "digits", "--model", "clip-digits-probe").stdout)
    (score,) = made["scores"]
    assert score["scores"]["accuracy"]["value"] > 0.85
    (fit,) = (folder for folder in tmp_path.rglob("model") if (folder / "harness.json").is_file())
    shutil.copytree(fit, tmp_path / "probe")
    again = read_json(harness_process("evaluate", "./probe", "--task", "digits", "--json").stdout)
    assert again["scores"][0]["scores"]["accuracy"]["value"] == score["scores"]["accuracy"]["value"]


def test_a_linear_probe_is_refused_where_it_has_no_place(harness, tmp_path):
    probe = "name: probe\nlearner: transformer\npretrained: ./bert\noptions: {linear_probe: true}\n"
    include = written(tmp_path, text=TOWERS + "options: {linear_probe: true}\n")
    done = run(harness, include, "--task", "digits", "--model", "towers", "--select", "best", code=2)
    assert "a linear probe has no epochs" in done.stderr
    (tmp_path / "wrong.yaml").write_text(probe.replace("true", "yes please"))
    done = run(harness, ("--include", "wrong.yaml"), "--task", "digits", "--model", "probe", code=2)
    assert "linear_probe is true or false" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("model", ["siglip-tiny", "clap-tiny", "vit-tiny-mae", "ast-tiny-masked"])
def test_every_shipped_model_of_items_is_pretrained(harness, tmp_path, model):
    if model in ("clap-tiny", "ast-tiny-masked"):
        pytest.importorskip("soundfile", reason="soundfile is not installed")
    few = ("--steps", "2", "--sentences", "150", "--batch-size", "16")
    made = read_json(harness("pretrain", model, *few, "-o", "made", "--json").stdout)
    assert made["fit"]["unit"] in ("images", "sounds") and made["fit"]["tokens"] == 32
    from transformers import AutoConfig, AutoModel

    assert AutoModel.from_pretrained(tmp_path / "made").config.model_type == AutoConfig.from_pretrained(
        tmp_path / "made"
    ).model_type  # fmt: skip
    assert (tmp_path / "made" / "preprocessor_config.json").is_file()


@pytest.mark.slow
def test_two_towers_of_others_are_trained_further_and_asked(harness, tmp_path):
    include = written(tmp_path)
    harness("pretrain", "towers", *include, "-o", "first")
    (tmp_path / "first" / "harness.json").unlink(missing_ok=True)
    harness("pretrain", "./first", "--corpus", "sklearn-digits", "--steps", "2", "-o", "second")
    made = read_json(
        run(harness, (), "--task", "digits@0-shot", "--model", "./second", "--limit", "30", "--no-train").stdout
    )
    assert made["scores"][0]["n"] == 30


@pytest.mark.slow
def test_a_modality_of_ones_own_goes_the_same_way(harness, tmp_path):
    """The module and the task are those of docs/extending/modality.md."""
    import re

    import numpy as np

    page = (ROOT / "docs" / "extending" / "modality.md").read_text()
    (tmp_path / "drawings.py").write_text(re.search(r"```python title=.*?\n(.*?)```", page, re.DOTALL)[1])
    (tmp_path / "drawings.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    written(tmp_path)
    random = np.random.default_rng(0)
    for split, n in (("train", 24), ("dev", 12)):
        rows = ["file,label"]
        (tmp_path / "data" / split).mkdir(parents=True)
        for number in range(n):
            name = f"{split}/{number}.npy"
            label = ("dark", "light")[number % 2]
            np.save(tmp_path / "data" / name, random.uniform(0.5 * (number % 2), 0.5 + 0.5 * (number % 2), (16, 16)))
            rows.append(f"{name},{label}")
        (tmp_path / "data" / f"{split}.csv").write_text("\n".join(rows))
    include = ("--include", "drawings.py", "--include", "drawings.yaml", "--include", "encoder.yaml")
    made = read_json(run(harness, include, "--task", "drawings", "--data", "data", "--model", "encoder").stdout)
    assert made["scores"][0]["n"] == 12
    (tmp_path / "data" / "dev" / "3.npy").write_bytes(b"no array")
    done = run(harness, include, "--task", "drawings", "--data", "data", "--model", "encoder", code=None)
    assert done.returncode != 0 and "no array of numpy" in done.stdout + done.stderr
