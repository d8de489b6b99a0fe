"""GGUF files: read again by `transformers` and by gguf itself, they hold the model and its tokenizer. llama.cpp is not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.modeling.heads import given

gguf = pytest.importorskip("gguf", reason="gguf is not installed")

TEXT = "the old stone house is near the river. 我喜欢红色!"
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_positions": 1024},  # as many as transformers' reader gives a GPT-2, whatever the file says
    "llama": {"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64},
    "qwen2": {
        "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64, "num_hidden_layers": 2,
        "intermediate_size": 96, "max_position_embeddings": 128, "initializer_range": 0.5,
    },
}  # fmt: skip


def saved(folder: Path, kind: str, **settings: Any) -> Path:
    import torch
    import transformers

    if kind != "qwen2":
        model = given.model("AutoModelForCausalLM", kind, "bytebpe", **SIZES[kind], **settings)
    else:
        tokens = given.tokenizer("bytebpe")
        torch.manual_seed(0)
        config = transformers.Qwen2Config(
            **SIZES[kind], vocab_size=len(tokens), eos_token_id=tokens.eos_token_id, bos_token_id=None, **settings
        )
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    given.tokenizer("bytebpe").save_pretrained(folder)
    return folder


def logits(folder: Path, **source: Any) -> np.ndarray:
    import torch
    from transformers import AutoModelForCausalLM

    ids = given.tokenizer("bytebpe")(TEXT, return_tensors="pt", add_special_tokens=False)["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **source).eval()
    with torch.inference_mode():
        return model(ids).logits[0].numpy()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", SIZES)
def test_a_file_of_floats_holds_the_model(harness, tmp_path, kind, tied):
    folder = saved(tmp_path / kind, kind, tie_word_embeddings=tied)
    done = harness("export", "gguf", folder, "--type", "f32", "-o", "model.gguf")
    assert f"model.gguf: {kind}, f32" in done.stdout
    wanted = logits(folder)
    assert logits(tmp_path, gguf_file="model.gguf") == pytest.approx(wanted, abs=1e-4 * float(np.abs(wanted).max()))


@pytest.mark.parametrize("kind", SIZES)
def test_keys_tensors_and_tokens_are_as_llama_cpp_asks(harness, tmp_path, kind):
    folder = saved(tmp_path / kind, kind)
    harness("export", "gguf", folder, "--type", "q8_0", "-o", "model.gguf")
    reader = gguf.GGUFReader(tmp_path / "model.gguf")
    value = {name: field.contents() for name, field in reader.fields.items()}
    config = json.loads((folder / "config.json").read_text())
    tokens = given.tokenizer("bytebpe")
    assert value["general.architecture"] == kind and value["general.name"] == kind
    assert value[f"{kind}.block_count"] == 2
    assert value[f"{kind}.attention.head_count"] == config.get("n_head", config.get("num_attention_heads"))
    expected = {"context_length", "embedding_length", "feed_forward_length", "block_count", "attention.head_count"}
    expected |= {"attention.layer_norm_epsilon"} if kind == "gpt2" else {
        "attention.layer_norm_rms_epsilon", "attention.head_count_kv", "rope.freq_base", "rope.dimension_count"
    }  # fmt: skip
    assert {f"{kind}.{name}" for name in expected} <= set(value)
    assert value["tokenizer.ggml.model"] == "gpt2" and value["tokenizer.ggml.pre"] == (
        "qwen2" if kind == "qwen2" else "gpt-2"
    )
    listed = value["tokenizer.ggml.tokens"]
    assert listed == tokens.convert_ids_to_tokens(list(range(len(tokens))))
    kinds = value["tokenizer.ggml.token_type"]
    assert kinds[tokens.eos_token_id] == gguf.TokenType.CONTROL and kinds[listed.index("the")] == gguf.TokenType.NORMAL
    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    assert value["tokenizer.ggml.merges"] == [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
    assert value["tokenizer.ggml.eos_token_id"] == tokens.eos_token_id
    matrices = [tensor for tensor in reader.tensors if len(tensor.shape) > 1]
    vectors = [tensor for tensor in reader.tensors if len(tensor.shape) == 1]
    assert {tensor.tensor_type.name for tensor in vectors} == {"F32"} and len(matrices) > 8
    assert {tensor.tensor_type.name for tensor in matrices if tensor.name != "position_embd.weight"} == {"Q8_0"}
    known = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, kind.upper()), 2)
    assert {tensor.name.rpartition(".")[0] for tensor in reader.tensors} <= {new for _, new in known.mapping.values()}


@pytest.mark.parametrize(("kind", "apart"), [("f16", 0.01), ("q8_0", 0.1)])
def test_smaller_types_are_smaller_and_near(harness, tmp_path, kind, apart):
    folder = saved(tmp_path / "llama", "llama")
    sizes = {}
    for name in ("f32", kind):
        harness("export", "gguf", folder, "--type", name, "-o", f"{name}.gguf")
        reader = gguf.GGUFReader(tmp_path / f"{name}.gguf")
        sizes[name] = sum(int(tensor.n_bytes) for tensor in reader.tensors)
    assert sizes[kind] < 0.55 * sizes["f32"]
    wanted = logits(folder)
    assert np.abs(logits(tmp_path, gguf_file=f"{kind}.gguf") - wanted).mean() < apart * np.abs(wanted).mean()


def test_the_tokenizer_reads_as_the_original(harness, tmp_path):
    from transformers import AutoTokenizer

    folder = saved(tmp_path / "gpt2", "gpt2")
    harness("export", "gguf", folder, "-o", "model.gguf")
    read = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    tokens = given.tokenizer("bytebpe")
    for text in (TEXT, "  two  spaces\n\nand lines", "don't I'll 1234"):
        assert read(text, add_special_tokens=False)["input_ids"] == tokens(text, add_special_tokens=False)["input_ids"]


def test_what_has_no_form_is_refused_in_a_line(harness, tmp_path, saved_models):
    for folder, message in saved_models:
        failed = harness("export", "gguf", folder, "-o", "model.gguf", code=2)
        assert message in failed.stderr and "Traceback" not in failed.stderr and failed.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob(".*gguf*"))


@pytest.fixture
def saved_models(tmp_path: Path) -> list[tuple[Path, str]]:
    """Folders that cannot be written, and why."""
    import transformers

    opt = tmp_path / "opt"
    tokens = given.tokenizer("bytebpe")
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "ffn_dim": 64,
        "word_embed_proj_dim": 32,
    }
    transformers.OPTForCausalLM(transformers.OPTConfig(**sizes, vocab_size=len(tokens))).save_pretrained(opt)
    tokens.save_pretrained(opt)
    pieces = saved(tmp_path / "pieces", "gpt2")
    given.tokenizer("unigram").save_pretrained(pieces)
    scaled = saved(
        tmp_path / "scaled", "llama", rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    )
    few = saved(tmp_path / "few", "gpt2")
    tokenizer = json.loads((few / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"] = {
        "type": "ByteLevel",
        "add_prefix_space": True,
        "trim_offsets": True,
        "use_regex": True,
    }
    (few / "tokenizer.json").write_text(json.dumps(tokenizer))
    t5 = tmp_path / "t5"
    given.model("AutoModelForSeq2SeqLM", "t5", "unigram").save_pretrained(t5)
    given.tokenizer("unigram").save_pretrained(t5)
    return [
        (opt, "GGUF is written of gpt2, llama, qwen2, not of opt"),
        (tmp_path / "nowhere", "no such folder"),
        (pieces, "byte-level BPE tokenizers, which its is not"),
        (scaled, "its rotary positions are scaled (linear)"),
        (few, "cuts texts in a way that is written under no name"),
        (t5, "its head is seq2seq-lm"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "model.bin"), "give it the ending .gguf"),
        (("-o", "nowhere/model.gguf"), "no folder nowhere"),
        (("-o", "model.gguf", "--type", "q4_0"), "type"),
    ],
)
def test_options_out_of_range_are_refused(harness, tmp_path, options, message):
    failed = harness("export", "gguf", saved(tmp_path / "gpt2", "gpt2"), *options, code=2)
    assert message in failed.stderr
