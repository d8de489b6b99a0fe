"""What an encoder–decoder thinks of outputs. Imports torch: import it inside functions.

An input is encoded once. The decoder's first step, which all outputs share, makes the keys and values that
cross-attention reads; the outputs go on from them together.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import EncoderDecoderCache

from harness.modeling.inference.batching import scoring_batches
from harness.modeling.inference.decoding_inputs import cache_name, padded, start_of
from harness.modeling.inference.key_values import cache_of, is_plain, pairs_of
from harness.modeling.inference.output_layer import OutputLayer, Reads

TOKENS = {"cpu": 2048, "cuda": 32768}
"""Padded tokens of a batch, inputs and outputs."""
KEPT = 16
"""So many keys and values of an input, once for each output, take as much of a batch as a token that is read."""


def of_outputs(
    model: Any, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], report: Callable[[float], None], with_greedy: bool
) -> tuple[np.ndarray, np.ndarray]:
    """As `likelihood.of_pairs` has it, of inputs and outputs."""
    by_input: dict[tuple[int, ...], dict[tuple[int, ...], list[int]]] = {}
    for owner, (before, after) in enumerate(pairs):
        by_input.setdefault(tuple(before), {}).setdefault(tuple(after), []).append(owner)
    questions = [
        _Question(source, [(owners[0], written) for written, owners in outputs.items()])
        for source, outputs in by_input.items()
    ]
    output = OutputLayer(model, len(pairs), with_greedy)
    done = 0
    for indices in scoring_batches([question.size for question in questions], TOKENS[model.device.type]):
        _read(model, output, [questions[index] for index in indices])
        done += len(indices)
        report(done / len(questions))
    output.finish()
    for outputs in by_input.values():
        for owners in outputs.values():
            output.nats[owners], output.greedy[owners] = output.nats[owners[0]], output.greedy[owners[0]]
    return output.nats, output.greedy


@dataclass(frozen=True)
class _Question:
    """An input, and the outputs that are scored, each with its owner."""

    source: tuple[int, ...]
    outputs: Sequence[tuple[int, tuple[int, ...]]]

    @property
    def size(self) -> int:
        written = sum(len(tokens) for _, tokens in self.outputs)
        return max(len(self.source) + written, len(self.source) * len(self.outputs) // KEPT)


def _read(model: Any, output: OutputLayer, questions: Sequence[_Question]) -> None:
    device = model.device
    rows = [_Row(number, *scored) for number, question in enumerate(questions) for scored in question.outputs]
    ids, mask = (part.to(device) for part in padded([question.source for question in questions], 0, left=False))
    begin = start_of(model)
    if hasattr(model, "decodes_itself"):
        _read_rows(model, output, rows, 0, [begin], {"input_ids": ids, "attention_mask": mask})
        return
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask)
    given = {"encoder_outputs": encoded, "attention_mask": mask, "use_cache": True}
    first = output.read(
        lambda: model(decoder_input_ids=torch.full((len(ids), 1), begin, device=device), **given),
        torch.arange(len(ids), device=device),
        Reads(*map(np.asarray, zip(*((row.source, row.tokens[0], row.owner) for row in rows), strict=True))),
    )
    longer = [row for row in rows if len(row.tokens) > 1]
    if not longer:
        return
    state = {"encoder_outputs": encoded, "attention_mask": mask}
    cache = first[cache_name(model)]
    if isinstance(cache, EncoderDecoderCache) and is_plain(cache.self_attention_cache, cache.cross_attention_cache):
        try:
            return _read_rows(model, output, longer, 1, [], state, cache)
        except (AssertionError, NotImplementedError, ValueError):
            pass  # a decoder that takes one token at a time after what is kept, as ProphetNet's
    _read_rows(model, output, longer, 1, [begin], state)


@dataclass(frozen=True)
class _Row:
    """An output that goes on from an input of the batch."""

    source: int
    owner: int
    tokens: tuple[int, ...]


def _read_rows(
    model: Any,
    output: OutputLayer,
    rows: Sequence[_Row],
    first: int,
    before: list[int],
    state: dict[str, Any],
    cache: EncoderDecoderCache | None = None,
) -> None:
    """Score outputs from their token `first` on, all at once.

    Args:
        model: An encoder–decoder.
        output: Scores them.
        rows: The outputs.
        first: How many tokens of each are scored already.
        before: What the decoder reads before them and has not read.
        state: What is known of each input.
        cache: What the decoder has read, for each input.
    """
    sources = torch.tensor([row.source for row in rows], device=model.device)
    written = [[*before, *row.tokens[:-1]] for row in rows]
    ids = padded(written, 0, left=False)[0].to(model.device)
    inputs: dict[str, Any] = {name: part[sources] for name, part in state.items() if isinstance(part, torch.Tensor)}
    if "encoder_outputs" in state:
        encoded = copy.copy(state["encoder_outputs"])
        encoded.last_hidden_state = encoded.last_hidden_state[sources]
        inputs["encoder_outputs"] = encoded
    parts = [] if cache is None else [cache.self_attention_cache, cache.cross_attention_cache]
    kept = [[pair[sources] for pair in pairs_of(part)] for part in parts]

    def call() -> Any:
        cached = {cache_name(model): EncoderDecoderCache(*map(cache_of, kept))} if kept else {}
        return model(decoder_input_ids=ids, **inputs, **cached, use_cache=bool(cached))

    places = [
        number * ids.shape[1] + len(before) - 1 + np.arange(first, len(row.tokens)) for number, row in enumerate(rows)
    ]
    tokens = np.concatenate([row.tokens[first:] for row in rows])
    owners = np.repeat([row.owner for row in rows], list(map(len, places)))
    at = torch.from_numpy(np.concatenate(places)).to(model.device)
    output.read(call, at, Reads(np.arange(len(tokens)), tokens, owners))
