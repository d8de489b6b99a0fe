"""A generative model, as graphs: called, and made to generate, as one of `transformers`. Imports torch: import it
inside functions.

One graph decodes. It is given the keys and values of what stands before and gives those of the whole, (b, heads, t,
size) each. An encoder–decoder has a second, which encodes: it gives the keys and values of all cross-attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutputWithPast

from harness.core.errors import HarnessError
from harness.modeling.inference.decoding_inputs import places_of
from harness.modeling.inference.key_values import cache_of, pairs_of
from harness.modeling.runtimes.base import RuntimeModel
from harness.modeling.runtimes.graph_file import ENCODER_FILE, FILE, Graph, Opener

PAST, PRESENT, CROSS = "past", "present", "cross"
ENCODED = "encoded"
CACHE = "cache" if "cache" in CausalLMOutputWithPast.__dataclass_fields__ else "past_key_values"
"""What `transformers` calls the key–value cache in what it calls a model with, and in what it is given."""
KEPT = "logits_to_keep"
"""The graph's input (k,) that names the positions whose logits are wanted."""


def pair_names(what: str, layers: int) -> list[str]:
    """Names of the keys and values of each layer, as the graph has them."""
    return [f"{what}.{number}.{part}" for number in range(layers) for part in ("key", "value")]


def sizes(graph: Graph, what: str) -> list[tuple[int, int]]:
    """Heads and their size, for the keys and the values of each layer."""
    return [(shape[1], shape[3]) for name, shape in graph.inputs.items() if name.startswith(f"{what}.")]


class Encoder(torch.nn.Module):
    """Gives (b, t, n): for each token the n numbers that cross-attention reads of it."""

    main_input_name = "input_ids"

    def __init__(self, graph: Graph, output: str) -> None:
        super().__init__()
        self._graph = graph
        self._output = output

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any) -> BaseModelOutput:
        attention_mask = mask_of(attention_mask, input_ids, input_ids.shape[1])
        return BaseModelOutput(self._graph(input_ids=input_ids, attention_mask=attention_mask)[self._output])


class Writer(PreTrainedModel, GenerationMixin):
    """Always predicts, on the CPU."""

    main_input_name = "input_ids"
    cache_name = CACHE
    _supports_sdpa = True  # whichever attention a config asks for, the graph has it

    def __init__(
        self,
        config: PretrainedConfig,
        generation: GenerationConfig,
        decoder: Graph,
        encoder: Graph | None,
        encoded: str = ENCODED,
    ) -> None:
        super().__init__(config)
        self.generation_config = generation
        self._decoder = decoder
        self._encoder = None if encoder is None else Encoder(encoder, encoded)
        self.eval()

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Of what goes in and comes out, whatever the weights are kept as."""
        return torch.float32

    def get_encoder(self, *_: Any, **__: Any) -> Any:
        return self._encoder

    def get_input_embeddings(self) -> None:  # type: ignore[override]
        """None: they are inside of a graph."""

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
        """Of ids (b, t), after what is in the cache where one is given. A mask covers both, of an encoder–decoder what
        is encoded: `input_ids`, or the `encoder_outputs` of them.
        """
        ids = input_ids if self._encoder is None else decoder_input_ids
        assert ids is not None
        before: Any = more.get(CACHE)
        past = self_attention(before)
        if not past:
            past = [torch.zeros(len(ids), heads, 0, size) for heads, size in sizes(self._decoder, PAST)]
        crossed: list[torch.Tensor] = []
        if self._encoder is not None:
            if past[0].shape[2]:
                crossed = pairs_of(before.cross_attention_cache)
            else:
                encoded = encoder_outputs or self._encoder(input_ids=input_ids, attention_mask=attention_mask)
                crossed = self._split(encoded[0])
        seen = crossed[0].shape[2] if crossed else past[0].shape[2] + ids.shape[1]
        attention_mask = mask_of(attention_mask, ids, seen)
        if self._encoder is None and position_ids is None:
            position_ids = places_of(attention_mask)[:, -ids.shape[1] :]
        length = ids.shape[1]
        given = {
            "input_ids": ids,
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            KEPT: torch.arange(length - (logits_to_keep or length), length),
            **dict(zip(pair_names(PAST, len(past) // 2), past, strict=True)),
            **dict(zip(pair_names(CROSS, len(crossed) // 2), crossed, strict=True)),
        }
        output = self._decoder(**{name: tensor for name, tensor in given.items() if tensor is not None})
        after: Cache = cache_of([output[name] for name in pair_names(PRESENT, len(past) // 2)])
        if crossed:
            after = EncoderDecoderCache(after, cache_of(crossed))
        fields: dict[str, Any] = {"logits": output["logits"], CACHE: after}
        return CausalLMOutputWithPast(**fields)

    def _split(self, encoded: torch.Tensor) -> list[torch.Tensor]:
        """Keys and values (b, heads, t, size) of cross-attention, layer by layer."""
        shapes = sizes(self._decoder, CROSS)
        parts = encoded.split([heads * size for heads, size in shapes], dim=2)
        shaped = [part.unflatten(2, shape).transpose(1, 2) for part, shape in zip(parts, shapes, strict=True)]
        return [part.contiguous() for part in shaped]


@dataclass
class WriterModel(RuntimeModel):
    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        output = self.module(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return {"logits": output.logits.numpy()}


def open_writer(folder: Path, threads: int, opener: Opener) -> Writer:
    """The graphs of a folder. Raises HarnessError where a file is missing or damaged."""
    torch.set_num_threads(threads)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **options)
    try:
        generation = GenerationConfig.from_pretrained(folder, **options)
    except OSError as error:
        raise HarnessError(f"cannot load the model in {folder}: {' '.join(str(error).split())}") from None
    encoder = opener(folder / ENCODER_FILE, threads) if config.is_encoder_decoder else None
    return Writer(config, generation, opener(folder / FILE, threads), encoder)


def ones(ids: torch.Tensor, length: int) -> torch.Tensor:
    """The mask of rows of that length without padding."""
    return torch.ones(len(ids), length, dtype=torch.long)


def mask_of(mask: torch.Tensor | None, ids: torch.Tensor, length: int) -> torch.Tensor:
    """The mask (b, length) that a graph is given. Raises ValueError for one of which token sees which, (b, 1, t, t)."""
    if mask is None:
        return ones(ids, length)
    if mask.ndim != 2:
        raise ValueError(f"a graph takes a mask of its tokens, and none of {tuple(mask.shape)}")
    return mask


def self_attention(cache: Any) -> list[torch.Tensor]:
    """What a cache holds of what was written; nothing where it is empty."""
    if cache is None or cache.get_seq_length() == 0:
        return []
    return pairs_of(cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache)
