"""Generative models as ONNX graphs, in the shape that `harness.modeling.runtimes.graph_writer` calls. Imports torch:
import it inside functions.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache

from harness.compression.export import ROOT, as_exported, check_close, traced
from harness.core.errors import HarnessError
from harness.modeling.inference.decoding_inputs import cache_name, padded, places_of, takes
from harness.modeling.runtimes.graph_file import ENCODER_FILE, FILE
from harness.modeling.runtimes.graph_writer import (
    CROSS,
    ENCODED,
    KEPT,
    PAST,
    PRESENT,
    Writer,
    cache_of,
    pair_names,
    pairs_of,
)
from harness.modeling.runtimes.onnx_runtime import open_graph
from harness.modeling.weights.positions import positions_of

CHECKED = ((1, 5, 2), (3, 17, 5))
"""Batches (b, t, steps) on which the graphs are compared with torch: a prompt is read, and so many tokens follow it."""
FILES = {"causal-lm": (FILE,), "seq2seq-lm": (FILE, ENCODER_FILE)}
"""The graphs of a head, the one that decodes first."""


class _Part(nn.Module):
    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        setattr(self, ROOT, model)

    def _call(self, **inputs: Any) -> Any:
        return getattr(self, ROOT)(**inputs, use_cache=True)


class _Decoder(_Part):
    """A decoder alone."""

    def forward(
        self, input_ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, kept: torch.Tensor,
        *past: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:  # fmt: skip
        model = getattr(self, ROOT)
        extra = {"position_ids": positions, KEPT: kept}
        output = self._call(
            input_ids=input_ids,
            attention_mask=_causal(mask, input_ids.shape[1]),
            **{name: tensor for name, tensor in extra.items() if takes(model, name)},
            **{cache_name(model): cache_of(past)},
        )
        return (output.logits, *pairs_of(output[cache_name(model)]))


class _CrossDecoder(_Part):
    """The decoder of an encoder–decoder; nothing of the encoder is left but the keys and values of its output."""

    def __init__(self, model: PreTrainedModel, width: int) -> None:
        super().__init__(model)
        self._width = width

    def forward(self, input_ids: torch.Tensor, mask: torch.Tensor, *pairs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        half = len(pairs) // 2
        cross, past = pairs[:half], pairs[half:]
        cache = EncoderDecoderCache(cache_of(past), cache_of(cross))
        cache.is_updated = dict.fromkeys(range(half // 2), True)
        name = cache_name(getattr(self, ROOT))
        written = past[0].shape[2] + input_ids.shape[1]
        output = self._call(
            decoder_input_ids=input_ids,
            decoder_attention_mask=_causal(torch.ones(1, written), input_ids.shape[1]),
            encoder_outputs=(torch.zeros(*mask.shape, self._width),),
            attention_mask=mask,
            **{name: cache},
        )
        return (output.logits, *pairs_of(output[name].self_attention_cache))


class _Encoder(_Part):
    """Gives what the decoder's first step puts into the cache of cross-attention, side by side for each token."""

    def forward(self, input_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        name = cache_name(getattr(self, ROOT))
        output = self._call(input_ids=input_ids, attention_mask=mask, decoder_input_ids=input_ids[:, :1])
        pairs = pairs_of(output[name].cross_attention_cache)
        return torch.cat([pair.transpose(1, 2).flatten(2) for pair in pairs], dim=2)


def export_writer(model: PreTrainedModel, head: str, folder: Path) -> int:
    """Write the graphs of a generative model into a folder; its Conv1D become Linear: returns how many.

    Raises:
        HarnessError: torch cannot export it, its cache is none of whole keys and values, or the graphs give other
            logits than the model.
    """
    converted = as_exported(model)
    (_export_decoder if head == "causal-lm" else _export_both)(model, folder)
    _check(model, head, folder)
    return converted


def _export_decoder(model: Any, folder: Path) -> None:
    ids, mask = _rows(model, 2, 7, left=False)
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=mask, use_cache=True)
    past = _checked_pairs(model, output.get(cache_name(model)))
    more = ids[:, :3]
    whole = torch.cat([mask, torch.ones_like(more)], dim=1)
    given = (more, whole, places_of(whole)[:, -3:], torch.tensor([1, 2]), *past)
    inputs = ["input_ids", "attention_mask", "position_ids", KEPT]
    _trace_decoder(_Decoder(model), given, folder, inputs, "all")


def _export_both(model: Any, folder: Path) -> None:
    ids, mask = _rows(model, 2, 7, left=False)
    more = ids[:, :3]
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=mask, decoder_input_ids=more, use_cache=True)
    cache = output.get(cache_name(model))
    past = _checked_pairs(model, getattr(cache, "self_attention_cache", None))
    cross = pairs_of(cache.cross_attention_cache)
    part = _CrossDecoder(model, output.encoder_last_hidden_state.shape[-1])
    inputs = ["input_ids", "attention_mask", *pair_names(CROSS, len(cross) // 2)]
    _trace_decoder(part, (more, mask, *cross, *past), folder, inputs, "source")
    axes = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask", ENCODED)}
    traced(_Encoder(model), (ids, mask), folder / ENCODER_FILE, ["input_ids", "attention_mask"], [ENCODED], axes)


def _trace_decoder(part: nn.Module, given: tuple[Any, ...], folder: Path, inputs: list[str], masked: str) -> None:
    """With `inputs` and the keys and values of what was written; the mask covers `masked`."""
    layers = (len(given) - len(inputs)) // 2
    axes = {name: {0: "batch", 2: "source"} for name in inputs if name.startswith(CROSS)}
    axes |= {name: {0: "batch", 2: "past"} for name in pair_names(PAST, layers)}
    axes |= {name: {0: "batch", 2: "all"} for name in pair_names(PRESENT, layers)}
    axes |= {name: {0: "batch", 1: "length"} for name in ("input_ids", "position_ids") if name in inputs}
    axes |= {"attention_mask": {0: "batch", 1: masked}, "logits": {0: "batch", 1: "kept"}, KEPT: {0: "kept"}}
    inputs = [*inputs, *pair_names(PAST, layers)]
    outputs = ["logits", *pair_names(PRESENT, layers)]
    traced(part, given, folder / FILE, inputs, outputs, {name: axes[name] for name in (*inputs, *outputs)})


def _checked_pairs(model: PreTrainedModel, cache: Any) -> list[torch.Tensor]:
    """The keys and values of a cache. Raises HarnessError where it is no plain one, or positions have an offset."""
    kind = model.config.model_type
    if not isinstance(cache, DynamicCache) or {type(layer) for layer in cache.layers} != {DynamicLayer}:
        raise HarnessError(f"a {kind} that writes cannot be exported: its cache does not hold all keys and values")
    config_alone = SimpleNamespace(config=model.config, named_modules=lambda: ())
    if positions_of(model, "decoder") != positions_of(config_alone, "decoder"):
        raise HarnessError(f"a {kind} that writes cannot be exported: its positions begin after that of padding")
    return pairs_of(cache)


def _causal(mask: torch.Tensor, length: int) -> torch.Tensor:
    """What is added to scores (b, 1, length, t) of the last positions of rows, of which a mask (b, t) shows some.

    Sizes are read from shapes, which the trace follows, not by `len`.
    """
    total = mask.shape[1]
    seen = torch.arange(total)[None] <= torch.arange(total - length, total)[:, None]
    seen = seen[None, None] & (mask[:, None, None] > 0)
    return torch.where(seen, 0.0, torch.finfo(torch.float32).min)


def _rows(model: PreTrainedModel, size: int, length: int, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids (size, length) and their mask; the last row is two shorter."""
    random = torch.Generator().manual_seed(length)
    ids = torch.randint(1, model.config.get_text_config().vocab_size, (size, length), generator=random).tolist()
    return padded([*ids[:-1], ids[-1][2:]] if size > 1 else ids, 0, left)


def _check(model: PreTrainedModel, head: str, folder: Path) -> None:
    graphs = [open_graph(folder / name, threads=1) for name in FILES[head]]
    writer = Writer(model.config, GenerationConfig(), graphs[0], graphs[1] if len(graphs) > 1 else None)
    with torch.inference_mode():
        for size in CHECKED:
            for wanted, computed in zip(_logits(model, *size), _logits(writer, *size), strict=True):
                check_close(wanted.numpy(), computed.numpy())


def _logits(model: Any, size: int, length: int, steps: int) -> list[torch.Tensor]:
    """Of the first token after a prompt, and of those that follow it."""
    apart = model.config.is_encoder_decoder
    ids, mask = _rows(model, size, length, left=not apart)
    after = _rows(model, 1, steps, left=False)[0].expand(size, steps)
    name = cache_name(model)
    if apart:
        state = {"encoder_outputs": model.get_encoder()(input_ids=ids, attention_mask=mask), "attention_mask": mask}
        first = model(decoder_input_ids=after[:, :1], use_cache=True, **state)
        rest = model(decoder_input_ids=after[:, 1:], use_cache=True, **state, **{name: first[name]})
        return [first.logits, rest.logits]
    whole = torch.cat([mask, torch.ones_like(after)], dim=1)
    places = {"position_ids": places_of(whole)} if takes(model, "position_ids") else {}
    before, now = (
        {key: value[:, part] for key, value in places.items()} for part in (slice(length), slice(length, None))
    )
    first = model(input_ids=ids, attention_mask=mask, use_cache=True, **before)
    rest = model(input_ids=after, attention_mask=whole, use_cache=True, **{name: first[name]}, **now)
    return [first.logits[:, -1:], rest.logits]
