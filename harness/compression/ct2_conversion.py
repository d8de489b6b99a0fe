"""From a generative model of `transformers` to one of CTranslate2. Imports torch: import it inside functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import torch
from ctranslate2.converters import TransformersConverter
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compression.base import Request
from harness.compression.saving import settled
from harness.core.errors import HarnessError
from harness.modeling.inference.decoding_inputs import start_of
from harness.modeling.runtimes.ct2_file import FILE, products
from harness.modeling.runtimes.ct2_writer import ABSENT, open_writer, refused_rules
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.config_file import CONFIG
from harness.modeling.weights.settings import Settings, write_settings

TOLERANCE = 1e-3
"""How far the logits of a float model may be from those of torch, as a fraction of the largest."""
CHECKED = ((1, 5), (2, 9))
"""Rows and tokens on which both are compared."""
KINDS = {"float32": "F32", "int8": "I8", "int16": "I16", "float16": "F16", "bfloat16": "BF16"}


class Converter(TransformersConverter):
    """Of a model that is loaded already, which it takes apart."""

    def __init__(self, folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(str(folder))
        self._model, self._tokenizer = model, tokenizer

    def load_model(self, *_: Any, **__: Any) -> PreTrainedModel:
        """The model, with what converters read of configs of `transformers` 4."""
        if self._model.config.model_type == "bart":
            self._model.config.normalize_before = False
        return self._model

    def load_tokenizer(self, *_: Any, **__: Any) -> PreTrainedTokenizerBase:
        return self._tokenizer

    def _load(self) -> Any:
        """The specification, with a token for each that CTranslate2 must know and the tokenizer lacks."""
        made = super()._load()
        fallback = self._tokenizer.eos_token or self._tokenizer.pad_token
        for name in ("bos_token", "eos_token", "unk_token"):
            if not getattr(made.config, name, None):
                setattr(made.config, name, fallback)
        return made


def converted(request: Request, kind: str) -> dict[str, Any]:
    """Write the request's model for CTranslate2 into its target, and return what became of its matrices.

    Raises:
        HarnessError: a model that cannot be converted, or is another one afterwards; a type this CPU does not compute
            in; a `generation_config` that asks for what CTranslate2 does not do.
    """
    supported = sorted(name for name in ctranslate2.get_supported_compute_types("cpu") if name in KINDS)
    if kind not in supported:
        raise HarnessError(f"ct2:{kind}: this CPU computes in {', '.join(supported)}; give one of these")
    model, tokenizer = load(request.source)
    refused = refused_rules(model.generation_config, model.config.is_encoder_decoder)
    if refused is not None:
        raise HarnessError(
            f"model {request.source}: its generation_config has {refused}, which CTranslate2 does not do as torch does"
        )
    given = [_given(model, rows, length) for rows, length in CHECKED]
    with torch.inference_mode():
        wanted = [model(**inputs).logits for inputs in given]
    in_floats = request.target
    if kind != "float32":
        in_floats = request.scratch / "float32"
        in_floats.mkdir()
        _write(in_floats, *load(request.source), "float32")
    _write(request.target, model, tokenizer, kind)
    write_settings(request.target, settled(request.source, runtime="ctranslate2"))
    _compare(in_floats, given, wanted)
    return {"coverage": _coverage(request.target, kind)}


def _write(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, kind: str) -> None:
    """Weights, vocabulary, config and tokenizer. What CTranslate2 reads of its config stands in that of `transformers`,
    which has other keys.
    """
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    try:
        made = Converter(folder, model, tokenizer)._load()
        made.validate()
        made.optimize(quantization=None if kind == "float32" else kind)
        made.save(str(folder))
    except (ValueError, AttributeError, KeyError, NotImplementedError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"CTranslate2 cannot convert this {config['model_type']}: {reason}") from None
    beside = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    merged = {**config, **{name: value for name, value in beside.items() if value is not None}}
    (folder / CONFIG).write_text(json.dumps(merged, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _given(model: Any, rows: int, length: int) -> dict[str, torch.Tensor]:
    """Ids that differ, of an encoder–decoder also those of an output."""
    last = model.config.vocab_size - 2
    ids = (torch.arange(rows * length) * 37 % max(1, last - 3) + 3).reshape(rows, length)
    if not model.config.is_encoder_decoder:
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    written = torch.cat([torch.full((rows, 1), start_of(model)), ids.flip(1)[:, :3]], dim=1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": written}


def _compare(folder: Path, given: Sequence[dict[str, torch.Tensor]], wanted: Sequence[torch.Tensor]) -> None:
    """Raises HarnessError where a float model gives other logits than torch did."""
    served = open_writer(folder, Settings(head="", max_length=0), threads=1).module
    for inputs, before in zip(given, wanted, strict=True):
        after = served(**inputs).logits[..., : before.shape[-1]]
        known = after > ABSENT / 2
        apart = float((after - before)[known].abs().max()) / max(1.0, float(before.abs().max()))
        if not apart <= TOLERANCE:
            raise HarnessError(
                f"converted for CTranslate2 the model gives other logits than in torch, by {apart:.2g} of the largest: "
                "it is one that its converter does not know"
            )


def _coverage(folder: Path, kind: str) -> dict[str, Any]:
    """How many matrices are stored as asked. Raises HarnessError where none is."""
    kinds = Counter(products(folder / FILE).values())
    if not kinds[KINDS[kind]]:
        raise HarnessError(f"CTranslate2 stored no matrix as {kind}")
    return {"linear": kinds.total(), kind: kinds[KINDS[kind]]}
