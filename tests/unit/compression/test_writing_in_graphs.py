"""Generative models, in ONNX Runtime and OpenVINO: the texts of torch, in float and much the same in int8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from harness.core.errors import HarnessError
from tests.conftest import ROOT

pytest.importorskip("onnxruntime")

KINDS = [("t5", "dialogsum"), ("gpt2", "story-generation")]
GREEDY = {"num_beams": 1, "do_sample": False}
DECODINGS = [GREEDY, {"num_beams": 3, "do_sample": False}, {"do_sample": True, "num_beams": 1, "top_p": 0.9}]
SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 300,
    "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
BART = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "pad_token_id": 0,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 300,
    "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip


def written(model, folder=None, **decoding):
    task = model.examples.task
    task = task.model_copy(update={"decoding": task.decoding.model_copy(update={"max_new_tokens": 24, **decoding})})
    return replace(model, examples=replace(model.examples, task=task)).predict(folder).values


def random_model(kind, **config):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    torch.manual_seed(0)
    made = AutoConfig.for_model(kind, **config)
    return (AutoModelForSeq2SeqLM if made.is_encoder_decoder else AutoModelForCausalLM).from_config(made).eval()


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_a_float_graph_writes_the_texts_of_torch(trained, compressed, kind, task, runtime):
    pytest.importorskip(runtime)
    from harness.modeling.runtimes import open_model

    model = trained(kind, task, 12)
    folder, said = compressed(model, {"onnxruntime": "onnx"}.get(runtime, runtime))
    assert said["runtime"] == open_model(folder).name == runtime
    assert not list(folder.glob("*.safetensors"))
    for decoding in DECODINGS:
        texts = written(model, folder, **decoding)
        assert any(texts) and texts.tolist() == written(model, **decoding).tolist(), decoding


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_after_the_prompt_a_step_reads_one_token(trained, compressed, monkeypatch, kind, task):
    from harness.modeling.runtimes.graph_file import Graph
    from harness.modeling.runtimes.graph_writer import PAST

    folder, _ = compressed(trained(kind, task, 12), "onnx")
    steps = []

    def watched(graph, **inputs):
        if (past := inputs.get(f"{PAST}.0.key")) is not None:
            steps.append((inputs["input_ids"].shape[1], past.shape[2]))
        return call(graph, **inputs)

    call = Graph.__call__
    monkeypatch.setattr(Graph, "__call__", watched)
    for decoding in DECODINGS:
        steps.clear()
        written(trained(kind, task, 12), folder, **decoding)
        assert {length for length, past in steps if past} == {1}, decoding
        assert max(past for _, past in steps) >= 10


@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_linear_layers_multiply_in_integers_and_the_head_does_not(trained, compressed, kind, task):
    from harness.modeling.runtimes.torch_eager import load
    from harness.modeling.weights.layers import linear_layers

    model = trained(kind, task, 12)
    folder, said = compressed(model, "int8")
    layers = len(linear_layers(load(model.folder)[0]))
    assert said["steps"][0]["coverage"] == {"linear": layers, "int8": layers, "float": 1, "head": ["lm_head"]}
    assert (written(model, folder, **GREEDY) == written(model, **GREEDY)).mean() >= 0.75
    skipped, said = compressed(model, "int8:skip=" + {"t5": "decoder.1.cross-attention", "gpt2": "layer.1.ffn"}[kind])
    left = layers - {"t5": 4, "gpt2": 2}[kind]
    assert said["steps"][0]["coverage"]["int8"] == left and said["steps"][0]["coverage"]["linear"] == layers
    assert len(written(model, skipped, **GREEDY)) == len(model.dev)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["onnx", "int8"])
@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_without_half_its_heads_a_model_writes_in_a_graph_what_it_writes_in_torch(
    trained, compressed, kind, task, method
):
    model = trained(kind, task, 12)
    pruned, _ = compressed(model, "prune-structured:0.5")
    folder, graphed = compressed(model, f"prune-structured:0.5|{method}")
    assert graphed["after"]["parameters"] < 0.8 * graphed["before"]["parameters"]
    same = written(model, folder, **GREEDY) == written(model, pruned, **GREEDY)
    assert same.all() if method == "onnx" else same.mean() >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t5", "gpt2"])
def test_classes_are_ranked_as_in_torch(trained, compressed, kind):
    model = trained(kind)
    folder, _ = compressed(model, "onnx")
    before, after = model.predict(), model.predict(folder)
    assert (before.values == after.values).all()
    np.testing.assert_allclose(before.columns["logits"], after.columns["logits"], atol=1e-3)


@pytest.mark.slow
def test_texts_have_the_likelihoods_of_torch(trained, compressed):
    model = trained("gpt2", "wikitext", 12)
    folder, _ = compressed(model, "onnx")
    np.testing.assert_allclose(model.predict().values, model.predict(folder).values, rtol=1e-4)


def test_weights_of_both_graphs_and_of_the_tied_head_are_stored_once(tmp_path):
    """The table of words is in the encoder, in the decoder and, transposed, in the output layer."""
    import onnx

    from harness.compression.export_writer import FILES, export_writer
    from harness.compression.graph_weights import DATA, store_once
    from harness.modeling.runtimes import Settings
    from harness.modeling.size import weights_of

    sizes = {"d_model": 64, "d_kv": 16, "num_heads": 4, "num_layers": 1, "d_ff": 128, "vocab_size": 2000}
    model = random_model("t5", **sizes, decoder_start_token_id=0, tie_word_embeddings=True)
    export_writer(model, "seq2seq-lm", tmp_path)
    files = [tmp_path / name for name in FILES["seq2seq-lm"]]
    apart = sum(file.stat().st_size for file in files)
    store_once(files)
    found = weights_of(tmp_path, Settings(head="seq2seq-lm", max_length=64, runtime="onnxruntime"))
    table = 4 * 2000 * 64
    assert found["files"] == ["encoder.onnx", "model.onnx", DATA]
    assert apart - found["bytes"] == pytest.approx(2 * table, rel=0.02)
    assert (tmp_path / DATA).stat().st_size < 4 * model.num_parameters() + 64 * 40
    assert found["parameters"] == pytest.approx(model.num_parameters(), rel=0.01)
    nodes = onnx.load(files[0], load_external_data=False).graph.node
    assert [node.op_type for node in nodes].index("Transpose") == 0


@pytest.mark.slow
def test_a_fresh_process_writes_the_same(trained, compressed):
    code = """
import json, sys, torch
from harness.modeling.runtimes import open_model
for folder in sys.argv[1:]:
    model = open_model(folder)
    ids = torch.arange(5, 14)[None]
    print(json.dumps(model.module.generate(ids, max_new_tokens=8, do_sample=False).tolist()))
"""
    import torch

    from harness.modeling.runtimes import open_model

    folders = [compressed(trained(kind, task, 12), "int8")[0] for kind, task in KINDS]
    here = []
    for folder in folders:
        ids = torch.arange(5, 14)[None]
        here.append(open_model(folder).module.generate(ids, max_new_tokens=8, do_sample=False).tolist())
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert [json.loads(line) for line in done.stdout.splitlines()] == here


@pytest.mark.parametrize("lost", ["encoder.onnx", "model.onnx", "model.onnx.data", "generation_config.json"])
def test_a_folder_without_one_of_its_files_is_a_line(trained, compressed, lost):
    from harness.modeling.runtimes import open_model

    folder, _ = compressed(trained("t5", "dialogsum", 12), "int8")
    (folder / lost).unlink()
    with pytest.raises(HarnessError, match=str(folder)) as caught:
        open_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["onnx", "int8", "openvino"])
@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_prefill_and_decoding_are_timed_apart(trained, compressed, kind, task, method):
    if method == "openvino":
        pytest.importorskip("openvino")
    from harness.measurement.loaded_model import LoadedModel
    from harness.measurement.workloads import Workload

    folder, _ = compressed(trained(kind, task, 12), method)
    subject = LoadedModel(folder, 1)
    work = subject.prepare(Workload("2 × 8", 2, 8), 0)
    assert work.amounts()["decode"]["tokens"] == 2 * (work.new_tokens - 1)
    assert {name: seconds > 0 for name, seconds in subject.call("2 × 8").items()} == {"prefill": True, "decode": True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("llama", {**SHAPE, "num_key_value_heads": 2}),
        ("gpt_neox", SHAPE),
        ("qwen3", {**SHAPE, "num_key_value_heads": 2, "head_dim": 8}),
        ("opt", {**SHAPE, "ffn_dim": 64, "word_embed_proj_dim": 32}),
        ("bart", BART),
        ("marian", BART),
    ],
)  # fmt: skip
def test_other_models_that_write_are_exported_too(tmp_path, kind, config):
    import torch

    from harness.compression.export_writer import export_writer
    from harness.modeling.runtimes.graph_file import ENCODER_FILE, FILE
    from harness.modeling.runtimes.graph_writer import Writer
    from harness.modeling.runtimes.onnx_runtime import open_graph

    model = random_model(kind, **config)
    head = "seq2seq-lm" if model.config.is_encoder_decoder else "causal-lm"
    export_writer(model, head, tmp_path)
    encoder = open_graph(tmp_path / ENCODER_FILE, 1) if head == "seq2seq-lm" else None
    writer = Writer(model.config, model.generation_config, open_graph(tmp_path / FILE, 1), encoder)
    ids = torch.randint(3, 300, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    texts = [
        one.generate(ids, attention_mask=mask, max_new_tokens=12, num_beams=2, do_sample=False).tolist()
        for one in (model, writer)
    ]
    assert texts[0] == texts[1] and len(texts[0][0]) > 9 * (head == "causal-lm") + 1


@pytest.mark.parametrize(
    ("kind", "config", "reason"),
    [
        ("mistral", {**SHAPE, "num_key_value_heads": 2, "sliding_window": 4}, "does not hold all keys and values"),
        ("mamba", {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2}, "does not hold all keys and values"),
        ("roberta", {**SHAPE, "is_decoder": True, "pad_token_id": 1}, "positions begin after that of padding"),
        ("bloom", {"vocab_size": 300, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "torch cannot export a bloom"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_says_why(tmp_path, kind, config, reason):
    from harness.compression.export_writer import export_writer

    with pytest.raises(HarnessError, match=reason) as caught:
        export_writer(random_model(kind, **config), "causal-lm", tmp_path)
    assert "\n" not in str(caught.value)


def test_graphs_with_other_logits_are_not_used(tmp_path, monkeypatch):
    import harness.compression.export_writer as module

    monkeypatch.setattr(module, "_causal", lambda mask, length: (mask[:, None, None] > 0).float().log())
    with pytest.raises(HarnessError, match="logits are off by"):
        module.export_writer(random_model("llama", **SHAPE, num_key_value_heads=2), "causal-lm", tmp_path)
