"""An encoder's hidden states, and what heads read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch


def encoder_inputs(model: Any, input_ids: torch.Tensor, segments: torch.Tensor) -> dict[str, torch.Tensor]:
    """With segments for a model that knows two of them."""
    known = getattr(model.config, "type_vocab_size", 0) or 0
    return {"input_ids": input_ids} | ({"token_type_ids": segments} if known > 1 else {})


def hidden_states(encoder: Any, input_ids: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
    """What an encoder makes of ids (b, l) and their segments (b, l): (b, l, d)."""
    states: torch.Tensor = encoder(**encoder_inputs(encoder, input_ids, segments)).last_hidden_state
    return states


def at(hidden: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Of hidden states (b, l, d) those at positions (b, k): (b, k, d)."""
    return hidden.gather(1, positions.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))


def mean_of(logits: torch.Tensor, targets: torch.Tensor) -> Outputs:
    """The mean cross entropy of targets (n,) by logits (n, vocabulary), and these."""
    from torch.nn.functional import cross_entropy

    return Outputs(cross_entropy(logits, targets), (logits,), 1 / len(targets))


def beside(hidden: torch.Tensor) -> torch.Tensor:
    """Each hidden state of (b, l, d) between those of its neighbours, zeros at the ends: (b, l, 3d).

    As the span boundary objective of Joshi et al. 2020 (SpanBERT) reads the ends of a masked span. Of a block with many
    masks a masked position alone gives nothing to learn from at first: all look the same until attention is learned
    that tells one from the other, and small models stand at the frequencies of words for long.
    """
    import torch

    before, after = (torch.nn.functional.pad(hidden, (0, 0, *ends)) for ends in ((1, -1), (-1, 1)))
    return torch.cat([before, hidden, after], dim=-1)


def transform(width: int, words: int) -> torch.nn.Sequential:
    """From what `beside` gives, (…, 3 · width), to the space of the embeddings (…, words), as BERT's head does."""
    import torch

    return torch.nn.Sequential(torch.nn.Linear(3 * width, words), torch.nn.GELU(), torch.nn.LayerNorm(words))
