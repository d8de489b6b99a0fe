"""Generative models as optimum exports them, called and made to generate as one of `transformers`. Imports torch:
import it inside functions.

The names of inputs and outputs are optimum's: `past_key_values.0.key` and `present.0.key` of a decoder alone,
`past_key_values.0.decoder.key` and `….encoder.key` of one with an encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig, PretrainedConfig
from transformers.cache_utils import Cache, EncoderDecoderCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from harness.core.errors import HarnessError
from harness.modeling.inference.decoding_inputs import places_of
from harness.modeling.runtimes.graph_file import Graph, Opener
from harness.modeling.runtimes.graph_writer import CACHE, Writer, cache_of, mask_of, ones, pairs_of, self_attention
from harness.modeling.weights.loading import HERE
from harness.modeling.weights.optimum_files import OptimumFiles
from harness.modeling.weights.settings import home_of

PAST, PRESENT = "past_key_values", "present"
BRANCH = "use_cache_branch"
KNOWN = (
    "input_ids", "attention_mask", "position_ids", "encoder_attention_mask", "encoder_hidden_states",
    "decoder_attention_mask", BRANCH,
)  # fmt: skip


class OptimumWriter(Writer):
    """Always predicts, on the CPU."""

    def __init__(
        self,
        config: PretrainedConfig,
        generation: GenerationConfig,
        decoder: Graph,
        with_past: Graph,
        encoder: Graph | None,
    ) -> None:
        super().__init__(config, generation, decoder, encoder, "last_hidden_state")
        self._with_past = with_past
        stacks = ("decoder", "encoder") if encoder is not None else ("",)
        layers = len([name for name in with_past.inputs if name.endswith(".key")]) // len(stacks)
        self._pairs = {stack: _pair_names(stack, layers) for stack in stacks}

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        encoder_outputs: Any = None,
        logits_to_keep: int = 0,
        **more: Any,
    ) -> CausalLMOutputWithPast:
        """As `Writer.forward`."""
        if self._encoder is None:
            assert input_ids is not None
            logits, cache = self._decoded(input_ids, attention_mask, position_ids, more.get(CACHE))
        else:
            assert decoder_input_ids is not None
            encoded = encoder_outputs[0] if encoder_outputs is not None else None
            before = more.get(CACHE)
            if encoded is None and not self_attention(before):
                encoded = self._encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
            logits, cache = self._answered(decoder_input_ids, attention_mask, encoded, before)
        outputs: dict[str, Any] = {"logits": logits[:, -logits_to_keep:] if logits_to_keep else logits, CACHE: cache}
        return CausalLMOutputWithPast(**outputs)

    def _decoded(
        self, ids: torch.Tensor, mask: torch.Tensor | None, places: torch.Tensor | None, before: Any
    ) -> tuple[torch.Tensor, Cache]:
        past = self_attention(before)
        graph = self._with_past if past else self._decoder
        length = ids.shape[1] + (past[0].shape[2] if past else 0)
        mask = mask_of(mask, ids, length)
        places = places_of(mask)[:, -ids.shape[1] :] if places is None else places
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": places, BRANCH: torch.tensor([bool(past)])}
        names = self._pairs[""]
        output = graph(**given, **_named(PAST, names, past or _empty(graph, names, len(ids))))
        return output["logits"], cache_of([output[f"{PRESENT}.{name}"] for name in names])

    def _answered(
        self, ids: torch.Tensor, mask: torch.Tensor | None, encoded: torch.Tensor | None, before: Any
    ) -> tuple[torch.Tensor, Cache]:
        """Of an encoder–decoder; what follows a first step goes token by token, as its graph may hold one alone."""
        past = self_attention(before)
        if past and ids.shape[1] > 1:
            steps = []
            for place in range(ids.shape[1]):
                logits, before = self._answered(ids[:, place : place + 1], mask, encoded, before)
                steps.append(logits)
            return torch.cat(steps, dim=1), before
        written, cross = self._pairs["decoder"], self._pairs["encoder"]
        graph = self._with_past if past else self._decoder
        crossed = pairs_of(before.cross_attention_cache) if past else _empty(graph, cross, len(ids))
        if encoded is None:  # it stands in the keys and values already
            encoded = torch.zeros(len(ids), crossed[0].shape[2], self.config.get_text_config().hidden_size)
        given = {
            "input_ids": ids,
            "encoder_hidden_states": encoded,
            "encoder_attention_mask": mask_of(mask, ids, encoded.shape[1]),
            "decoder_attention_mask": ones(ids, ids.shape[1] + (past[0].shape[2] if past else 0)),
            BRANCH: torch.tensor([bool(past)]),
            **_named(PAST, written, past or _empty(graph, written, len(ids))),
            **_named(PAST, cross, crossed),
        }
        output = graph(**given)
        if not past:
            crossed = [output[f"{PRESENT}.{name}"] for name in cross]
        after = cache_of([output[f"{PRESENT}.{name}"] for name in written])
        return output["logits"], EncoderDecoderCache(after, cache_of(crossed))


def open_optimum(place: Path, files: OptimumFiles, threads: int, opener: Opener) -> OptimumWriter:
    """The graphs of a model's folder, or of one of its files.

    Raises:
        HarnessError: a file is missing or damaged, or its inputs and outputs are not optimum's.
    """
    torch.set_num_threads(threads)
    home = home_of(place)
    config = AutoConfig.from_pretrained(home, **HERE)
    try:
        generation = GenerationConfig.from_pretrained(home, **HERE)
    except OSError:
        generation = GenerationConfig.from_model_config(config)
    decoder = opener(files.decoder, threads)
    with_past = decoder if files.with_past is None else opener(files.with_past, threads)
    encoder = None if files.encoder is None else opener(files.encoder, threads)
    _check(files, decoder, with_past, encoder)
    return OptimumWriter(config, generation, decoder, with_past, encoder)


def _check(files: OptimumFiles, decoder: Graph, with_past: Graph, encoder: Graph | None) -> None:
    stacks = ("decoder.", "encoder.") if encoder is not None else ("",)
    for file, graph in ((files.decoder, decoder), (files.with_past or files.decoder, with_past)):
        others = [name for name in graph.inputs if name not in KNOWN and not name.startswith(f"{PAST}.")]
        if others or "input_ids" not in graph.inputs:
            raise _other_names(file, f"it reads {', '.join(list(graph.inputs)[:8])}")
    shapes = {name: shape for name, shape in with_past.inputs.items() if name.startswith(f"{PAST}.")}
    if not shapes:
        raise HarnessError(
            f"model {files.decoder}: it reads no {PAST} and has no decoder_with_past_model.onnx beside it; export it "
            "with its cache (optimum-cli export onnx --task text-generation-with-past, or text2text-…)"
        )
    layers = len(shapes) // (2 * len(stacks))
    expected = {f"{PAST}.{name}" for stack in stacks for name in _pair_names(stack.rstrip("."), layers)}
    if shapes.keys() != expected or any(len(shape) != 4 for shape in shapes.values()):
        raise _other_names(files.with_past or files.decoder, f"its cache is {', '.join(list(shapes)[:4])}")
    if any(not isinstance(number, int) for shape in shapes.values() for number in (shape[1], shape[3])):
        raise _other_names(files.with_past or files.decoder, "the sizes of its cache are not in it")


def _other_names(file: Path, reason: str) -> HarnessError:
    return HarnessError(
        f"model {file}: {reason}; graphs that generate are scored as harness exports them (the folder of `harness "
        f"compress --method onnx`) or with optimum's names: input_ids, attention_mask, {PAST}.0.key, …"
    )


def _pair_names(stack: str, layers: int) -> list[str]:
    """Keys and values of each layer, of the decoder itself or of what it reads of the encoder where there is one."""
    middle = f".{stack}" if stack else ""
    return [f"{number}{middle}.{part}" for number in range(layers) for part in ("key", "value")]


def _named(prefix: str, names: Sequence[str], pairs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": pair for name, pair in zip(names, pairs, strict=True)} if pairs else {}


def _empty(graph: Graph, names: Sequence[str], rows: int) -> list[torch.Tensor]:
    """Keys and values of no tokens, for a graph that reads some."""
    shapes = [graph.inputs[f"{PAST}.{name}"] for name in names if f"{PAST}.{name}" in graph.inputs]
    return [torch.zeros(rows, shape[1], 0, shape[3]) for shape in shapes]
