"""A causal language model as one GGUF file, as llama.cpp reads it: hyper-parameters, tokenizer, tensors. Imports torch:
import it inside functions.

Names and layouts are those of llama.cpp's own converter (`convert_hf_to_gguf.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from harness.core.atomic import replacing
from harness.core.checksums import refuse_damaged
from harness.core.errors import HarnessError, UnwritableError
from harness.core.reading import is_folder
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.settings import read_settings
from harness.report.export.gguf_tokenizer import add_tokenizer

ARCHITECTURES = {
    "gpt2": gguf.MODEL_ARCH.GPT2,
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
}
"""By `model_type`."""
TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
BLOCK = 32
"""Numbers of a row that share a scale in q8_0."""
TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
"""Weights of GPT-2's Conv1D, which lie the other way round."""
LEFT_OUT = (".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")
"""Buffers that are no weights."""


def write_gguf(folder: Path, output: Path, kind: str) -> dict[str, Any]:
    """Write the model of a folder to a file that appears whole or not at all.

    Args:
        folder: Of a causal language model in torch, or that of its cell.
        output: The file.
        kind: What matrices are stored as: `f32`, `f16` or `q8_0`; vectors and positions stay f32.

    Returns:
        `architecture`, `type`, `tensors`, `parameters` and `bytes`.

    Raises:
        HarnessError: a model or tokenizer that has no form in GGUF here, or a file that cannot be written.
    """
    folder = folder / "model" if (folder / "model").is_dir() else folder
    if not is_folder(folder):
        raise HarnessError(f"model {folder}: no such folder; give that of a causal language model, or of its cell")
    refuse_damaged(folder)
    settings = read_settings(folder)
    if settings.head != "causal-lm":
        raise HarnessError(f"model {folder}: GGUF is written of causal language models, its head is {settings.head}")
    if settings.runtime != "torch" or settings.shapes is not None:
        reason = "layers of other sizes than its config says" if settings.runtime == "torch" else "another runtime"
        raise HarnessError(f"model {folder}: it has {reason}; give its original")
    model, tokenizer = load(folder, settings)
    arch = _architecture(folder, model.config)
    try:
        with replacing(output) as temporary:
            writer = gguf.GGUFWriter(temporary, gguf.MODEL_ARCH_NAMES[arch])
            _add_settings(writer, model.config, folder, kind)
            add_tokenizer(writer, tokenizer, int(model.config.vocab_size), folder)
            for name, array in _tensors(model, arch, folder):
                _add_tensor(writer, name, array, kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            facts = _checked(temporary, model)
    except OSError as error:
        raise UnwritableError(f"cannot write {output}: {error.strerror or error}") from None
    return {"architecture": gguf.MODEL_ARCH_NAMES[arch], "type": kind, **facts, "bytes": output.stat().st_size}


def _architecture(folder: Path, config: Any) -> gguf.MODEL_ARCH:
    if config.model_type not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise HarnessError(f"model {folder}: GGUF is written of {known}, not of {config.model_type}")
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        raise HarnessError(
            f"model {folder}: its rotary positions are scaled ({rope['rope_type']}), which is not written"
        )
    if config.model_type == "qwen2" and getattr(config, "use_sliding_window", False):
        raise HarnessError(f"model {folder}: it reads through a sliding window, which is not written")
    activation = getattr(config, "hidden_act", None) or getattr(config, "activation_function", None)
    if activation != ("gelu_new" if config.model_type == "gpt2" else "silu"):
        raise HarnessError(f"model {folder}: its activation is {activation}, which GGUF's {config.model_type} has not")
    if config.model_type == "gpt2" and (config.scale_attn_by_inverse_layer_idx or not config.scale_attn_weights):
        raise HarnessError(f"model {folder}: its attention is scaled otherwise than GGUF's gpt2")
    return ARCHITECTURES[config.model_type]


def _add_settings(writer: gguf.GGUFWriter, config: Any, folder: Path, kind: str) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(folder.resolve().name)
    writer.add_file_type(TYPES[kind][1])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(int(config.vocab_size))
    if config.model_type == "gpt2":
        writer.add_context_length(config.n_positions)
        writer.add_embedding_length(config.n_embd)
        writer.add_block_count(config.n_layer)
        writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
        writer.add_head_count(config.n_head)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(float((getattr(config, "rope_parameters", None) or {}).get("rope_theta", 10000.0)))
    writer.add_rope_dimension_count(size)
    writer.add_key_length(size)
    writer.add_value_length(size)


def _tensors(model: Any, arch: gguf.MODEL_ARCH, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and values of GGUF; a matrix that stands for another (tied embeddings) is left out."""
    config = model.config
    blocks = int(config.num_hidden_layers)
    names = gguf.get_tensor_name_map(arch, blocks)
    tied = bool(config.tie_word_embeddings)
    for name, tensor in model.state_dict().items():
        if name.endswith(LEFT_OUT) or (tied and name == "lm_head.weight"):
            continue
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if new is None:
            raise HarnessError(f"model {folder}: its tensor {name} has no name in GGUF")
        array = tensor.detach().to(torch.float32)
        if arch == gguf.MODEL_ARCH.GPT2 and name.endswith(TRANSPOSED):
            array = array.T
        if arch == gguf.MODEL_ARCH.LLAMA and ".q_proj." in name:
            array = _interleaved(array, config.num_attention_heads)
        if arch == gguf.MODEL_ARCH.LLAMA and ".k_proj." in name:
            array = _interleaved(array, config.num_key_value_heads)
        yield new, np.ascontiguousarray(array.numpy())


def _interleaved(weights: torch.Tensor, heads: int) -> torch.Tensor:
    """Queries or keys with the two halves of each head's rotation interleaved, as llama.cpp rotates them."""
    rows = weights.shape[0]
    return weights.reshape(heads, 2, rows // heads // 2, *weights.shape[1:]).transpose(1, 2).reshape(weights.shape)


def _add_tensor(writer: gguf.GGUFWriter, name: str, array: np.ndarray, kind: str) -> None:
    chosen = TYPES[kind][0]
    if array.ndim < 2 or name.startswith("position_embd"):
        chosen = gguf.GGMLQuantizationType.F32
    elif chosen == gguf.GGMLQuantizationType.Q8_0 and array.shape[-1] % BLOCK:
        chosen = gguf.GGMLQuantizationType.F16
    if chosen == gguf.GGMLQuantizationType.F16 and np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise HarnessError(f"tensor {name}: its numbers are too large for f16; write f32")
    writer.add_tensor(name, gguf.quants.quantize(array, chosen), raw_dtype=chosen)


def _checked(file: Path, model: Any) -> dict[str, int]:
    """What stands in the file, read again. Raises HarnessError where a number of the model is not in it."""
    reader = gguf.GGUFReader(file)
    written = sum(int(tensor.n_elements) for tensor in reader.tensors)
    wanted = sum(parameter.numel() for parameter in model.parameters())
    if written != wanted:
        raise HarnessError(f"GGUF holds {written} numbers of the model's {wanted}: it is one that is not known here")
    return {"tensors": len(reader.tensors), "parameters": written}
