"""What a model that writes is called with: prompts as padded rows, the tokens that begin and end a text, names."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import torch


def start_of(model: Any) -> int:
    """The token an encoder–decoder's output begins with. Raises HarnessError where its config names none."""
    for settings in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            token = getattr(settings, name, None)
            if token is not None:
                return int(token[0] if isinstance(token, list) else token)
    raise HarnessError("the model's config names no decoder_start_token_id, with which its output begins")


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a text."""
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    return list(ends) if isinstance(ends, list) else [] if ends is None else [ends]


def pad_of(tokenizer: Any) -> int:
    """The token that fills rows up."""
    pad = tokenizer.pad_token_id
    return pad if isinstance(pad, int) else tokenizer.eos_token_id


def padded(rows: Sequence[Sequence[int]], fill: int, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows as (b, longest) ids and their mask, filled up on one side."""
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), fill, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[index, place] = torch.as_tensor(row, dtype=torch.long)
        mask[index, place] = 1
    return ids, mask


def places_of(mask: torch.Tensor) -> torch.Tensor:
    """The positions (b, t) of the tokens of rows, counted from the first that a mask (b, t) shows."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def takes(model: Any, name: str) -> bool:
    return name in inspect.signature(model.forward).parameters


def cache_name(model: Any) -> str:
    """What a model calls its key–value cache, in its arguments and its output: `past_key_values` before 5.2x."""
    return getattr(model, "cache_name", None) or ("cache" if takes(model, "cache") else "past_key_values")


@dataclass
class Prompts:
    """What a model is called with besides the next tokens, for the texts of a batch.

    Attributes:
        name: What it calls the tokens it goes on from.
        tokens: (b, t) those that are first.
        state: The other arguments, by name.
        seen: (b, t) which of the first tokens are no padding.
        reads: Whether the model's attention is that of `decoding_cache`, to which a mask can be given as it adds it.
        kind: The model's numbers.
    """

    name: str
    tokens: torch.Tensor
    state: dict[str, Any]
    seen: torch.Tensor
    reads: bool
    kind: torch.dtype

    @classmethod
    def of(cls, model: Any, tokenizer: Any, rows: list[list[int]], reads: bool, tokens: int) -> Prompts:
        """An encoder reads so many `tokens` at a time."""
        import torch

        writes_apart = model.config.is_encoder_decoder
        ids, mask = (part.to(model.device) for part in padded(rows, pad_of(tokenizer), left=not writes_apart))
        state: dict[str, Any] = {"attention_mask": mask}
        if writes_apart:
            state["encoder_outputs"] = encoded(model, ids, mask, tokens)
            if reads:
                state["attention_mask"] = added(mask, model.dtype)
            start = torch.full((len(rows), 1), start_of(model), dtype=torch.long, device=model.device)
            return cls("decoder_input_ids", start, state, torch.ones_like(start), reads, model.dtype)
        if takes(model, "position_ids"):
            state["position_ids"] = places_of(mask)
        return cls("input_ids", ids, state, mask, reads, model.dtype)

    def grow(self) -> None:
        """A token has been added to each text."""
        import torch

        if self.name == "input_ids":
            mask, placed = self.state["attention_mask"], "position_ids" in self.state
            if placed:
                self.state["position_ids"] = self.state["position_ids"][:, -1:] + 1
            if mask is not None and mask.dim() == 2 and placed and self.reads:
                mask = added(mask, self.kind)
            if mask is not None:
                mask = torch.nn.functional.pad(mask, (0, 1), value=1 if mask.dim() == 2 else 0)
            self.state["attention_mask"] = mask

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone."""
        for key, value in self.state.items():
            if value is None:
                continue
            if key == "encoder_outputs":
                value.last_hidden_state = value.last_hidden_state[rows]
            else:
                self.state[key] = value[rows]

    def of_beams(self, beams: int) -> dict[str, Any]:
        """The arguments where each text is so many rows, and the model reads keys of the encoder and of the prompt by
        `decoding_cache` alone: of what the encoder has read the shape is enough.
        """
        state = dict(self.state)
        if "position_ids" in state:
            return {"position_ids": state["position_ids"].repeat_interleave(beams, 0)}
        if state["attention_mask"] is not None and state["attention_mask"].dim() == 2:
            state["attention_mask"] = state["attention_mask"].repeat_interleave(beams, 0)
        if "encoder_outputs" in state:
            outputs = copy.copy(state["encoder_outputs"])
            hidden = outputs.last_hidden_state
            outputs.last_hidden_state = hidden[:1].expand(len(hidden) * beams, -1, -1)
            state["encoder_outputs"] = outputs
        return state


def added(mask: torch.Tensor, kind: torch.dtype) -> torch.Tensor | None:
    """A mask (b, t) as what is added to scores, (b, 1, 1, t); None where it hides nothing."""
    import torch

    if bool(mask.all()):
        return None
    hidden = torch.zeros(mask.shape, dtype=kind, device=mask.device)
    return hidden.masked_fill_(mask == 0, torch.finfo(kind).min)[:, None, None]


def encoded(model: Any, ids: torch.Tensor, mask: torch.Tensor, tokens: int) -> Any:
    """What the encoder makes of rows in order of length, longest first, so many `tokens` at a time."""
    import torch

    step = max(1, tokens // ids.shape[1])
    parts = []
    for start in range(0, len(ids), step):
        rows = slice(start, start + step)
        longest = int(mask[rows].sum(1).max())
        parts.append(model.get_encoder()(input_ids=ids[rows, :longest], attention_mask=mask[rows, :longest]))
    if len(parts) > 1:
        hidden = [part.last_hidden_state for part in parts]
        room = [torch.nn.functional.pad(each, (0, 0, 0, ids.shape[1] - each.shape[1])) for each in hidden]
        parts[0].last_hidden_state = torch.cat(room)
    return parts[0]
